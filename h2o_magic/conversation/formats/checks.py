"""Checks of values that came from a file, with their place in the error."""

from __future__ import annotations

import math
import reprlib
from typing import Any

from h2o_magic.errors import ConfigurationError


def wrong(where: str, message: str) -> ConfigurationError:
    """Make the error about the value at `where`; empty means the file itself."""
    return ConfigurationError(f"{where}: {message}" if where else message)


def within(where: str, part: str) -> str:
    """Return the name of a part's place: ``line 3, message 2``."""
    return f"{where}, {part}" if where else part


def kind_of(value: object) -> str:
    """Return what a JSON value is, in words; a short one is shown."""
    if isinstance(value, dict):
        return "an object"
    if isinstance(value, list):
        return "a list"
    if isinstance(value, str):
        return f"the text {reprlib.repr(value)}"
    if value is None or isinstance(value, bool):
        return {None: "null", True: "true", False: "false"}[value]
    return f"the number {reprlib.repr(value)}"


def as_object(value: object, where: str, what: str) -> dict[str, Any]:
    """Return `value` if it is an object; `what` names it in the error."""
    if isinstance(value, dict):
        return value
    raise wrong(where, f"expected an object as {what}, got {kind_of(value)}")


def as_list(value: object, where: str, what: str) -> list[Any]:
    """Return `value` if it is a list; `what` names it in the error."""
    if isinstance(value, list):
        return value
    raise wrong(where, f"expected a list as {what}, got {kind_of(value)}")


def as_text(value: object, where: str, what: str) -> str:
    """Return `value` if it is a text; `what` names it in the error."""
    if isinstance(value, str):
        return value
    raise wrong(where, f"expected a text as {what}, got {kind_of(value)}")


def as_flag(value: object, where: str, what: str) -> bool:
    """Return `value` if it is true or false; `what` names it in the error."""
    if isinstance(value, bool):
        return value
    raise wrong(where, f"expected true or false as {what}, got {kind_of(value)}")


def as_number(value: object, where: str, what: str) -> float:
    """Return `value` as a finite float; `what` names it in the error."""
    if isinstance(value, int | float) and not isinstance(value, bool):
        try:
            number = float(value)
        except OverflowError:  # a whole number past the largest float
            number = math.inf
        if math.isfinite(number):
            return number
    raise wrong(where, f"expected a number as {what}, got {kind_of(value)}")


def joined_text(value: object, where: str, what: str) -> str:
    """Return a text that may be given as the list of its lines, as notebooks do."""
    if isinstance(value, list) and all(isinstance(line, str) for line in value):
        return "".join(value)
    return as_text(value, where, what)
