"""The local server: the OpenAI API and gpt-gm in front of llama.cpp.

`serve` wires the parts together.
"""
