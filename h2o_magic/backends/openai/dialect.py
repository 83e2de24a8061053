"""How an OpenAI-compatible server is recognised, and which program it is."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from h2o_magic.backends.base import Backend, Dialect, Match, ProbeAnswer
from h2o_magic.backends.openai.backend import OpenAIBackend
from h2o_magic.backends.openai.flavour import Flavour, entries_of, flavour_of

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


def _connect(url: str, token: str | None) -> Backend:
    return OpenAIBackend(url, token=token)


def _recognise(answer: ProbeAnswer, earlier: Sequence[ProbeAnswer]) -> Match | None:
    document = answer.document
    if answer.status == 200 and _is_list(document):
        return Match(_engine(document, answer.server), len(list(entries_of(document))))
    if not isinstance(document, dict):
        return None
    alone = not any(other.refused for other in earlier)
    error = document.get("error")
    # The shape of OpenAI's errors; a missing route can have it, too.
    shaped = isinstance(error, dict) and "message" in error and "type" in error
    if ((answer.refused or answer.status == 429) and alone) or (
        answer.status >= 400 and answer.status not in (404, 405) and shaped
    ):
        return Match(_engine(None, answer.server))
    return None


def _is_list(document: object) -> bool:
    """Return whether a document is a list of models; an empty one may have no data."""
    if isinstance(document, dict):
        empty = document.get("object") == "list" and "data" in document
        data = document.get("data")
        return isinstance(data, list) or (data is None and empty)
    return any(True for _ in entries_of(document))


def _engine(document: object, server: str) -> str:
    """Return the program's name, by its list of models or its ``Server`` header."""
    named = ENGINES.get(flavour_of(document), "")
    return named or ("llama.cpp" if server.lower().startswith("llama.cpp") else "")


DIALECT = Dialect(
    "openai",
    "OpenAI-compatible",
    _connect,
    probes=("{version}/models",),
    recognise=_recognise,
)
