"""The list of models that ``GET /api/models`` gives."""

from __future__ import annotations

from collections.abc import Collection, Iterable
from typing import Any

from h2o_magic.errors import ConfigurationError
from h2o_magic.parameters import PARAMETERS
from h2o_magic.server.gguf_header import Header, read_header
from h2o_magic.server.weights import Weights, known_weights

__all__ = ["list_models"]


def list_models(
    loaded: Collection[str], known: Iterable[Weights] | None = None
) -> list[dict[str, Any]]:
    """Return every model that can be asked. Blocks: it looks into files.

    Parameters
    ----------
    loaded
        Names of the models in memory.
    known
        What can be asked; None for everything on this machine.
    """
    listed = known_weights() if known is None else known
    return [_describe(weights, loaded) for weights in listed]


def _describe(weights: Weights, loaded: Collection[str]) -> dict[str, Any]:
    header = _header(weights)
    defaults = {p.name: p.default for p in PARAMETERS.values() if p.default is not None}
    return {
        "id": weights.model_id,
        "name": weights.model,
        "displayName": weights.model,
        "weights": weights.label,
        "demo": weights.demo,
        "size": weights.size if weights.path.exists() else None,
        "context_length": header.context_length if header else None,
        "license": header.licence if header and not weights.demo else "",
        "loaded": weights.model in loaded,
        "parameters": defaults,
        "note": weights.note,
    }


def _header(weights: Weights) -> Header | None:
    try:
        return read_header(weights.path)
    except ConfigurationError:
        return None
