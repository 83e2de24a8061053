"""How a gpt-gm server is recognised."""

from __future__ import annotations

from collections.abc import Sequence

from h2o_magic.backends.base import Backend, Dialect, Match, ProbeAnswer
from h2o_magic.backends.gptgm.backend import GptGmBackend
from h2o_magic.backends.gptgm.models import models_of_page

#: What only chat-ui of 2023 and the servers of this package say.
_LOGIN = "You have to be logged in."
#: The data of chat-ui's page in 2023, in SvelteKit's shape.
_PAGE = "/__data.json"


def _connect(url: str, token: str | None) -> Backend:
    return GptGmBackend(url, token=token)


def _recognise(answer: ProbeAnswer, earlier: Sequence[ProbeAnswer]) -> Match | None:
    if answer.refused:
        page = answer.path == _PAGE and not any(other.refused for other in earlier)
        return Match() if page or answer.words == _LOGIN else None
    if answer.status != 200:
        return None
    if answer.path == _PAGE:
        return _page(answer.document)
    return _list_of_ours(answer.document)


def _list_of_ours(document: object) -> Match | None:
    """Judge a list of models: only servers of this package name the weights."""
    listed = document if isinstance(document, list) else []
    models = [m for m in listed if isinstance(m, dict) and isinstance(m.get("id"), str)]
    if any("weights" in model for model in models):
        return Match("h2o_magic", len(models))
    return None


def _page(document: object) -> Match | None:
    """Judge the data of a page; those of later versions of chat-ui are empty."""
    if not isinstance(document, dict) or document.get("type") != "data":
        return None
    nodes = document.get("nodes")
    if not isinstance(nodes, list) or not any(nodes):
        return None
    return Match(models=len(models_of_page(document)) or None)


DIALECT = Dialect(
    "gpt-gm",
    "gpt-gm",
    _connect,
    probes=("/api/models", "{version}/models", _PAGE),
    recognise=_recognise,
)
