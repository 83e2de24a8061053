"""What the program that an OpenAI-compatible server runs is called."""

from __future__ import annotations

from collections.abc import Mapping

from h2o_magic.backends.openai.flavour import Flavour, flavour_of

__all__ = ["ENGINES", "engine_of"]

#: The names of the programs, by flavour.
ENGINES: Mapping[Flavour, str] = {
    "vllm": "vLLM",
    "llamacpp": "llama.cpp",
    "llama_cpp_server": "llama-cpp-python",
    "fastchat": "FastChat",
    "h2ogpt": "h2oGPT",
    "ollama": "Ollama",
    "lmstudio": "LM Studio",
    "h2o_magic": "h2o_magic",
}


def engine_of(document: object, server: str) -> str:
    """Return the program's name; empty if it cannot be told.

    Parameters
    ----------
    document
        Its answer of ``/v1/models``.
    server
        The ``Server`` header of that.
    """
    named = ENGINES.get(flavour_of(document), "")
    return named or ("llama.cpp" if server.lower().startswith("llama.cpp") else "")
