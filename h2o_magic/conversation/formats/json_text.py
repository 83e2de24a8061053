"""JSON as text: read strictly, and written so that any program can read it.

Refused is what programs read differently: NaN, numbers past the largest float,
duplicate names in an object, and nesting that could exhaust a stack.
"""

from __future__ import annotations

import json
import math
import re
from typing import Any

from h2o_magic.conversation.formats.fields import wrong
from h2o_magic.errors import ConfigurationError

#: The most levels of nested lists and objects.
MOST_NESTED = 100

# UTF-8 cannot hold lone surrogates; the others end a line for some programs.
_ESCAPED = re.compile("[\ud800-\udfff\x7f\x85\u2028\u2029]")


def parse(text: str, where: str = "") -> Any:
    """Return the value of JSON `text`; `where` is its place in the file, for errors."""
    text = text.removeprefix("\ufeff")
    if not text.strip():
        raise wrong(where, "expected JSON, got nothing: the file is empty")
    try:
        value = json.loads(
            text,
            parse_constant=_refuse_constant,
            parse_float=_finite,
            parse_int=_whole,
            object_pairs_hook=_without_repeats,
        )
    except _RefusedError as error:
        raise wrong(where, f"expected JSON, got {error}: correct it") from None
    except json.JSONDecodeError as error:
        raise wrong(where, _not_json(error, whole_file=not where)) from None
    except RecursionError:
        raise wrong(where, _TOO_DEEP) from None
    _check_nesting(value, where)
    return value


def write_json(value: object, *, indent: int | None = None) -> str:
    """Return JSON text with lone surrogates and unusual line ends escaped."""
    _check_nesting(value, "")
    try:
        text = json.dumps(value, ensure_ascii=False, allow_nan=False, indent=indent)
    except (TypeError, ValueError) as error:
        raise ConfigurationError(
            f"expected metadata of JSON values only, got others ({error}): "
            "the conversation cannot be written in this format"
        ) from error
    return _ESCAPED.sub(lambda match: f"\\u{ord(match[0]):04x}", text)


class _RefusedError(ValueError):
    """JSON that not all programs read alike."""


_TOO_DEEP = (
    f"expected at most {MOST_NESTED} levels of nested lists and objects, got more: "
    "this is not a conversation"
)


def _refuse_constant(name: str) -> None:
    raise _RefusedError(f"{name}, which is not a number")


def _finite(digits: str) -> float:
    number = float(digits)
    if math.isinf(number):
        raise _RefusedError("a number that is too large")
    return number


def _whole(digits: str) -> int:
    try:
        return int(digits)
    except ValueError:  # more digits than Python reads, or writes
        raise _RefusedError("a number that is too large") from None


def _without_repeats(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    found = dict(pairs)
    if len(found) < len(pairs):
        names = [name for name, _ in pairs]
        twice = next(name for name in names if names.count(name) > 1)
        raise _RefusedError(f"an object with {twice[:40]!r} in it twice")
    return found


def _not_json(error: json.JSONDecodeError, *, whole_file: bool) -> str:
    line = f"line {error.lineno}, " if whole_file else ""
    end = error.pos >= len(error.doc.rstrip()) or error.msg.startswith("Unterminated")
    why = "it ends too early" if end else error.msg.lower()
    return (
        f"expected JSON, got something else at {line}column {error.colno} ({why}): "
        "the file is damaged, cut short or of another kind; take another copy of it"
    )


def _check_nesting(value: object, where: str) -> None:
    level, depth = [value], 0
    while level:
        if depth > MOST_NESTED:
            raise wrong(where, _TOO_DEEP)
        level = [
            inner
            for outer in level
            if isinstance(outer, dict | list | tuple)
            for inner in (outer.values() if isinstance(outer, dict) else outer)
        ]
        depth += 1
