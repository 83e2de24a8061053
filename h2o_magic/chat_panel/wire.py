"""JSON values as they can travel between kernel and page."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from h2o_magic.backends.text import join_surrogates


def sendable(value: Any) -> Any:
    """Return a JSON value whose texts are Unicode: half a character has no bytes.

    A page can type one, and a model can write one; the kernel's messages hold none.
    """
    if isinstance(value, str):
        return join_surrogates(value)
    if isinstance(value, Mapping):
        return {name: sendable(part) for name, part in value.items()}
    if isinstance(value, list | tuple):
        return [sendable(part) for part in value]
    return value
