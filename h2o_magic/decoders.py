"""Bytes to lines, lines to server-sent events.

Pure and incremental: bytes go in as they come from the network, cut anywhere, and the
same values come out for every cut. Nothing here knows what they mean.

The rules for events are those of the server-sent events standard
(https://html.spec.whatwg.org/multipage/server-sent-events.html), and, where real
servers leave it, those of the servers; each departure is marked by a comment.
"""

from __future__ import annotations

import re
from typing import NamedTuple

__all__ = ["EventDecoder", "LineDecoder", "ServerSentEvent"]

_BOM = b"\xef\xbb\xbf"
# Only these three end a line. str.splitlines() knows many more, and they are legal
# inside the JSON strings that travel in the lines.
_LINE_END = re.compile(rb"\r\n|\n|\r")


class ServerSentEvent(NamedTuple):
    """One server-sent event.

    Attributes
    ----------
    lines : tuple of str
        The values of its ``data`` fields, in order.
    event : str
        Its type; ``"message"`` where the server gives none.
    error : str or None
        The value of a field named ``error``, which is not in the standard; some
        versions of llama.cpp report failures so.
    comment : bool
        True for a comment that holds a JSON object: it is no event, and only a server
        of this package says something in it.
    """

    lines: tuple[str, ...] = ()
    event: str = "message"
    error: str | None = None
    comment: bool = False

    @property
    def data(self) -> str:
        r"""The event's text: its data lines joined by ``\n``."""
        return "\n".join(self.lines)


class LineDecoder:
    r"""Split bytes into lines that end with ``\n``, ``\r\n`` or ``\r``.

    Lines come without their end. A line end cut in two does not make an empty line,
    one leading byte order mark is dropped, and a line may be of any length: the cost
    grows with the bytes, however they are cut.
    """

    def __init__(self) -> None:
        self._pending = bytearray()
        self._first = True
        self._ended_with_cr = False

    @property
    def between_lines(self) -> bool:
        """True if no part of a line has come, and none of a line end is left."""
        return not self._pending and not self._ended_with_cr

    def feed(self, data: bytes) -> list[bytes]:
        """Take the next bytes and return the lines they complete."""
        if self._ended_with_cr and data:
            data = data.removeprefix(b"\n")
            self._ended_with_cr = False
        if not data:
            return []
        self._ended_with_cr = data.endswith(b"\r")
        lines = _LINE_END.split(data) if b"\r" in data else data.split(b"\n")
        self._pending += lines[0]
        if len(lines) == 1:
            return []
        lines[0] = self._take()
        self._pending += lines.pop()
        return lines

    def flush(self) -> list[bytes]:
        """Return the last line, if the bytes ended without a line end."""
        line = self._take()
        return [line] if line else []

    def _take(self) -> bytes:
        line = bytes(self._pending)
        self._pending.clear()
        if self._first:
            self._first = False
            line = line.removeprefix(_BOM)
        return line


class EventDecoder:
    """Make server-sent events of bytes.

    Text is UTF-8, whatever the server calls it; bytes that are not are replaced.
    Comments without a JSON object, empty events and the fields ``id`` and ``retry`` are
    dropped.
    """

    def __init__(self) -> None:
        self._lines = LineDecoder()
        self._data: list[str] = []
        self._event = ""
        self._error: str | None = None

    @property
    def between_events(self) -> bool:
        """True if no part of an event has come."""
        begun = self._data or self._event or self._error is not None
        return self._lines.between_lines and not begun

    def feed(self, data: bytes) -> list[ServerSentEvent]:
        """Take the next bytes and return the events they complete."""
        return self._read(self._lines.feed(data))

    def flush(self) -> list[ServerSentEvent]:
        """Return what the end of the bytes completes.

        The standard throws an event away that no blank line ends. Servers are seen to
        leave out the last blank line, so it is returned here.
        """
        return self._read([*self._lines.flush(), b""])

    def _read(self, lines: list[bytes]) -> list[ServerSentEvent]:
        events: list[ServerSentEvent] = []
        for raw in lines:
            if not raw:
                self._dispatch(events)
                continue
            name, _, value = raw.decode("utf-8", errors="replace").partition(":")
            value = value.removeprefix(" ")
            if name == "data":
                if self._data and self._starts_next(value):
                    self._dispatch(events)
                self._data.append(value)
            elif not name and value.startswith("{"):
                events.append(ServerSentEvent((value,), comment=True))
            elif name == "event":
                self._event = value
            elif name == "error":
                self._error = value
        return events

    def _starts_next(self, value: str) -> bool:
        # Some servers leave out the blank line between events (llama.cpp issue
        # 14268). No JSON text has these two brackets next to each other without a
        # comma, so here one JSON text ends and another begins.
        previous = self._data[-1].rstrip()
        return previous.endswith(("}", "]")) and value.lstrip().startswith(("{", "["))

    def _dispatch(self, events: list[ServerSentEvent]) -> None:
        """Add the event that has ended, if it says something."""
        lines, kind, error = tuple(self._data), self._event, self._error
        self._data, self._event, self._error = [], "", None
        if len(lines) > 1 or any(lines) or error is not None or kind == "error":
            events.append(ServerSentEvent(lines, kind or "message", error))
