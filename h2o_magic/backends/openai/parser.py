"""The chunks of a chat completion, read as the events of one answer.

Pure. The stream is that of ``POST /v1/chat/completions`` with ``"stream": true``.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator, Mapping
from typing import Any

from h2o_magic.backends.http.error_body import error_text
from h2o_magic.backends.openai.chunks import (
    DONE,
    AnswerFacts,
    error_of,
    texts_of,
    values_of,
)
from h2o_magic.backends.own_server import notices_of
from h2o_magic.backends.parser import BROKE_OFF, NO_MESSAGE, AnswerParser
from h2o_magic.backends.sse import ServerSentEvent
from h2o_magic.backends.text import GrowingText, join_surrogates
from h2o_magic.chat.events import (
    Event,
    Finished,
    FinishReason,
    ReasoningDelta,
    TextDelta,
    Usage,
)
from h2o_magic.errors import BackendError, GenerationError, IncompleteAnswerError

#: Why the answer ended, in lower case: gateways before Gemini pass its own words on.
_REASONS: Mapping[str, FinishReason] = {
    "stop": "end",
    "eos": "end",
    "eos_token": "end",  # text-generation-inference
    "end_turn": "end",  # gateways before Anthropic
    "stop_sequence": "stop_text",
    "length": "length",
    "max_tokens": "length",  # Gemini, Anthropic
    "model_length": "length",  # Mistral
}
_FILTERED = "the server's content filter ended the answer"
#: Reasons after which the text is not the answer, in words.
_NO_ANSWER = {
    "content_filter": _FILTERED,
    "safety": _FILTERED,  # Gemini
    "recitation": _FILTERED,
    "sensitive": _FILTERED,  # Zhipu
    "tool_calls": "the model asked for a tool call, and no tools are available",
    "function_call": "the model asked for a function call, and none are available",
}
#: Among them DeepSeek's and Zhipu's.
_BROKEN = frozenset(
    ("abort", "cancelled", "error", "insufficient_system_resource", "network_error")
)
_PINGS = frozenset({"ping", "heartbeat", "keepalive", "keep-alive"})
_SNIPPET = 80  # characters of what cannot be read
_NO_TEXT = (
    "the server ended its answer before the first word: perhaps the question with its "
    "history is too long for the model; shorten it, or send fewer earlier turns"
)
_CUT_FIRST = (
    "the server ended the connection before the first word of its answer: ask again; "
    "its log may say why"
)
_NO_END = (
    "the answer ended without a sign that it is complete, so its end may be missing "
    "(some servers drop it when another request comes): ask again"
)
_SERVER_BROKE_OFF = "the server broke off the answer, so its end is missing: ask again"


class OpenAIParser(AnswerParser):
    """Turns the body of one chat completion into events.

    Text counts until ``[DONE]`` or the end of the body, whatever the chunks before say
    about the end: some gateways write ``"finish_reason": "stop"`` into every chunk. So
    of these reasons the last one holds.
    """

    _expected = "an answer of an OpenAI-compatible server"

    def __init__(
        self, stop: tuple[str, ...] = (), facts: AnswerFacts | None = None
    ) -> None:
        self._reasoning = GrowingText()
        super().__init__(GrowingText(stop), self._reasoning)
        self._growing = self._answer  # that which the new pieces belong to
        self._pieces: list[str] = []
        self._facts = facts or AnswerFacts()
        self._reason: str | None = None
        self._stop_reason: object = None
        self._continued = False  # after a reason to end
        self._unread = ""  # what of the answer could not be read, in words
        self._unread_before_flush = ""

    @property
    def started(self) -> bool:
        return super().started or self._reasoning.started

    @property
    def ended(self) -> bool:
        """Whether the answer is complete; a reason before more text says nothing."""
        if self.done:
            return self.started or self._reason is not None
        return self._reason is not None and self.started and not self._continued

    def flush(self) -> Iterator[Event]:
        self._unread_before_flush = self._unread
        yield from super().flush()

    def end(self, lost: BackendError | None = None) -> Finished:
        self._refuse_foreign(lost)
        # Half an event at a cut is not an error in itself.
        unread = self._unread if lost is None else self._unread_before_flush
        if unread:
            raise IncompleteAnswerError(unread, partial=self.text) from lost
        if self.ended or (lost is None and self._reason is not None):
            return self._finished((self._reason or "").lower())
        if self.started:
            message = _NO_END if lost is None else BROKE_OFF
        else:
            message = _NO_TEXT if lost is None else _CUT_FIRST
        raise IncompleteAnswerError(message, partial=self.text) from lost

    def _finished(self, reason: str) -> Finished:
        if reason in _NO_ANSWER:
            raise GenerationError(
                _NO_ANSWER[reason], error_type=reason, partial=self.text
            )
        if reason in _BROKEN:
            raise IncompleteAnswerError(_SERVER_BROKE_OFF, partial=self.text)
        # vLLM's reason beside it is a text, or the number of a token.
        if self._answer.stopped or isinstance(self._stop_reason, str):
            return Finished(self.text, "stop_text")
        return Finished(self.text, _REASONS.get(reason, "unknown"))

    def _events(self, events: Iterable[ServerSentEvent]) -> Iterator[Event]:
        for event in events:
            if event.error is not None or event.event == "error":
                yield from self._fail(event.error or event.data)
            elif event.event not in _PINGS and not self.done:
                for value in self._values(event.data):
                    yield from self._take(value)
        yield from self._grow()

    def _document(self, document: object) -> Iterator[Event]:
        for value in document if isinstance(document, list) else [document]:
            yield from self._take(value)
        yield from self._grow()
        # It is complete without a reason.
        if document is not None and self.chunks and self._reason is None:
            self._reason = ""

    def _rest(self) -> Iterator[Event]:
        yield from self._grow()
        if rest := self._reasoning.rest():
            yield ReasoningDelta(rest)
        if rest := self._answer.rest():
            yield TextDelta(rest)
        if self._facts.usage != Usage():
            yield self._facts.usage

    def _values(self, data: str) -> Iterator[object]:
        try:
            yield from values_of(data)
        except (ValueError, RecursionError):
            size = len(self.text) + sum(map(len, self._pieces))
            start = " ".join(data.split())[:_SNIPPET]
            self._unread = self._unread or (
                f"a part of the answer, after {size} characters, cannot be read "
                f"({start!r}), so text may be missing there: ask again"
            )

    def _take(self, value: object) -> Iterator[Event]:
        if value is DONE:
            self.done = True
        if not isinstance(value, dict):
            return
        if (error := error_of(value)) is not None:
            yield from self._fail(error)
        if "h2o_magic" in value:
            yield from notices_of(value)
        choices = value.get("choices")
        if not isinstance(choices, list):
            return
        self.chunks += 1
        if (source := self._facts.source(value)) is not None:
            yield from self._grow()
            yield source
        self._facts.add_usage(value)
        for choice in choices:
            # Only one answer was asked for, which is the first.
            if isinstance(choice, dict) and not choice.get("index"):
                yield from self._choice(choice)

    def _choice(self, choice: Mapping[str, Any]) -> Iterator[Event]:
        if choice.get("error"):  # OpenRouter
            yield from self._fail(choice)
        delta = choice.get("delta")
        delta = delta if isinstance(delta, dict) else choice.get("message")
        if isinstance(delta, dict):
            reasoning, text = texts_of(delta)
            if reasoning:
                yield from self._add(self._reasoning, reasoning)
            if text:
                yield from self._add(self._answer, text)
        reason = choice.get("finish_reason")
        if isinstance(reason, str) and reason:
            self._reason, self._stop_reason = reason, choice.get("stop_reason")

    def _add(self, growing: GrowingText, piece: str) -> Iterator[Event]:
        if growing is not self._growing:
            yield from self._grow()
            self._growing = growing
        self._pieces.append(piece)
        self._continued = self._continued or self._reason is not None

    def _grow(self) -> Iterator[Event]:
        ready = self._growing.add("".join(self._pieces))
        self._pieces.clear()
        if ready:
            is_text = self._growing is self._answer
            yield TextDelta(ready) if is_text else ReasoningDelta(ready)

    def _fail(self, report: object) -> Iterator[Event]:
        yield from self._grow()
        if self.ended:
            return  # the answer is complete
        body = report if isinstance(report, str) else json.dumps(report)
        words = error_text(body.encode("utf-8", "replace")) or NO_MESSAGE
        kind = report.get("error") if isinstance(report, dict) else None
        kind = kind.get("type") or kind.get("code") if isinstance(kind, dict) else None
        yield from self._rest()
        raise GenerationError(
            join_surrogates(words),
            error_type=str(kind) if isinstance(kind, str | int) else "",
            partial=self.text,
        )
