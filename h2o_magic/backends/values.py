"""What the data of one server-sent event says, however it is wrapped.

Pure.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterable, Iterator

#: What may surround the documents of an event: fields and comments of a stream that was
#: put into the data fields of another, and keep-alive words.
_AROUND = re.compile(
    r"(?:\s|data\s*:|(?:event|id|retry)?:[^\n]*|(?:ping|keep-?alive|heartbeat)\b)*",
    re.IGNORECASE,
)
_DONE = re.compile(r"\[?DONE\]?", re.IGNORECASE)
_JSON = json.JSONDecoder(strict=False)  # some servers do not escape tabs
#: Says that nothing more comes.
DONE = object()
#: Says that the answer has ended, as far as the server has kept to that.
LAST = object()


def values_of(data: str) -> Iterator[object]:
    """Yield what the data of one event says: JSON values, and :data:`DONE`.

    Nearly always it is one value. Known as well are several in a row, ``data:`` written
    twice, and a JSON text within a JSON text. Anything else raises ValueError (or
    RecursionError, where it is nested too deep), after what precedes it.
    """
    try:
        values: Iterable[object] = [_JSON.decode(data)]
    except ValueError:
        values = _in_a_row(data)
    for value in values:
        if isinstance(value, str):
            yield from values_of(value)
        elif isinstance(value, list):
            yield from value
        else:
            yield value


def _in_a_row(data: str) -> Iterator[object]:
    place = 0
    while around := _AROUND.match(data, place):  # always: it may be empty
        place = around.end()
        if place == len(data):
            return
        if done := _DONE.match(data, place):
            yield DONE
            place = done.end()
        else:
            value, place = _JSON.raw_decode(data, place)
            yield value
