"""What is recorded of one request, for its log line and the metrics."""

from __future__ import annotations

import re
import secrets
import time
from contextlib import ExitStack
from dataclasses import dataclass, field

from aiohttp import web

#: The counts at the end of an answer, in each of the dialects.
_READ = re.compile(rb'"(?:prompt_tokens|input_tokens)": ?(\d+)')
_CACHED = re.compile(rb'"cache_read_input_tokens": ?(\d+)')
_TIMED = re.compile(rb'"(?:cache_n|prompt_n)": ?(\d+)')
_WRITTEN = re.compile(rb'"(?:completion_tokens|output_tokens|predicted_n)": ?(\d+)')


@dataclass
class Facts:
    """Counts and names, never texts of a conversation.

    `id` is in the log and in ``X-Request-Id``. `read` and `written` are tokens,
    `first_token` the seconds to the first. `at_end` is closed when the request ends.
    """

    id: str = field(default_factory=lambda: secrets.token_hex(8))
    model: str | None = None
    read: int = 0
    written: int = 0
    first_token: float | None = None
    at_end: ExitStack = field(default_factory=ExitStack, repr=False)
    _began: float = field(default_factory=time.monotonic)

    @property
    def seconds(self) -> float:
        return time.monotonic() - self._began

    def note_first(self) -> None:
        if self.first_token is None:
            self.first_token = self.seconds

    def note_part(self, part: bytes) -> None:
        """Count the events of a stream, about one a token, for one that has no end."""
        self.note_first()
        self.written += part.count(b"data: {")

    def note_end(self, tail: bytes) -> None:
        """Take the counts from the last bytes of an answer."""
        timed = sum(map(int, _TIMED.findall(tail)))
        self.read = _last(_READ, tail) + _last(_CACHED, tail) or timed
        self.written = _last(_WRITTEN, tail) or self.written


def _last(pattern: re.Pattern[bytes], text: bytes) -> int:
    found: list[bytes] = pattern.findall(text)
    return int(found[-1]) if found else 0


_FACTS = web.RequestKey("facts", Facts)


def facts_of(request: web.BaseRequest) -> Facts:
    if _FACTS not in request:
        request[_FACTS] = Facts()
    facts: Facts = request[_FACTS]
    return facts
