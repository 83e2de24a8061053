"""What is recorded of one request, for its log line and the metrics."""

from __future__ import annotations

import secrets
import time
from contextlib import ExitStack
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, cast

from starlette.requests import Request

if TYPE_CHECKING:
    from h2o_magic.server.prompts import Prompt
    from h2o_magic.server.tgi import TokenEvent


@dataclass
class Facts:
    """Counts and names, never texts of a conversation.

    `id` is in the log and in ``X-Request-Id``. `read` and `written` are tokens so far,
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

    def note_prompt(self, prompt: Prompt) -> None:
        self.read = len(prompt.tokens)

    def note(self, event: TokenEvent) -> None:
        if event.notice is not None:
            return
        if self.first_token is None:
            self.first_token = self.seconds
        self.written += 1
        if event.details is not None:
            # The engine's own count: an event may complete more than one token.
            self.written = event.details["generated_tokens"]


def facts_of(request: Request) -> Facts:
    return cast(Facts, request.state.facts)
