"""The chunks of a chat completion, read as the events of one answer.

Pure. The stream is that of ``POST /v1/chat/completions`` with ``"stream": true``, as
seven servers write it (tests/recordings/openai), and as others are documented to.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator, Mapping
from typing import Any, ClassVar

from h2o_magic.backends.event_frame import Places
from h2o_magic.backends.openai.facts import AnswerFacts
from h2o_magic.backends.openai.text import GrowingText
from h2o_magic.backends.surrogates import join_surrogates
from h2o_magic.decoders import ServerSentEvent
from h2o_magic.error_text import error_text
from h2o_magic.errors import BackendError, GenerationError, IncompleteAnswerError
from h2o_magic.events import (
    Event,
    Finished,
    FinishReason,
    ReasoningDelta,
    TextDelta,
    Usage,
)

__all__ = ["Interpreter"]

_REASONS: Mapping[str, FinishReason] = {
    "stop": "end",
    "eos": "end",
    "eos_token": "end",  # text-generation-inference
    "stop_sequence": "stop_text",
    "length": "length",
}
#: Ends after which the text is not the answer, in words.
_NO_ANSWER = {
    "content_filter": "the server's content filter ended the answer",
    "tool_calls": "the model asked for a tool to be called, and there is none here",
    "function_call": "the model asked for a function to be called, and there is none",
}
_BROKEN = frozenset({"abort", "cancelled", "error"})
#: DeepSeek, llama.cpp and older vLLM; Ollama, LM Studio and newer vLLM.
_REASONING = ("reasoning_content", "reasoning")
#: What chunks say anew each time: what nobody reads, and counts, which are noted.
_UNREAD = ("created", "id", "obfuscation", "system_fingerprint")
_COUNTS = ("timings", "usage")
_VARIED = {*_UNREAD, *_COUNTS}
_WORDLESS = "the server reported an error without words"


class Interpreter:
    """Turn server-sent events into the events of one answer.

    Parameters
    ----------
    stop
        The stop texts of the request.
    schema
        True if the server holds the answer to the schema of the request.
    """

    places: ClassVar[Places] = Places(
        ("choices", 0, "delta", "content"),
        unread=tuple((name,) for name in _UNREAD),
        counts=tuple((name,) for name in _COUNTS),
    )

    def __init__(self, *, stop: tuple[str, ...] = (), schema: bool = False) -> None:
        self._text = GrowingText(stop)
        self._reasoning = GrowingText()
        self._facts = AnswerFacts(schema=schema)
        self._reason: FinishReason | None = None
        self._broken: BackendError | None = None
        self._last: dict[str, Any] | None = None  # the last chunk, without its text
        #: How many chunks of a chat completion came.
        self.chunks = 0
        #: True once the server said that nothing more comes.
        self.said_done = False

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
        """True once the server said why the answer ended."""
        return self._reason is not None or self._broken is not None

    def finished(self) -> Finished | None:
        """Return the end of the answer; None if the server never said it.

        Raises
        ------
        BackendError
            If it ended in a way that leaves it without an end.
        """
        if self._broken is not None:
            self._broken.partial = self.text
            raise self._broken
        return None if self._reason is None else Finished(self.text, self._reason)

    def feed(self, events: Iterable[ServerSentEvent]) -> Iterator[Event]:
        """Take events that came together and yield what they mean.

        Most chunks are like the one before in all but their text and counts. What else
        they say is known then, and the texts of neighbouring ones are yielded as one.

        Raises
        ------
        GenerationError
            If one reports an error, after the text that was held back; the text so far
            is in ``partial``.
        """
        texts: list[str] = []
        for event in events:
            document = self._document(event)
            text = self._text_alone(document)
            if text is not None:
                texts.append(text)
                continue
            if texts:
                yield from self._grow(texts)
            if event.error is not None or event.event == "error":
                yield from self._fail(event.error or event.data)
            yield from self._take(document)
        yield from self._grow(texts)

    def _document(self, event: ServerSentEvent) -> object:
        if event.error is not None or event.event == "error":
            self._last = None
        try:
            return json.loads(event.data)
        except (ValueError, RecursionError):  # a proxy's words, an event cut off
            self.said_done = self.said_done or event.data.strip() == "[DONE]"
            return None

    def _text_alone(self, document: object, *, noted: bool = True) -> str | None:
        """Return the text of a chunk that is otherwise like the last; else None.

        Its counts may differ, and are noted unless it is only looked at.
        """
        if self._last is None or not isinstance(document, dict):
            return None
        try:
            delta = document["choices"][0]["delta"]
            text, delta["content"] = delta["content"], ""
        except (LookupError, TypeError):
            return None
        if isinstance(text, str):
            if document == self._last:
                return text
            if _is_like(document, self._last):
                if noted:
                    self._facts.note_usage(document)
                    self._last = document  # the same counts again say nothing new
                return text
        delta["content"] = text
        return None

    def is_text_alone(self, document: dict[str, Any]) -> bool:
        """Tell whether a chunk, if it came now, would be like the last but its text."""
        text = self._text_alone(document, noted=False)
        if text is None:
            return False
        document["choices"][0]["delta"]["content"] = text
        return True

    def take_texts(self, texts: list[str]) -> Iterator[Event]:
        """Take the texts of such chunks and yield what they mean, as :meth:`feed`."""
        yield from self._grow(texts)

    def _grow(self, texts: list[str]) -> Iterator[Event]:
        self.chunks += len(texts)
        if ready := self._text.add("".join(texts)):
            yield TextDelta(ready)
        texts.clear()

    def take_whole(self, document: object) -> Iterator[Event]:
        """Take the answer of a server that did not stream; None where it did.

        It needs no word that it has ended.

        Raises
        ------
        GenerationError
            If it reports an error.
        """
        yield from self._take(document, whole=True)

    def _take(self, document: object, *, whole: bool = False) -> Iterator[Event]:
        if not isinstance(document, dict):
            return
        if (report := _report(document)) is not None:
            yield from self._fail(report)
        if not isinstance(document.get("choices"), list):
            return
        self.chunks += 1
        if (source := self._facts.source(document)) is not None:
            yield source
        self._facts.note_usage(document)
        for choice in document["choices"]:
            # Others than the first were not asked for; one answer is enough.
            if isinstance(choice, dict) and not choice.get("index"):
                yield from self._choice(choice, whole)
        self._last = None if self.said_end else _without_text(document)

    def rest(self) -> Iterator[Event]:
        """Yield what was held back, and the counts; nothing more comes."""
        if rest := self._reasoning.rest():
            yield ReasoningDelta(rest)
        if rest := self._text.rest():
            yield TextDelta(rest)
        if self._facts.usage != Usage():
            yield self._facts.usage

    def _choice(self, choice: Mapping[str, Any], whole: bool) -> Iterator[Event]:
        if self.said_end:
            return
        delta = choice.get("delta")
        delta = delta if isinstance(delta, dict) else choice.get("message")
        if isinstance(delta, dict):
            thought = next(filter(None, map(_text, map(delta.get, _REASONING))), "")
            if ready := self._reasoning.add(thought):
                yield ReasoningDelta(ready)
            content = _text(delta.get("content")) or _text(delta.get("refusal"))
            if ready := self._text.add(content):
                yield TextDelta(ready)
        reason = choice.get("finish_reason")
        if (isinstance(reason, str) and reason) or whole:
            self._end(str(reason), choice.get("stop_reason"))

    def _end(self, reason: str, stop_reason: object) -> None:
        if reason in _NO_ANSWER:
            self._broken = GenerationError(_NO_ANSWER[reason], error_type=reason)
        elif reason in _BROKEN:
            self._broken = IncompleteAnswerError(
                "the server broke the answer off, so its end is missing: ask again"
            )
        elif self._text.stopped or isinstance(stop_reason, str):  # vLLM's is a text
            self._reason = "stop_text"
        else:
            self._reason = _REASONS.get(reason, "unknown")

    def _fail(self, report: object) -> Iterator[Event]:
        if self.said_end:
            return  # the answer is whole
        body = report if isinstance(report, str) else json.dumps(report)
        words = error_text(body.encode("utf-8", "replace")) or _WORDLESS
        kind = report.get("error") if isinstance(report, dict) else None
        kind = kind.get("type") or kind.get("code") if isinstance(kind, dict) else None
        yield from self.rest()
        raise GenerationError(
            join_surrogates(words),
            error_type=kind if isinstance(kind, str) else "",
            partial=self.text,
        )


def _report(document: Mapping[str, Any]) -> Mapping[str, Any] | None:
    """Return the error that a document reports, in the shape of an error answer."""
    if document.get("error_code"):  # FastChat's worker
        return {"error": document.get("text")}
    told = document.get("error") or document.get("object") == "error"
    whole_answer = "choices" in document or not document.get("detail")
    return document if told or not whole_answer else None


def _without_text(chunk: dict[str, Any]) -> dict[str, Any] | None:
    """Return a chunk without its text, if it says nothing else that could recur."""
    choices = chunk["choices"]
    if len(choices) != 1 or not isinstance(choices[0], dict) or choices[0].get("index"):
        return None
    delta = choices[0].get("delta")
    if not isinstance(delta, dict) or not isinstance(delta.get("content"), str):
        return None
    if any(value for name, value in delta.items() if name not in ("role", "content")):
        return None  # such as reasoning: the same again would be more of it
    return {**chunk, "choices": [{**choices[0], "delta": {**delta, "content": ""}}]}


def _is_like(chunk: dict[str, Any], last: dict[str, Any]) -> bool:
    """Tell whether two chunks say the same beside their counts."""
    said, before = (
        {name: value for name, value in each.items() if name not in _VARIED}
        for each in (chunk, last)
    )
    return said == before


def _text(content: object) -> str:
    """Return the text of a content: a text, or a list with parts of text."""
    if isinstance(content, list):
        parts = (part.get("text") for part in content if isinstance(part, dict))
        return "".join(part for part in parts if isinstance(part, str))
    return content if isinstance(content, str) else ""
