"""The body of a gpt-gm answer, read as events, and what of its text is shown when.

Pure. The stream is that of text-generation-inference 0.9, as chat-ui passes it on.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator, Mapping
from typing import Any

from h2o_magic.backends.http.error_body import error_message
from h2o_magic.backends.own_server import answer_facts, notices_of, text_of
from h2o_magic.backends.parser import BROKE_OFF, NO_MESSAGE, AnswerParser
from h2o_magic.backends.text import GrowingText, join_surrogates, unfinished
from h2o_magic.backends.values import DONE, LAST
from h2o_magic.chat.events import Event, Finished, FinishReason, Replaced, TextDelta
from h2o_magic.errors import BackendError, GenerationError, IncompleteAnswerError

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
#: Characters of an end that are held back, in case that more comes after it.
_MOST_HELD = 200
_NO_END = (
    "the answer ended without its final event, so its end may be missing: ask again"
)


class GptGmParser(AnswerParser):
    """Turns the body of one gpt-gm answer into events."""

    _expected = "an answer in the gpt-gm protocol"

    def __init__(
        self, *, question: str = "", stop: tuple[str, ...] = (), full_text: bool = False
    ) -> None:
        super().__init__(_GrowingText(stop))
        self._question = question.strip()
        self._stop = stop
        self._full_text = full_text
        self._tokens: list[str] = []
        self._waiting: list[str] = []  # texts that came together, to be shown as one
        self._finished: Finished | None = None  # once the final event has come
        self._said_end = False

    @property
    def text(self) -> str:
        return self._finished.text if self._finished else super().text

    @property
    def ended(self) -> bool:
        return self._finished is not None or (self._said_end and self.started)

    def end(self, lost: BackendError | None = None) -> Finished:
        if self._finished:
            return self._finished
        self._refuse_foreign(lost)
        self._refuse_unread(lost)
        if self.ended:
            return Finished(self.text, "unknown")
        message = _NO_END if lost is None else BROKE_OFF
        raise IncompleteAnswerError(message, partial=self.text) from lost

    def _size(self) -> int:
        return sum(map(len, self._tokens))

    def _rest(self) -> Iterator[Event]:
        if not self._finished:
            yield from self._grow()
            if rest := self._answer.rest():
                yield TextDelta(rest)

    def _take(self, value: object) -> Iterator[Event]:
        if value is DONE or value is LAST:
            self._said_end = True
        if not isinstance(value, dict):
            return
        if value.get("error"):
            yield from self._fail(value)
        if notices := notices_of(value):
            yield from self._grow()
            yield from notices
        token, details = self._token(value.get("token")), value.get("details")
        if token:
            self._waiting.append(token)
            self._finished = None  # so what came before was not the end
        final = value.get("generated_text")
        if isinstance(final, str):
            yield from self._grow()
            yield from self._final(final, details if isinstance(details, dict) else {})
            # Else a gateway may write the text so far into each event.
            self.done = bool(details) or not token

    def _grow(self) -> Iterator[Event]:
        if ready := self._answer.add("".join(self._waiting)):
            yield TextDelta(ready)
        self._waiting.clear()

    def _token(self, token: object) -> str:
        if not isinstance(token, dict) or not isinstance(token.get("text"), str):
            return ""
        self.chunks += 1
        text: str = token["text"].rstrip("\0")
        special = token.get("special")
        if text in _SPECIAL if special is None else special:
            return ""
        self._tokens.append(text)
        return text

    def _final(self, generated: str, details: Mapping[str, Any]) -> Iterator[Event]:
        self.chunks += 1
        text = generated if self._full_text else self._without_prompt(generated)
        text = _clean(self._answer.secrets.masked(text), self._stop)
        said = details.get("finish_reason")  # without details, it is an end
        reason = _REASONS.get(str(said), "unknown") if said else "end"
        shown = self._answer.shown
        self._answer.replace(text)
        self._finished = Finished(text, reason)
        if not text.startswith(shown):
            yield Replaced(text)
        elif len(text) > len(shown):
            yield TextDelta(text[len(shown) :])
        yield from answer_facts(details)

    def _without_prompt(self, generated: str) -> str:
        # The server wraps the question in a template that is not known here, but the
        # tokens are never preceded by the prompt, and the question's end is in it.
        asked = self._question[-200:]
        generated = join_surrogates(generated)
        answer = self._answer.secrets.masked(join_surrogates("".join(self._tokens)))
        before = generated.removesuffix(answer) if answer.strip() else ""
        if asked and asked in before:
            return answer
        if not generated.strip():
            return answer
        if not answer.strip() and self._question:
            return generated.removeprefix(self._question)
        return generated

    def _fail(self, report: object) -> Iterator[Event]:
        if self.ended:
            return  # the answer is complete
        if isinstance(report, str):
            try:
                report = json.loads(report)
            except (ValueError, RecursionError):
                report = {"error": report}
        details = report if isinstance(report, dict) else {}
        yield from self._rest()
        raise GenerationError(
            join_surrogates(error_message(details) or NO_MESSAGE),
            error_type=text_of(details.get("error_type")),
            partial=self.text,
        )


class _GrowingText(GrowingText):
    """The visible text of a growing answer.

    Tokens are shown as they come, except an end that may turn out not to belong to the
    answer: the beginning of a stop text or an end marker, and white space. So what is
    shown never has to be taken back when the final text has those cut off.
    """

    def add(self, text: str) -> str:
        text = self.secrets.masked(self._held + text)
        if not self._shown:
            text = text.lstrip()
        ends = (*self._stop, *_END_MARKERS)
        kept = text[: len(text) - unfinished(text, (*ends, *self.secrets.values))]
        while found := _end_of(kept, ends):
            kept = _without(kept, found)
        kept = kept.rstrip()
        if len(text) - len(kept) > _MOST_HELD:  # else each token would read all of it
            kept = text
        self._held = text[len(kept) :]
        return self._show(kept)

    def rest(self) -> str:
        self._held = self._held.rstrip()
        return super().rest()


def _clean(text: str, stop: Iterable[str]) -> str:
    text = join_surrogates(text).lstrip().removeprefix(_START_MARKER).lstrip()
    ends = [*stop, *_END_MARKERS]
    while found := _end_of(text, ends):
        text = _without(text, found)
        ends.remove(found)
    return text.rstrip()


def _end_of(text: str, ends: Iterable[str]) -> str | None:
    bare = text.rstrip()
    for end in ends:
        if end.strip() and (text.endswith(end) or bare.endswith(end)):
            return end
    return None


def _without(text: str, end: str) -> str:
    return (text if text.endswith(end) else text.rstrip()).removesuffix(end)
