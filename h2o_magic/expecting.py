"""The check of an argument's type, for callers from Python."""

from __future__ import annotations

from types import UnionType

from h2o_magic.errors import ConfigurationError

__all__ = ["expect"]


def expect(
    what: str, value: object, kind: type | UnionType, *, optional: bool = False
) -> None:
    """Check that an argument is of a kind; a truth value is no number.

    Parameters
    ----------
    what
        What the argument is, for the error: ``"a turn's number"``.
    value
        What came.
    kind
        What is allowed.
    optional
        True allows None, too.

    Raises
    ------
    ConfigurationError
        If it is of another kind.
    """
    if optional and value is None:
        return
    if not isinstance(value, kind) or (isinstance(value, bool) and kind is not bool):
        wanted = getattr(kind, "__name__", str(kind))
        raise ConfigurationError(
            f"expected {what} ({wanted}), got {type(value).__name__}"
        )
