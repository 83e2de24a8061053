"""The updates of a chat-ui answer, read as the events of one answer.

Pure. The updates are those of chat-ui of 2024 to 2026 (tests/recordings/chat-ui).
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from h2o_magic.backends.text import ends_in_half, join_surrogates
from h2o_magic.error_text import words_of
from h2o_magic.errors import (
    BackendError,
    GenerationError,
    RateLimitedError,
    StatusError,
)
from h2o_magic.events import (
    Event,
    Finished,
    ReasoningDelta,
    Replaced,
    Source,
    TextDelta,
)

__all__ = ["Interpreter"]

# What comes while the answer does not get on.
_IDLE = ("status", "title", "routerMetadata")
_PADDING = "\0"


class Interpreter:
    """Turn the updates of one answer into its events.

    Blanks at the end of what came are shown when more text has come: the server cuts
    them off the answer of record, so nothing shown has to be taken back for them.
    """

    def __init__(self) -> None:
        self._shown: list[str] = []
        self._held = ""
        self._ran_tools = False
        self._finished: Finished | None = None
        #: True once something was an update of chat-ui.
        self.understood = False
        #: How many updates have brought the answer on: keep-alives are none.
        self.progress = 0

    @property
    def text(self) -> str:
        """The answer's text so far; that of record once it has come."""
        return self._finished.text if self._finished else "".join(self._shown)

    @property
    def finished(self) -> Finished | None:
        """The end of the answer, once the final update has come."""
        return self._finished

    @property
    def said_end(self) -> bool:
        """True once the final update has come."""
        return self._finished is not None

    def feed(self, update: Mapping[str, Any]) -> list[Event]:
        """Take one update and return what it means; unknown ones mean nothing.

        Raises
        ------
        GenerationError
            If it reports an error; the text so far is in ``partial``.
        StatusError
            If that error is a refusal of the server's own model provider: 401, 403, or
            429 as :class:`~h2o_magic.errors.RateLimitedError`.
        """
        kind = update.get("type")
        self._refuse(kind, update)
        self.understood = self.understood or isinstance(kind, str)
        self.progress += isinstance(kind, str) and kind not in _IDLE
        if self.said_end:
            return []
        self._ran_tools = self._ran_tools or kind == "tool"
        match kind:
            case "stream":
                return self._stream(_text(update, "token"))
            case "reasoning" if update.get("subtype") == "stream":
                thought = join_surrogates(_text(update, "token").rstrip(_PADDING))
                return [ReasoningDelta(thought)] if thought else []
            case "routerMetadata" if model := _text(update, "model"):
                return [Source(model)]
            case "finalAnswer" if isinstance(update.get("text"), str):
                return self._final(update["text"], update.get("interrupted") is True)
        return []

    def _refuse(self, kind: object, update: Mapping[str, Any]) -> None:
        """Raise the error that an update reports, if it does."""
        if kind == "status" and update.get("status") == "error":
            raise self._failure(_text(update, "message"), update.get("statusCode"))
        if kind is None and words_of(update):  # what stands before the server says it
            raise self._failure(words_of(update), None)

    def _stream(self, token: str) -> list[Event]:
        text = self._held + token.rstrip(_PADDING)
        ready = text[:-1] if ends_in_half(text) else text
        ready = ready.rstrip()
        self._held = text[len(ready) :]
        if not ready:
            return []
        ready = join_surrogates(ready)
        self._shown.append(ready)
        return [TextDelta(ready)]

    def _final(self, text: str, interrupted: bool) -> list[Event]:
        shown = "".join(self._shown)
        record = join_surrogates(text)
        if self._ran_tools:
            record = _merged(shown, record)
        self._finished = Finished(record, "stopped" if interrupted else "end")
        if not record.startswith(shown):
            return [Replaced(record)]
        return [TextDelta(record[len(shown) :])] if len(record) > len(shown) else []

    def _failure(self, words: str, status: object) -> BackendError:
        told = join_surrogates(words) or "the server reported an error without words"
        text = self.text
        if status == 429:
            refused: StatusError = RateLimitedError(
                f"{told}: the model behind this chat-ui is overloaded; ask it later",
                server_message=told,
            )
            refused.partial = text
            return refused
        if status in (401, 403):
            return StatusError(
                f"{told}: the model behind this chat-ui refuses the server's key; "
                "whoever runs the server must mend that",
                status=int(str(status)),
                server_message=told,
                partial=text,
            )
        if isinstance(status, int) and str(status) not in told:
            told = f"{told} (status {status})"
        return GenerationError(told, partial=text)


def _merged(shown: str, final: str) -> str:
    """Return the whole answer, of which a run with tools repeats the end only.

    As chat-ui's own page does it: the final text of such a run may be all of the
    answer, or what came after the last tool.
    """
    if not final.strip() or shown.rstrip().endswith(final.strip()):
        return shown
    if not shown or final.lstrip().startswith(shown.strip()):
        return final
    return f"{shown}\n\n{final.lstrip()}"


def _text(update: Mapping[str, Any], name: str) -> str:
    value = update.get(name)
    return value if isinstance(value, str) else ""
