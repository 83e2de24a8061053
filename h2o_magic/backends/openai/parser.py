"""The chunks of a chat completion, read as the events of one answer.

Pure. The stream is that of ``POST /v1/chat/completions`` with ``"stream": true``.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from typing import Any

from h2o_magic.backends.http.error_body import error_text
from h2o_magic.backends.openai.chunks import (
    AnswerFacts,
    chunk_of,
    has_other_text,
    has_strange_content,
    text_of,
    texts_of,
)
from h2o_magic.backends.openai.endings import failure, reason_of, without_end
from h2o_magic.backends.openai.error_reports import error_of, kind_of
from h2o_magic.backends.openai.increments import Increments
from h2o_magic.backends.own_server import notices_of
from h2o_magic.backends.parser import NO_MESSAGE, AnswerParser
from h2o_magic.backends.text import GrowingText, join_surrogates
from h2o_magic.backends.values import DONE, LAST
from h2o_magic.chat.events import Event, Finished, ReasoningDelta, TextDelta, Usage
from h2o_magic.errors import BackendError, GenerationError, IncompleteAnswerError


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
        self._others: list[Mapping[str, Any]] = []  # choices that are not the first
        self._reason: object = None  # empty where an end was not explained
        self._stop_reason: object = None
        self._continued = False  # after a reason to end
        self._counted = False  # whether all is counted, and nothing came since
        self._called = False  # whether the model asked for a tool
        self._streams = False  # whether deltas came, and so a message repeats them
        self._kind: object = None  # of the document that is read
        self._thoughts, self._words = Increments(), Increments()

    @property
    def started(self) -> bool:
        return super().started or self._reasoning.started

    @property
    def ended(self) -> bool:
        """Whether the answer is complete; a reason before more text says nothing."""
        if self.done:
            return self.started or self._reason is not None
        return self._reason is not None and self.started and not self._continued

    def end(self, lost: BackendError | None = None) -> Finished:
        self._refuse_foreign(lost)
        self._refuse_unread(lost)
        said_end = self._reason is not None or (self._counted and self.started)
        if self.ended or (lost is None and said_end):
            if error := failure(self._reason, self.text, called=self._called):
                raise error
            stopped = "" if self._answer.stopped else self._stop_reason
            return Finished(self.text, reason_of(self._reason, stopped))
        message = without_end(started=self.started, lost=lost is not None)
        raise IncompleteAnswerError(message, partial=self.text) from lost

    def _size(self) -> int:
        return len(self.text) + sum(map(len, self._pieces))

    def _rest(self) -> Iterator[Event]:
        yield from self._grow()
        others, self._others = self._others, []
        if not self._answer.started:  # some count from one, or blocks of an answer
            for choice in others:
                if choice["index"] == others[0]["index"]:
                    yield from self._choice({**choice, "index": 0})
        yield from self._rest_of_text()
        if rest := self._reasoning.rest():
            yield ReasoningDelta(rest)
        if rest := self._answer.rest():
            yield TextDelta(rest)
        if self._facts.usage != Usage():
            yield self._facts.usage

    def _take(self, value: object) -> Iterator[Event]:
        if value is DONE:
            self.done = True
        elif value is LAST:
            self._reason = self._reason or ""
        if not isinstance(value, dict):
            return
        if "h2o_magic" in value:
            yield from notices_of(value)
        chunk = chunk_of(value)
        if (error := error_of(chunk)) is not None:
            yield from self._fail(error)
        choices = chunk.get("choices")
        if not isinstance(choices, list):
            if has_other_text(chunk) or isinstance(choices, dict):
                self._note_unread(json.dumps(chunk))
            return
        self.chunks += 1
        if (source := self._facts.source(chunk)) is not None:
            yield from self._grow()
            yield source
        counts = self._facts.add_usage(chunk)
        self._kind = chunk.get("object")
        for choice in choices:
            if isinstance(choice, dict):
                yield from self._choice(choice)
            elif text_of(choice):
                self._note_unread(json.dumps(chunk))
        if not choices:
            self._counted = self._counted or counts

    def _choice(self, choice: Mapping[str, Any]) -> Iterator[Event]:
        if str(choice.get("index") or 0) != "0":
            if not self._answer.started:
                self._others.append(choice)
            return
        if choice.get("error"):  # OpenRouter
            yield from self._fail(choice)
        delta, message = choice.get("delta"), choice.get("message")
        if isinstance(delta, dict):
            self._streams = True
            reasoning, text = self._said(delta)
        elif isinstance(message, dict):
            reasoning, text = self._said(message)
            if self._streams:  # all of it, which came in pieces before
                yield from self._rest_of_text()
                reasoning = self._reasoning.beyond(reasoning)
                text = self._answer.beyond(text)
        else:
            texts = (delta, message, choice.get("text"), choice.get("content"))
            reasoning, text = "", "".join(map(text_of, texts))
        if reasoning and (added := self._thoughts.added(reasoning)):
            yield from self._add(self._reasoning, added)
        if text and (added := self._words.added(text)):
            yield from self._add(self._answer, added)
        if reason := choice.get("finish_reason"):
            self._reason = reason
            self._stop_reason = choice.get("stop_reason") or choice.get("matched_stop")
        elif message and not (delta or str(self._kind).endswith("chunk")):
            self._reason = self._reason or ""  # it is complete without a reason

    def _said(self, said: Mapping[str, Any]) -> tuple[str, str]:
        reasoning, text = texts_of(said)
        if not text:
            if has_strange_content(said):
                self._note_unread(json.dumps(said))
            called = said.get("tool_calls") or said.get("function_call")
            self._called = self._called or bool(called)
        return reasoning, text

    def _rest_of_text(self) -> Iterator[Event]:
        if held := self._thoughts.rest():
            yield from self._add(self._reasoning, held)
        if held := self._words.rest():
            yield from self._add(self._answer, held)
        yield from self._grow()

    def _add(self, growing: GrowingText, piece: str) -> Iterator[Event]:
        if growing is not self._growing:
            yield from self._grow()
            self._growing = growing
        self._pieces.append(piece)
        self._continued = self._continued or self._reason is not None
        self._counted = False

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
        yield from self._rest()
        raise GenerationError(
            join_surrogates(words), error_type=kind_of(report), partial=self.text
        )
