"""The body of an answer in server-sent events, whatever kind of body really comes.

Pure and incremental: bytes go in as they come from the network, cut anywhere, and the
same events come out for every cut. A dialect's parser reads what they mean.

The rules are those of the standard
(https://html.spec.whatwg.org/multipage/server-sent-events.html), and, where real
servers leave it, those of the servers; each departure is marked by a comment.
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from typing import NamedTuple

from h2o_magic.backends.http.error_body import error_text, html_title
from h2o_magic.errors import ProtocolError

_BOM = b"\xef\xbb\xbf"
_COMMENTS = re.compile(rb"(?m)^:.*$")
_FIELD = re.compile(r"[\w-]+")
#: A comment in which a server of this package says what it does.
_OWN_COMMENT = '{"h2o_magic"'
_SNIPPET = 200  # bytes of an unusable answer that its error shows
_LONGEST_DOCUMENT = 16 * 2**20  # bytes


class ServerSentEvent(NamedTuple):
    """One server-sent event."""

    data: str = ""
    event: str = "message"
    #: A field that is not in the standard; old versions of llama.cpp report so.
    error: str | None = None
    #: Whether bytes of it are not UTF-8, so that some of its text is lost.
    damaged: bool = False


class LineDecoder:
    r"""Split bytes into lines that end with ``\n``, ``\r\n`` or ``\r``."""

    def __init__(self) -> None:
        self._pending = bytearray()
        self._first = True
        self._ended_with_cr = False

    def feed(self, data: bytes) -> list[bytes]:
        if self._ended_with_cr and data:
            data = data.removeprefix(b"\n")
            self._ended_with_cr = False
        if not data:
            return []
        self._ended_with_cr = data.endswith(b"\r")
        # Of bytes, unlike of text, it splits at these three ends alone.
        lines = data.splitlines()
        if data.endswith((b"\r", b"\n")):
            lines.append(b"")
        self._pending += lines[0]
        if len(lines) == 1:
            return []
        lines[0] = self._take()
        self._pending += lines.pop()
        return lines

    def flush(self) -> list[bytes]:
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
    """Make server-sent events of bytes: UTF-8, whatever the server calls it."""

    def __init__(self) -> None:
        self._lines = LineDecoder()
        self._data: list[str] = []
        self._event = ""
        self._error: str | None = None
        self._damaged = False

    def feed(self, data: bytes) -> list[ServerSentEvent]:
        return self._read(self._lines.feed(data))

    def flush(self) -> list[ServerSentEvent]:
        """Return the last event: servers are seen to omit the blank line after it."""
        return self._read([*self._lines.flush(), b""])

    def _read(self, lines: Iterable[bytes]) -> list[ServerSentEvent]:
        events: list[ServerSentEvent] = []
        for raw in lines:
            if not raw:
                self._dispatch(events)
                continue
            try:
                line = raw.decode()
            except UnicodeDecodeError:
                line = raw.decode(errors="replace")
                self._damaged = self._damaged or raw[:1] != b":"
            name, _, value = line.partition(":")
            name, value = name.lower(), value.removeprefix(" ")
            if name == "data":
                self._add(value, events)
            elif not name:
                if value.startswith(_OWN_COMMENT):
                    events.append(ServerSentEvent(value))
            elif name == "event":
                self._event = value.strip().lower()
            elif name == "error":
                self._error = value
            elif not _FIELD.fullmatch(name):
                self._add(line, events)  # a proxy's error, or the rest of a cut line
        return events

    def _add(self, value: str, events: list[ServerSentEvent]) -> None:
        # Some servers omit the blank line between events (llama.cpp issue 14268). No
        # JSON text has these two brackets next to each other without a comma, so here
        # one JSON text ends and another begins.
        if (
            self._data
            and self._data[-1].rstrip().endswith(("}", "]"))
            and value.lstrip().startswith(("{", "["))
        ):
            self._dispatch(events)
        self._data.append(value)

    def _dispatch(self, events: list[ServerSentEvent]) -> None:
        data, kind, error = "\n".join(self._data), self._event, self._error
        if data or error is not None or kind:
            kind = kind or "message"
            events.append(ServerSentEvent(data, kind, error, self._damaged))
        self._data, self._event, self._error, self._damaged = [], "", None, False


class EventBody:
    """A body as it comes; its first byte, not the content type, says of which kind."""

    def __init__(self) -> None:
        self._decoder = EventDecoder()
        self._body = bytearray()  # all of a document; the beginning of a stream
        self._first = b""

    @property
    def is_page(self) -> bool:
        return self._first == b"<"

    @property
    def has_content(self) -> bool:
        return bool(_COMMENTS.sub(b"", self._body).strip())

    def feed(self, data: bytes) -> list[ServerSentEvent]:
        if not self._first:
            data = bytes(self._body + data)
            if _BOM.startswith(data):
                self._body[:] = data  # nothing yet, or a part of the byte order mark
                return []
            self._body.clear()
            data = data.removeprefix(_BOM).lstrip()
            self._first = data[:1]
        if self._first not in (b"", b"<", b"{", b"["):
            self._body += data[: max(0, _SNIPPET - len(self._body))]
            return self._decoder.feed(data)
        self._body += data
        if len(self._body) > _LONGEST_DOCUMENT:
            raise ProtocolError("the answer is a document of more than 16 MiB")
        return []

    def flush(self) -> list[ServerSentEvent]:
        if self._first not in (b"{", b"["):
            return self._decoder.flush()
        document = self._body.decode(errors="replace")
        damaged = document.encode() != self._body
        return [ServerSentEvent(document, damaged=damaged)]

    def complaint(self, expected: str) -> str:
        """Return what is wrong with a body that is not the `expected` answer."""
        start = bytes(self._body).lstrip()
        if self.is_page:
            title = html_title(start.decode("utf-8", errors="replace"))
            return (
                f"expected an answer, got a web page titled {title!r}: check the "
                "server's address, and whether it asks for a login"
            )
        snippet = error_text(start[:_SNIPPET], limit=_SNIPPET)
        return f"expected {expected}, got {snippet!r}: check the server's address"
