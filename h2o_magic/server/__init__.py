"""The local server: the OpenAI API and gpt-gm in front of llama.cpp.

It imports only the ground floor of the package. `serve` wires the parts together.
"""
