"""Checks of what a caller gives, before anything is sent.

Python would take the text ``"false"`` for true, and a number for a text that is only
missed much later.
"""

from __future__ import annotations

import uuid
from collections.abc import Iterable

from h2o_magic.catalogue import find_model
from h2o_magic.errors import ParameterError
from h2o_magic.nearest import did_you_mean

__all__ = [
    "checked_uuid",
    "refuse_unknown",
    "service_id",
]


def checked_uuid(name: str, value: str | uuid.UUID | None) -> str:
    """Return a UUID as text; a new one for None.

    Raises
    ------
    ParameterError
        If `value` is none.
    """
    try:
        return str(uuid.uuid4() if value is None else uuid.UUID(str(value)))
    except ValueError:
        raise ParameterError(f"`{name}` must be a UUID, got {value!r}") from None


def refuse_unknown(given: Iterable[str], known: tuple[str, ...]) -> None:
    """Refuse the first argument that is not among the known.

    Raises
    ------
    ParameterError
        Naming the nearest known one.
    """
    for name in given:
        if name not in known:
            raise ParameterError(
                f"unknown argument {name!r}: {did_you_mean(name, known)}"
            )


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
