"""The chunks of a chat completion, read as the events of one answer.

Pure. The stream is that of ``POST /v1/chat/completions`` with ``"stream": true``.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator, Mapping
from typing import Any

from h2o_magic.backends.http.error_body import error_text
from h2o_magic.backends.openai.chunks import DONE, report_of, texts_of, values_of
from h2o_magic.backends.openai.usage import AnswerFacts
from h2o_magic.backends.own_server import notices_of
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
from h2o_magic.errors import GenerationError, IncompleteAnswerError

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
#: Ends after which the text is not the answer, in words.
_NO_ANSWER = {
    "content_filter": _FILTERED,
    "safety": _FILTERED,  # Gemini
    "recitation": _FILTERED,
    "sensitive": _FILTERED,  # Zhipu
    "tool_calls": "the model asked for a tool to be called, and there is none here",
    "function_call": "the model asked for a function to be called, and there is none",
}
_BROKEN = frozenset(
    {
        "abort",
        "cancelled",
        "error",
        "insufficient_system_resource",  # DeepSeek
        "network_error",  # Zhipu
    }
)
_PINGS = frozenset({"ping", "heartbeat", "keepalive", "keep-alive"})
_WORDLESS = "the server reported an error without words"
_SNIPPET = 80  # characters of what cannot be read


class Interpreter:
    """Turn server-sent events into the events of one answer.

    Text counts until ``[DONE]`` or the end of the body, whatever the chunks before say
    about the end: some gateways write ``"finish_reason": "stop"`` into every chunk. So
    of these reasons the last one holds.
    """

    def __init__(self, *, stop: tuple[str, ...] = (), schema: bool = False) -> None:
        self._text = GrowingText(stop)
        self._reasoning = GrowingText()
        self._growing = self._text  # that which the new pieces belong to
        self._pieces: list[str] = []
        self._facts = AnswerFacts(schema=schema)
        self._reason: str | None = None
        self._stop_reason: object = None
        self._went_on = False
        #: How many chunks of a chat completion came.
        self.chunks = 0
        #: True once the server said that nothing more comes.
        self.said_done = False
        #: What of the answer could not be read, in words; empty if all of it could.
        self.unread = ""

    @property
    def text(self) -> str:
        """The answer's text so far."""
        return self._text.shown

    @property
    def spoke(self) -> bool:
        """True once text of the answer or of the reasoning came."""
        return self._text.begun or self._reasoning.begun

    @property
    def said_end(self) -> bool:
        """True once the server said that the answer has ended.

        A reason before the first text, or before more text, is no such word.
        """
        if self.said_done:
            return self.spoke or self._reason is not None
        return self._reason is not None and self.spoke and not self._went_on

    def finished(self, *, cut: bool = False) -> Finished | None:
        """Return the end of a body, or of one that was cut; None if it is not known.

        Raise a BackendError if the server said that it is no end of an answer.
        """
        reason = (self._reason or "").lower()
        if not self.said_end and (cut or self._reason is None):
            return None
        if reason in _NO_ANSWER:
            raise GenerationError(
                _NO_ANSWER[reason], error_type=reason, partial=self.text
            )
        if reason in _BROKEN:
            raise IncompleteAnswerError(
                "the server broke the answer off, so its end is missing: ask again",
                partial=self.text,
            )
        # vLLM's reason beside it is a text, or the number of a token.
        if self._text.stopped or isinstance(self._stop_reason, str):
            return Finished(self.text, "stop_text")
        return Finished(self.text, _REASONS.get(reason, "unknown"))

    def feed(self, events: Iterable[ServerSentEvent]) -> Iterator[Event]:
        """Take events that came together; yield what they mean, their texts as one.

        Raise a GenerationError if one reports an error, after the text held back.
        """
        for event in events:
            if event.error is not None or event.event == "error":
                yield from self._fail(event.error or event.data)
            elif event.event not in _PINGS and not self.said_done:
                for value in self._values(event.data):
                    yield from self._take(value)
        yield from self._grown()

    def take_whole(self, document: object) -> Iterator[Event]:
        """Take the answer of a server that did not stream; None where it did.

        It needs no word that it has ended.
        """
        for value in document if isinstance(document, list) else [document]:
            yield from self._take(value)
        yield from self._grown()
        if document is not None and self.chunks and self._reason is None:
            self._reason = ""

    def rest(self) -> Iterator[Event]:
        """Yield what was held back, and the counts; nothing more comes."""
        yield from self._grown()
        if rest := self._reasoning.rest():
            yield ReasoningDelta(rest)
        if rest := self._text.rest():
            yield TextDelta(rest)
        if self._facts.usage != Usage():
            yield self._facts.usage

    def _values(self, data: str) -> Iterator[object]:
        """Yield what an event says; note one that cannot be read."""
        try:
            yield from values_of(data)
        except (ValueError, RecursionError):
            size = len(self.text) + sum(map(len, self._pieces))
            start = " ".join(data.split())[:_SNIPPET]
            self.unread = self.unread or (
                f"a part of the answer, after {size} characters, cannot be read "
                f"({start!r}), so text may be missing there: ask again"
            )

    def _take(self, value: object) -> Iterator[Event]:
        if value is DONE:
            self.said_done = True
        if not isinstance(value, dict):
            return
        if (report := report_of(value)) is not None:
            yield from self._fail(report)
        if "h2o_magic" in value:
            yield from notices_of(value)
        choices = value.get("choices")
        if not isinstance(choices, list):
            return
        self.chunks += 1
        if (source := self._facts.source(value)) is not None:
            yield from self._grown()
            yield source
        self._facts.note_usage(value)
        for choice in choices:
            # Others than the first were not asked for; one answer is enough.
            if isinstance(choice, dict) and not choice.get("index"):
                yield from self._choice(choice)

    def _choice(self, choice: Mapping[str, Any]) -> Iterator[Event]:
        if choice.get("error"):  # OpenRouter
            yield from self._fail(choice)
        delta = choice.get("delta")
        delta = delta if isinstance(delta, dict) else choice.get("message")
        if isinstance(delta, dict):
            thought, text = texts_of(delta)
            if thought:
                yield from self._grow(self._reasoning, thought)
            if text:
                yield from self._grow(self._text, text)
        reason = choice.get("finish_reason")
        if isinstance(reason, str) and reason:
            self._reason, self._stop_reason = reason, choice.get("stop_reason")

    def _grow(self, growing: GrowingText, piece: str) -> Iterator[Event]:
        if growing is not self._growing:
            yield from self._grown()
            self._growing = growing
        self._pieces.append(piece)
        self._went_on = self._went_on or self._reason is not None

    def _grown(self) -> Iterator[Event]:
        """Yield what can be shown of the pieces that came since the last time."""
        ready = self._growing.add("".join(self._pieces))
        self._pieces.clear()
        if ready:
            is_text = self._growing is self._text
            yield TextDelta(ready) if is_text else ReasoningDelta(ready)

    def _fail(self, report: object) -> Iterator[Event]:
        yield from self._grown()
        if self.said_end:
            return  # the answer is whole
        body = report if isinstance(report, str) else json.dumps(report)
        words = error_text(body.encode("utf-8", "replace")) or _WORDLESS
        kind = report.get("error") if isinstance(report, dict) else None
        kind = kind.get("type") or kind.get("code") if isinstance(kind, dict) else None
        yield from self.rest()
        raise GenerationError(
            join_surrogates(words),
            error_type=str(kind) if isinstance(kind, str | int) else "",
            partial=self.text,
        )
