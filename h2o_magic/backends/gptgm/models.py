"""Which models a gpt-gm server offers, and how many tokens they would read.

Servers of this package, and chat-ui from 2024, list them at ``/api/models``. Before
that only the page data of SvelteKit had them
(tests/recordings, ``data-json-root``).
"""

from __future__ import annotations

import contextlib
from collections.abc import Sequence
from typing import Any

from h2o_magic.backends.base import ModelInfo
from h2o_magic.backends.gptgm.api import GptGmCalls, as_items
from h2o_magic.chat.messages import Message
from h2o_magic.config.models import MODELS, find_model
from h2o_magic.errors import ParameterError, ProtocolError, StatusError

# A refusal to answer at all is not a missing list.
_REFUSED = (401, 403, 429)
# What our own server says of a question that it cannot count.
_UNUSABLE = (422, 424)


def service_id(model: object) -> str:
    """Return the id by which the gpt-gm service knows a model, or the name as it is.

    Raises
    ------
    ParameterError
        If `model` is no name.
    """
    if not isinstance(model, str) or not model.strip():
        raise ParameterError(f"expected the name of a model, got {model!r}")
    known = find_model(model)
    return known.service_id if known else model


def list_models(calls: GptGmCalls) -> list[ModelInfo]:
    """Return the server's models, or the known ones if it has no list."""
    for path, read in (
        ("/api/models", models_of_api),
        ("/__data.json", models_of_page),
    ):
        try:
            models = read(calls.get(path))
        except StatusError as error:
            if error.status in _REFUSED:
                raise
        except ProtocolError:
            pass
        else:
            if models:
                return models
    return [ModelInfo(m.name) for m in MODELS.values() if m.service_id != m.name]


def count_tokens(
    calls: GptGmCalls, model: str, messages: Sequence[Message]
) -> int | None:
    """Return how many tokens `model` would read of `messages`; None if nobody counts.

    They are sent to servers of this package only.
    """
    try:
        health = calls.get("/health")
        if not isinstance(health, dict) or not isinstance(health.get("instance"), str):
            return None
        asked = {"model": model, "messages": as_items(messages)}
        answer = calls.post("/api/tokenize", asked)
    except ProtocolError:
        return None
    except StatusError as error:
        if error.status in _UNUSABLE:
            raise
        return None
    tokens = answer.get("tokens") if isinstance(answer, dict) else None
    return tokens if type(tokens) is int and tokens >= 0 else None


def models_of_api(document: object) -> list[ModelInfo]:
    """Return the models of an answer of ``/api/models``, or none."""
    return [
        _model(entry)
        for entry in (document if isinstance(document, list) else [])
        if isinstance(entry, dict) and isinstance(entry.get("id"), str)
    ]


def models_of_page(document: object) -> list[ModelInfo]:
    """Return the models of an answer of ``/__data.json``, or none.

    SvelteKit's devalue has all values of a page in one list, and in their place inside
    other values their indices in it.
    """
    nodes = document.get("nodes") if isinstance(document, dict) else None
    for node in nodes if isinstance(nodes, list) else []:
        with contextlib.suppress(LookupError, TypeError):
            flat = node["data"]
            entries = [flat[index] for index in flat[flat[0]["models"]]]
            return models_of_api([{"id": flat[entry["id"]]} for entry in entries])
    return []


def _model(entry: dict[str, Any]) -> ModelInfo:
    known = find_model(entry["id"])
    weights, licence = entry.get("weights"), entry.get("license")
    return ModelInfo(
        name=known.name if known else entry["id"],
        weights=weights if isinstance(weights, str) else "",
        demo=entry.get("demo") is True,
        size=_count(entry.get("size")),
        context=_count(entry.get("context_length")),
        loaded=entry.get("loaded") is True,
        licence=licence if isinstance(licence, str) else "",
    )


def _count(value: object) -> int | None:
    return value if isinstance(value, int) and not isinstance(value, bool) else None
