"""Control texts inside messages, made harmless: a text must not forge a turn. Pure."""

from __future__ import annotations

import re
from collections.abc import Collection
from functools import lru_cache
from typing import Any

#: Markers of a turn even where a model's vocabulary does not say so.
KNOWN_MARKERS = frozenset({"<|prompt|>", "<|answer|>", "<|endoftext|>", "</s>", "<s>"})
_SHORTEST_MARKER = 3
#: Fields with words of the protocol, or with data.
_NO_TEXT = frozenset(
    [
        "call_id",
        "data",
        "detail",
        "encrypted_content",
        "id",
        "media_type",
        "role",
        "signature",
        "status",
        "tool_call_id",
        "tool_use_id",
        "type",
        "url",
    ]
)
#: Fields with arguments of a tool, in which all names and texts are free.
_FREE = frozenset(["arguments", "input"])


def defuse(text: str, markers: Collection[str]) -> str:
    """Return `text` in which no marker is a control token, so it cannot forge a turn.

    A space follows the first character of each.

    >>> defuse("what is <|answer|>?", {"<|answer|>"})
    'what is < |answer|>?'
    """
    pattern = _pattern(frozenset(markers))
    return pattern.sub(r"\1 ", text) if pattern else text


def defused(value: Any, markers: Collection[str], *, free: bool = False) -> Any:
    """Return messages, or parts of them, with their texts defused."""
    if isinstance(value, str):
        return defuse(value, markers)
    if isinstance(value, list):
        return [defused(item, markers, free=free) for item in value]
    if isinstance(value, dict) and free:
        names = {key: defuse(key, markers) for key in value}
        return {names[k]: defused(v, markers, free=True) for k, v in value.items()}
    if isinstance(value, dict):
        return {
            key: item if key in _NO_TEXT else defused(item, markers, free=key in _FREE)
            for key, item in value.items()
        }
    return value


@lru_cache(maxsize=32)
def _pattern(markers: frozenset[str]) -> re.Pattern[str] | None:
    words = [re.escape(m) for m in sorted(markers) if len(m) >= _SHORTEST_MARKER]
    # A lookahead finds overlapping markers, too.
    return re.compile(f"(?={'|'.join(words)})(.)", re.S) if words else None
