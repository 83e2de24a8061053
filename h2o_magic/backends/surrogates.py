"""Halves of characters, as JSON escapes and tokens can leave them."""

from __future__ import annotations

import re

__all__ = ["ends_in_half", "join_surrogates"]

_SURROGATE = re.compile("[\ud800-\udfff]")


def join_surrogates(text: str) -> str:
    r"""Join surrogate pairs that came apart, and replace halves that stay alone.

    JSON may carry a character as two ``\uXXXX`` escapes, and a server may put them
    into two tokens. A lone half cannot be printed or stored.
    """
    if not _SURROGATE.search(text):
        return text
    return text.encode("utf-16-le", "surrogatepass").decode("utf-16-le", "replace")


def ends_in_half(text: str) -> bool:
    """Return whether a text ends with the first half of a character."""
    return "\ud800" <= text[-1:] <= "\udbff"
