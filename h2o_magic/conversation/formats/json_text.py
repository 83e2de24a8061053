"""JSON as text: strictly read, and written so that any program can read it.

Refused is what programs read differently: NaN, numbers past the largest float, the
same name twice in an object, and nesting that would exhaust somebody's stack.
"""

from __future__ import annotations

import json
import math
import re
from typing import Any

from h2o_magic.conversation.formats.checks import wrong
from h2o_magic.errors import ConfigurationError

#: Most levels of lists and objects in each other.
MOST_NESTED = 100

# UTF-8 cannot hold lone surrogates; the others end a line for some programs.
_ESCAPED = re.compile("[\ud800-\udfff\x7f\x85\u2028\u2029]")


def parse(text: str, where: str = "") -> Any:
    """Return the value that JSON `text` stands for; a byte order mark may lead it.

    Parameters
    ----------
    text
        All of the JSON.
    where
        The text's place, for the error: ``line 3``; empty if it is a whole file.

    Raises
    ------
    ConfigurationError
        If it is not JSON, or not to be read by all programs alike.
    """
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
    """Return `value` as JSON text, on one line unless `indent` is given.

    Lone surrogates and odd line ends are escaped; all else stands as it is.
    """
    _check_nesting(value, "")
    try:
        text = json.dumps(value, ensure_ascii=False, allow_nan=False, indent=indent)
    except (TypeError, ValueError) as error:
        raise ConfigurationError(
            f"expected facts of JSON values only, got others ({error}): "
            "the conversation cannot be written in this format"
        ) from error
    return _ESCAPED.sub(lambda match: f"\\u{ord(match[0]):04x}", text)


class _RefusedError(ValueError):
    """What JSON's grammar allows, or Python adds to it, and is not read here."""


_TOO_DEEP = (
    f"expected at most {MOST_NESTED} lists and objects in each other, got more: "
    "this is no conversation"
)


def _refuse_constant(name: str) -> None:
    raise _RefusedError(f"{name}, which is no number")


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
        level = [inner for outer in level for inner in _inside(outer)]
        depth += 1


def _inside(value: object) -> list[object]:
    if isinstance(value, dict):
        return list(value.values())
    return list(value) if isinstance(value, list | tuple) else []
