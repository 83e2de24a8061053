"""A question that is too long for the model: which earlier turns it goes without.

Pure. The refusals are those in tests/recordings/openai, those of our own server, and
those that hosted services document.
"""

from __future__ import annotations

import math
import re
from collections.abc import Mapping, Sequence
from itertools import accumulate
from typing import Any

from h2o_magic.chat.context import input_room

_REFUSAL = re.compile(
    r"context[_ ]?(?:length|window|size)|max_seq_len|prompt(?: is)? too long"
    r"|maximum prompt length|input (?:is too long|token count|length should be)"
    r"|model token limit|token count of \d+ exceeds|allowed input length"
    r"|`inputs` tokens|reduce the length of the (?:messages|prompt|input)",
    re.IGNORECASE,
)
#: What the model holds, and everything that is counted in tokens.
_CONTEXT = re.compile(r"(?:context length is|context size \()\s*(\d{1,9})", re.I)
_COUNT = re.compile(r"(\d{1,9})(?: \w+)? tokens?\b", re.I)

#: What an image counts for, in bytes of text: about 1,000 tokens.
_IMAGE = 3000

Items = Sequence[Mapping[str, Any]]


def is_too_long(words: str) -> bool:
    return _REFUSAL.search(words) is not None


def without_oldest(items: Items, words: str, length: int) -> tuple[Items, int]:
    """Return the messages to send after this refusal, and how many turns those lack.

    They leave room for an answer of `length` tokens, where the server tells its counts;
    else half of the turns go. System texts and the question are always kept.
    """
    start = next((i for i, m in enumerate(items) if m["role"] != "system"), 0)
    earlier = items[start:-1]
    begins = [i for i, m in enumerate(earlier) if m["role"] == "user" or not i]
    ends = [*begins[1:], len(earlier)]
    excess = _excess(words, length)
    if excess is None:
        dropped = math.ceil(len(begins) / 2)
    else:
        whole = sum(map(_size, items))
        gone = accumulate(
            sum(map(_size, earlier[b:e])) for b, e in zip(begins, ends, strict=False)
        )
        dropped = min(len(begins), 1 + sum(size < excess * whole for size in gone))
    return [*items[:start], *earlier[[0, *ends][dropped] :], items[-1]], dropped


def _excess(words: str, length: int) -> float | None:
    """Return the share of the messages that is too much; None if that is not said."""
    holds = _CONTEXT.search(words)
    needed = max(map(int, _COUNT.findall(words)), default=0)
    if holds is None or needed <= int(holds[1]):
        return None
    return 1 - input_room(int(holds[1]), length, None) / needed


def _size(item: Mapping[str, Any]) -> int:
    content = item["content"]
    parts = [{"text": content}] if isinstance(content, str) else content
    return sum(
        len(part["text"].encode("utf-8", "replace")) if "text" in part else _IMAGE
        for part in parts
    )
