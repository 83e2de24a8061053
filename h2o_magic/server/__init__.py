"""The local server: the gpt-gm protocol in front of llama.cpp, for one user.

It imports only the ground floor of the package. `serve` wires the parts together.
"""
