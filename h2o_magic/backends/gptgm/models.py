"""Which models a gpt-gm server offers.

Servers of this package, and chat-ui from 2024, list them at ``/api/models``. Before
that only the page data of SvelteKit had them
(tests/recordings, ``data-json-root``).
"""

from __future__ import annotations

import contextlib
from typing import Any

from h2o_magic.backends.base import ModelInfo
from h2o_magic.backends.gptgm.api import GptGmClient
from h2o_magic.backends.own_server import count, text_of
from h2o_magic.config.models import MODELS, find_model
from h2o_magic.errors import ParameterError, ProtocolError, StatusError

# A refusal to answer at all is not a missing list.
_REFUSED = (401, 403, 429)
#: Those of the service, for a server that names none.
CATALOGUE = tuple(ModelInfo(m.name) for m in MODELS.values() if m.service_id != m.name)


def service_id(model: object) -> str:
    """Return the id by which the gpt-gm service knows a model, or the name as it is."""
    if not isinstance(model, str) or not model.strip():
        raise ParameterError(f"expected the name of a model, got {model!r}")
    known = find_model(model)
    return known.service_id if known else model


def list_models(client: GptGmClient) -> list[ModelInfo]:
    for path, read in (
        ("/api/models", models_of_api),
        ("/__data.json", models_of_page),
    ):
        try:
            models = read(client.get(path))
        except StatusError as error:
            if error.status in _REFUSED:
                raise
        except ProtocolError:
            pass
        else:
            if models:
                return models
    return list(CATALOGUE)


def models_of_api(document: object) -> list[ModelInfo]:
    return [
        _model(entry)
        for entry in (document if isinstance(document, list) else [])
        if isinstance(entry, dict) and isinstance(entry.get("id"), str)
    ]


def models_of_page(document: object) -> list[ModelInfo]:
    """Return the models of ``/__data.json``: SvelteKit's devalue, values by index."""
    nodes = document.get("nodes") if isinstance(document, dict) else None
    for node in nodes if isinstance(nodes, list) else []:
        with contextlib.suppress(LookupError, TypeError):
            flat = node["data"]
            entries = [flat[index] for index in flat[flat[0]["models"]]]
            return models_of_api([{"id": flat[entry["id"]]} for entry in entries])
    return []


def _model(entry: dict[str, Any]) -> ModelInfo:
    known = find_model(entry["id"])
    return ModelInfo(
        name=known.name if known else entry["id"],
        weights=text_of(entry.get("weights")),
        demo=entry.get("demo") is True,
        size=count(entry.get("size")),
        context=count(entry.get("context_length")),
        loaded=entry.get("loaded") is True,
        licence=text_of(entry.get("license")),
    )
