"""The list of models of ``GET /api/models`` and ``h2o-magic models``."""

from __future__ import annotations

import os
from collections.abc import Collection, Iterable
from typing import Any

from h2o_magic.config.parameters import DEFAULT_LENGTH, PARAMETERS
from h2o_magic.errors import ConfigurationError
from h2o_magic.weights.files import Weights, known_weights
from h2o_magic.weights.gguf import Header, read_header

#: What clients of the gpt-gm protocol send by default.
_SERVICE_DEFAULTS = {
    p.name: p.service_default
    for p in PARAMETERS.values()
    if p.service_default is not None
}


def list_models(
    loaded: Collection[str], known: Iterable[Weights] | None = None
) -> list[dict[str, Any]]:
    """Return the models of `known`, None for all on this machine. Reads files."""
    listed = known_weights() if known is None else known
    return [_describe(weights, loaded) for weights in listed]


def _describe(weights: Weights, loaded: Collection[str]) -> dict[str, Any]:
    header = _header(weights)
    return {
        "id": weights.model_id,
        "name": weights.listed_as,
        "displayName": weights.listed_as,
        "weights": weights.label,
        "demo": weights.demo and weights.is_stand_in,
        "answered_by": weights.model if weights.stands_in_for else None,
        "size": weights.size if os.path.exists(weights.path) else None,
        "context_length": header.context_length if header else None,
        "license": header.licence if header and not weights.demo else "",
        "loaded": weights.model in loaded,
        "parameters": _SERVICE_DEFAULTS,
        "sampling": _sampling(weights) if header else {},
        "system": weights.system,
        "note": weights.note,
    }


def _sampling(weights: Weights) -> dict[str, dict[str, Any]]:
    own = weights.sampling | {"max_new_tokens": (DEFAULT_LENGTH, "the local server")}
    return {
        name: {"value": value, "from": origin} for name, (value, origin) in own.items()
    }


def _header(weights: Weights) -> Header | None:
    try:
        return read_header(weights.path)
    except ConfigurationError:
        return None
