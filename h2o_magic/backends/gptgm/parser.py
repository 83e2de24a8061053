"""The body of a gpt-gm answer, read as events, and what of its text is shown when.

Pure: bytes go in, cut anywhere; events of :mod:`h2o_magic.chat.events` come out. The
stream is that of text-generation-inference 0.9, as chat-ui passes it on.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator, Mapping
from typing import Any

from h2o_magic.backends.http.error_body import error_message
from h2o_magic.backends.own_server import answer_facts, notices_of
from h2o_magic.backends.sse import EventReader, ServerSentEvent
from h2o_magic.backends.text import begun, ends_in_half, join_surrogates
from h2o_magic.chat.events import Event, Finished, FinishReason, Replaced, TextDelta
from h2o_magic.errors import (
    BackendError,
    GenerationError,
    IncompleteAnswerError,
    ProtocolError,
)

_REASONS: Mapping[str, FinishReason] = {
    "eos_token": "end",
    "length": "length",
    "stop_sequence": "stop_text",
}
# Special tokens by their text, for servers that do not say which are special.
_SPECIAL = {"<|endoftext|>", "</s>", "<s>", "<|startoftext|>", "<|im_end|>"}
# Texts that end a turn of the gpt-gm models; special tokens, or plain text where the
# tokenizer does not know them.
_END_MARKERS = ("<|endoftext|>", "</s>", "<|prompt|>", "<|answer|>")
_START_MARKER = "<|startoftext|>"

_EXPECTED = "an answer in the gpt-gm protocol"
_HINT = "check the server's address"
_BROKE_OFF = "the answer broke off, so its end is missing: ask again"
_NO_END = (
    "the answer ended without its final event, so its end may be missing: ask again"
)


class Interpreter:
    """Turn server-sent events into the events of one answer."""

    def __init__(
        self, *, question: str = "", stop: tuple[str, ...] = (), full_text: bool = False
    ) -> None:
        self._question = question.strip()
        self._stop = stop
        self._full_text = full_text
        self._text = _GrowingText(stop)
        self._tokens: list[str] = []
        self._waiting: list[str] = []  # texts that came together, to be shown as one
        #: The end of the answer, once the final event has come.
        self.finished: Finished | None = None
        #: How many tokens and final events came.
        self.chunks = 0

    @property
    def text(self) -> str:
        """The answer's text so far; that of record once it has come."""
        return self.finished.text if self.finished else self._text.shown

    @property
    def spoke(self) -> bool:
        """True once text was shown."""
        return self._text.begun

    @property
    def said_end(self) -> bool:
        """True once the final event has come."""
        return self.finished is not None

    #: Nothing comes after the final event.
    said_done = said_end

    def feed(self, events: Iterable[ServerSentEvent]) -> Iterator[Event]:
        """Take events that came together and yield what they mean, their texts as one.

        An error that one reports is raised after the text that was held back.
        """
        for event in events:
            if event.error is not None or event.event == "error":
                yield from self._fail(event.error or event.data)
            try:
                document = json.loads(event.data)
            except (ValueError, RecursionError):
                continue  # "[DONE]", a proxy's words, an event cut off
            yield from self.take_whole(document)
        yield from self._grow()

    def take_whole(self, document: object) -> Iterator[Event]:
        """Take the answer of a server that did not stream; None where it did."""
        for item in document if isinstance(document, list) else [document]:
            if isinstance(item, dict) and not self.said_end:
                yield from self._take(item)

    def rest(self) -> Iterator[Event]:
        """Yield the text that was held back, if the final event never came."""
        if not self.finished:
            yield from self._grow()
            if rest := self._text.rest():
                yield TextDelta(rest)

    def _take(self, document: Mapping[str, Any]) -> Iterator[Event]:
        if document.get("error"):
            yield from self._fail(document)
        if notices := notices_of(document):
            yield from self._grow()
            yield from notices
        self._waiting.append(self._token(document.get("token")))
        final = document.get("generated_text")
        if isinstance(final, str):
            yield from self._grow()
            yield from self._final(final, document.get("details"))

    def _grow(self) -> Iterator[Event]:
        if ready := self._text.add("".join(self._waiting)):
            yield TextDelta(ready)
        self._waiting.clear()

    def _token(self, token: object) -> str:
        """Return what a token adds to the answer."""
        if not isinstance(token, dict) or not isinstance(token.get("text"), str):
            return ""
        self.chunks += 1
        text: str = token["text"].rstrip("\0")
        special = token.get("special")
        if text in _SPECIAL if special is None else special:
            return ""
        self._tokens.append(text)
        return text

    def _final(self, generated: str, details: object) -> Iterator[Event]:
        self.chunks += 1
        details = details if isinstance(details, dict) else {}
        record = generated if self._full_text else self._without_prompt(generated)
        record = _clean(record, self._stop)
        said = details.get("finish_reason")  # without details, it is an end
        reason = _REASONS.get(str(said), "unknown") if said else "end"
        shown = self._text.shown
        self.finished = Finished(record, reason)
        if not record.startswith(shown):
            yield Replaced(record)
        elif len(record) > len(shown):
            yield TextDelta(record[len(shown) :])
        yield from answer_facts(details)

    def _without_prompt(self, generated: str) -> str:
        # The server wraps the question in a template that is not known here, but the
        # tokens are never preceded by the prompt, and the question's end is in it.
        asked = self._question[-200:]
        generated = join_surrogates(generated)
        answer = join_surrogates("".join(self._tokens))
        before = generated.removesuffix(answer) if answer.strip() else ""
        if asked and asked in before:
            return answer
        if not answer.strip() and self._question:
            return generated.removeprefix(self._question)
        return generated

    def _fail(self, report: object) -> Iterator[Event]:
        if self.said_end:
            return  # the answer is whole
        if isinstance(report, str):
            try:
                report = json.loads(report)
            except (ValueError, RecursionError):
                report = {"error": report}
        details = report if isinstance(report, dict) else {}
        kind = details.get("error_type")
        words = error_message(details) or "the server reported an error without words"
        yield from self.rest()
        raise GenerationError(
            join_surrogates(words),
            error_type=kind if isinstance(kind, str) else "",
            partial=self.text,
        )


class AnswerReader(EventReader[Interpreter]):
    """Turn the body of an answer into events, and say how it ended."""

    def end(self, lost: BackendError | None = None) -> Finished:
        """Return the end, or raise why there is none; `lost` is what cut it off."""
        if self._interpreter.finished:
            return self._interpreter.finished
        foreign = not self._interpreter.chunks and self._body.says_something
        if foreign and lost is None:
            raise ProtocolError(self._body.complaint(_EXPECTED, _HINT))
        message = _NO_END if lost is None else _BROKE_OFF
        raise IncompleteAnswerError(message, partial=self._interpreter.text) from lost


class _GrowingText:
    """The visible text of a growing answer.

    Tokens are shown as they come, except an end that may turn out not to belong to the
    answer: the beginning of a stop text or an end marker, and white space. So what is
    shown never has to be taken back when the answer of record has those cut off.
    """

    def __init__(self, stop: Iterable[str]) -> None:
        self._ends = (*stop, *_END_MARKERS)
        self._shown: list[str] = []
        self._held = ""

    @property
    def begun(self) -> bool:
        return bool(self._shown)

    @property
    def shown(self) -> str:
        return "".join(self._shown)

    def add(self, text: str) -> str:
        """Take the next token's text and return what can be shown now."""
        text = self._held + text
        if not self._shown:
            text = text.lstrip()
        keep = _undecided(text, self._ends)
        self._held = text[keep:]
        return self._show(text[:keep])

    def rest(self) -> str:
        """Return what was held back; the answer has ended without its final event."""
        rest, self._held = self._held.rstrip(), ""
        return self._show(rest)

    def _show(self, text: str) -> str:
        if ready := join_surrogates(text):
            self._shown.append(ready)
        return ready


def _clean(text: str, stop: Iterable[str]) -> str:
    """Return an answer of record without markers, stop texts and outer white space.

    Each stop text, and each end marker, is cut off the end once.
    """
    text = join_surrogates(text).lstrip().removeprefix(_START_MARKER).lstrip()
    ends = [end for end in (*stop, *_END_MARKERS) if end.strip()]
    while found := next((end for end in ends if _ends(text, end)), None):
        text = _without(text, found)
        ends.remove(found)
    return text.rstrip()


def _undecided(text: str, ends: tuple[str, ...]) -> int:
    """Return where the part of `text` begins that may still be cut off its end."""
    held = max((begun(text, end) for end in ends), default=0)
    if ends_in_half(text):
        held = max(held, 1)
    text = text[: len(text) - held]
    while found := next(
        (end for end in ends if end.strip() and _ends(text, end)), None
    ):
        text = _without(text, found)
    return len(text.rstrip())


def _ends(text: str, end: str) -> bool:
    return text.endswith(end) or text.rstrip().endswith(end)


def _without(text: str, end: str) -> str:
    return (text if text.endswith(end) else text.rstrip()).removesuffix(end)
