r"""What neighbouring events of a stream have around their texts.

Pure. Servers send each token as an event of its own, and nearly all of them say the
same around its text, but for ids and counts: their *frame*. Where many come at once it
would cost most of the time to read it again and again. Once it is known, the texts are
found by what stands between them, and all of them are read as one JSON document.

This takes nothing on trust. A place in a frame is found by putting a mark there and
reading the event again; and that the texts are JSON strings, which end where the frame
goes on, is what reading them shows. Whatever is not in the frame, is left.
"""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Iterator, Mapping, Sequence
from copy import deepcopy
from dataclasses import dataclass
from typing import Any, TypeAlias

from h2o_magic.decoders import EventDecoder

__all__ = ["Frame", "Places"]

#: The names and numbers that lead to a value in a document.
Path: TypeAlias = tuple[str | int, ...]
#: Where a part of some bytes begins and ends.
Span: TypeAlias = tuple[int, int]

_ENDS = (b"\r\n\r\n", b"\n\n")
#: So many events must come at once before it pays to look for their frame.
_WORTH_IT = 8
#: Bytes of an event whose frame is looked for.
_LONGEST = 4096

_LITERAL = re.compile(rb'"(?:[^"\\]|\\.)*"|-?[0-9][0-9.eE+-]*')
_NUMBER = rb"-?(?:0|[1-9][0-9]*)(?:\.[0-9]+)?(?:[eE][-+]?[0-9]+)?"
#: A string without escapes; an event with one there is not in the frame.
_STRING = rb'"[^"\\\x00-\x1f]*"'
#: Counts and times above nothing, with as many digits as computers write.
_COUNT = rb"[1-9][0-9]{0,14}"
_TIME = rb"(?=[0.]*[1-9])(?:0|[1-9][0-9]{0,14})\.[0-9]{1,20}"
_MARK = "\0mark"


@dataclass(frozen=True, slots=True)
class Places:
    """Where events may differ and still mean nothing but a text.

    Attributes
    ----------
    text : tuple
        The way to the text in an event's document.
    unread : tuple of tuples
        The ways to numbers and strings that nobody reads.
    counts : tuple of tuples
        The ways to objects with counts, of which the last ones hold.
    """

    text: Path
    unread: tuple[Path, ...] = ()
    counts: tuple[Path, ...] = ()


class Frame:
    """The bytes around the texts of alike events.

    Attributes
    ----------
    document : dict
        What one of the events said.
    end : bytes
        The blank line that ends each.

    Parameters
    ----------
    raw
        One of the events, to its end.
    document, end
        As above.
    text
        Where in it the inside of its text stands.
    varied
        Where else it may differ, and the pattern of what may stand there.
    counted
        True if it has counts: of events in a row the last is to be read as any other.
    """

    def __init__(
        self,
        raw: bytes,
        document: dict[str, Any],
        end: bytes,
        *,
        text: Span,
        varied: Mapping[Span, bytes],
        counted: bool,
    ) -> None:
        self.document = document
        self.end = end
        self._counted = counted
        before = _pattern(raw, (0, text[0]), varied)
        after = _pattern(raw, (text[1], len(raw)), varied)
        self._before = re.compile(before)
        self._after = re.compile(after)
        self._between = re.compile(after + before)

    @classmethod
    def of(
        cls,
        data: bytes,
        places: Places,
        is_text_alone: Callable[[dict[str, Any]], bool],
    ) -> Frame | None:
        """Return the frame of the last whole event of some that came at once.

        None if there are few of them, if it is long, or if it says more than a text.

        Parameters
        ----------
        data
            The events, and what there is of another.
        places
            Where they may differ.
        is_text_alone
            Tells of a document whether it says nothing but its text.
        """
        end = next((end for end in _ENDS if data.count(end) >= _WORTH_IT), None)
        if end is None:
            return None
        last = data.rfind(end)
        raw = data[data.rfind(end, 0, last) + len(end) : last + len(end)]
        document = _document(raw) if len(raw) <= _LONGEST else None
        if document is None or not is_text_alone(document):
            return None
        spans = _spans(raw, document)
        text = spans.pop(places.text, None)
        if text is None:
            return None
        varied = {
            span: pattern
            for path, span in spans.items()
            if (pattern := _varied(path, raw[slice(*span)], places)) is not None
        }
        inside = text[0] + 1, text[1] - 1
        counted = any(_is_in(path, places.counts) for path in spans)
        return cls(raw, document, end, text=inside, varied=varied, counted=counted)

    def texts(self, data: bytes) -> tuple[list[str], int]:
        """Return the texts of the events at the beginning of `data` that are in it.

        The last of them is left if they have counts: those that hold are read there.

        Parameters
        ----------
        data
            Bytes from the beginning of an event on.

        Returns
        -------
        list of str
            The texts; none also where an event between the first and the last is of
            another kind.
        int
            How many bytes those events have.
        """
        begin = self._before.match(data)
        if begin is None:
            return [], 0
        end = data.rfind(self.end) + len(self.end)
        *written, last = self._between.split(data[begin.end() : end])
        closed = self._after.search(last)
        texts = None
        if closed is not None:
            texts = _strings([*written, last[: closed.start()]])
        if closed is None or texts is None:
            return [], 0
        if not self._counted:
            return texts, end - len(last) + closed.end()
        if len(texts) == 1:
            return [], 0
        return texts[:-1], data.rfind(self.end, 0, end - len(last)) + len(self.end)


def _strings(written: list[bytes]) -> list[str] | None:
    r"""Read the insides of JSON strings; None if one of them is none.

    As one list, whose items stand on lines of their own. A JSON string has no line end
    in it. So each line end is outside of all strings, and then what stands beside it
    ends one and begins the next; and if there is nothing but a string for each, each
    is one.
    """
    listed = b'["' + b'",\n"'.join(written) + b'"]'
    try:
        texts = json.loads(listed.decode("utf-8", errors="replace"))
    except (ValueError, RecursionError):
        return None
    alone = len(texts) == len(written) and set(map(type, texts)) == {str}
    return texts if alone else None


def _document(raw: bytes) -> dict[str, Any] | None:
    """Return the document of what is one event, of no kind of its own; else None."""
    events = EventDecoder().feed(raw) if raw.startswith(b"data:") else []
    if len(events) != 1 or events[0].error is not None or events[0].event != "message":
        return None
    try:
        document = json.loads(events[0].data)
    except (ValueError, RecursionError):
        return None
    return document if isinstance(document, dict) else None


def _spans(raw: bytes, document: dict[str, Any]) -> dict[Path, Span]:
    """Return where in an event the strings and numbers of its document stand."""
    spans: dict[Path, Span] = {}
    mark = json.dumps(_MARK).encode()
    for literal in _LITERAL.finditer(raw):
        begin, end = literal.span()
        marked = _document(raw[:begin] + mark + raw[end:])
        paths = [] if marked is None or marked == document else [*_marks(marked)]
        if len(paths) == 1 and _with_mark(document, paths[0]) == marked:
            spans[paths[0]] = begin, end
    return spans


def _marks(value: object, path: Path = ()) -> Iterator[Path]:
    """Yield the ways to the marks in a value."""
    if value == _MARK:
        yield path
    items = value.items() if isinstance(value, dict) else ()
    for step, inner in enumerate(value) if isinstance(value, list) else items:
        yield from _marks(inner, (*path, step))


def _with_mark(document: dict[str, Any], path: Path) -> dict[str, Any]:
    holder: Any = (marked := deepcopy(document))
    for step in path[:-1]:
        holder = holder[step]
    holder[path[-1]] = _MARK
    return marked


def _is_in(path: Path, wholes: Sequence[Path]) -> bool:
    """Tell whether a path leads to one of some values, or into it."""
    return any(path[: len(whole)] == whole for whole in wholes)


def _varied(path: Path, literal: bytes, places: Places) -> bytes | None:
    """Return a pattern of what may stand for a literal; None if nothing else may.

    A count may be only one that its reader would take as well, as it takes the last.
    """
    if _is_in(path, places.unread):
        return _STRING if literal.startswith(b'"') else _NUMBER
    if _is_in(path, places.counts):
        return next((p for p in (_COUNT, _TIME) if re.fullmatch(p, literal)), None)
    return None


def _pattern(raw: bytes, part: Span, varied: Mapping[Span, bytes]) -> bytes:
    """Return a pattern for a part of an event that may differ in some places."""
    place, end = part
    parts = []
    for (first, last), pattern in sorted(varied.items()):
        if place <= first and last <= end:
            parts += [re.escape(raw[place:first]), pattern]
            place = last
    return b"".join([*parts, re.escape(raw[place:end])])
