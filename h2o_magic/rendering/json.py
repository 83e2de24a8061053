"""The JSON in an answer: models put words and fences around what they were asked for.

It is looked for in this order: the whole text, a fenced block, and the longest object
or list in the prose.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from itertools import accumulate
from typing import Any, NoReturn

from h2o_magic.errors import H2OMagicError
from h2o_magic.rendering.fences import code_blocks

_EXCERPT = 40  # characters on either side of the place
_MOST_TRIES = 200  # openers that lead nowhere, of one text


class AnswerFormatError(H2OMagicError, ValueError):
    """An answer does not have the format that was asked for."""


def find_json(text: str) -> Any:
    """Return the JSON value in an answer; an AnswerFormatError shows the place."""
    whole = text.strip()
    failures: list[tuple[int, str]] = []
    for start, candidate in _candidates(text, whole):
        try:
            return _parsed(candidate)
        except ValueError as error:
            failures.append(_place(error, start))
        except RecursionError:
            failures.append((start, "nested too deeply"))
    found, failure = _embedded(text)
    if found:
        return found[0]
    if whole[:1] not in ("{", "[", '"'):  # the text is not JSON as a whole
        failures = failures[1:] or [failure or failures[0]]
    raise AnswerFormatError(_complaint(text, *failures[0]))


def _candidates(text: str, whole: str) -> Iterator[tuple[int, str]]:
    yield text.find(whole), whole
    blocks = code_blocks(text)
    starts = list(accumulate(map(len, text.splitlines(keepends=True)), initial=0))
    for block in sorted(blocks, key=lambda block: not block.language.startswith("js")):
        if block.strip():
            yield starts[min(block.line, len(starts)) - 1], block.code


def _parsed(text: str) -> Any:
    return json.loads(text, parse_constant=_refuse_constant)


def _refuse_constant(name: str) -> NoReturn:
    raise ValueError(f"{name} is not a JSON value")


def _place(error: ValueError, start: int) -> tuple[int, str]:
    if isinstance(error, json.JSONDecodeError):
        return start + error.pos, error.msg[:1].lower() + error.msg[1:]
    return start, str(error)


def _embedded(text: str) -> tuple[list[Any], tuple[int, str] | None]:
    """Return the longest object or list in `text`, or the failure furthest in it."""
    decoder = json.JSONDecoder(parse_constant=_refuse_constant)
    best: tuple[int, Any] | None = None
    failures: list[tuple[int, str]] = []
    end = 0
    for opener in re.finditer(r"[{\[]", text):
        place = opener.start()
        if place < end:
            continue
        if len(failures) == _MOST_TRIES:
            break
        try:
            value, end = decoder.raw_decode(text, place)
        except ValueError as error:
            failures.append(_place(error, 0))
        except RecursionError:
            failures.append((place, "nested too deeply"))
        else:
            if best is None or end - place > best[0]:
                best = (end - place, value)
    return [best[1]] if best else [], max(failures, default=None)


def _complaint(text: str, place: int, reason: str) -> str:
    if not text.strip():
        return "expected JSON as the answer, got an empty answer: ask again"
    if "{" not in text and "[" not in text:
        shown = " ".join(text[: 2 * _EXCERPT].split())
        return f"expected JSON as the answer, got text ({reason}): {shown}"
    place = min(place, len(text))
    line = text.count("\n", 0, place) + 1
    column = place - (text.rfind("\n", 0, place) + 1) + 1
    cut = "" if text[place:].strip() else ", where the answer ends: it may be cut off"
    before, after = text[max(0, place - _EXCERPT) : place], text[place:][:_EXCERPT]
    shown = " ".join(f"{before}⟨here⟩{after}".split())
    return (
        f"expected JSON in the answer; line {line}, column {column}: {reason}{cut}: "
        f"{shown}"
    )
