"""The events of text-generation-inference, read as the events of one answer.

Pure. The stream is that of text-generation-inference 0.9, as chat-ui passes it on.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator, Mapping
from typing import Any, TypeGuard

from h2o_magic.backends.gptgm.text import GrowingText, clean
from h2o_magic.backends.own_facts import answer_facts, notices_of
from h2o_magic.backends.sse import ServerSentEvent
from h2o_magic.backends.text import join_surrogates
from h2o_magic.error_text import words_of
from h2o_magic.errors import GenerationError
from h2o_magic.events import Event, Finished, FinishReason, Replaced, TextDelta

__all__ = ["Interpreter"]

_REASONS: Mapping[str, FinishReason] = {
    "eos_token": "end",
    "length": "length",
    "stop_sequence": "stop_text",
}
# Special tokens by their text, for servers that do not say which are special.
_SPECIAL = {"<|endoftext|>", "</s>", "<s>", "<|startoftext|>", "<|im_end|>"}


class Interpreter:
    """Turn server-sent events into the events of one answer.

    Parameters
    ----------
    question
        What was asked. A server that puts the prompt before the answer of record,
        though not asked to, is recognised by it.
    stop
        The stop texts of the request.
    full_text
        True if the prompt before the answer was asked for.
    """

    def __init__(
        self, *, question: str = "", stop: tuple[str, ...] = (), full_text: bool = False
    ) -> None:
        self._question = question.strip()
        self._stop = stop
        self._full_text = full_text
        self._text = GrowingText(stop)
        self._tokens: list[str] = []
        self._finished: Finished | None = None
        #: True once something of the stream was a token or an answer.
        self.understood = False

    @property
    def text(self) -> str:
        """The answer's text so far; that of record once it has come."""
        return self._finished.text if self._finished else self._text.shown

    @property
    def finished(self) -> Finished | None:
        """The end of the answer, once the final event has come."""
        return self._finished

    @property
    def said_end(self) -> bool:
        """True once the final event has come."""
        return self._finished is not None

    def feed(self, events: Iterable[ServerSentEvent]) -> Iterator[Event]:
        """Take events that came together and yield what they mean.

        The texts of neighbouring tokens are yielded as one.

        Raises
        ------
        GenerationError
            If one reports an error, after the text that was held back; the text so far
            is in ``partial``.
        """
        texts: list[str] = []
        for event in events:
            failed = event.error is not None or event.event == "error"
            document = _document(event)
            if not failed and self._is_token_alone(document):
                texts.append(self._token(document["token"]))
                continue
            yield from self._grow(texts)
            if failed:
                yield from self._fail(event.error or event.data)
            yield from self._take(document)
        yield from self._grow(texts)

    def _is_token_alone(self, document: Any) -> TypeGuard[dict[str, Any]]:
        return (
            isinstance(document, dict)
            and "token" in document
            and document.get("generated_text") is None
            and not document.get("error")
            and "h2o_magic" not in document
            and self._finished is None
        )

    def _grow(self, texts: list[str]) -> Iterator[Event]:
        if texts and (ready := self._text.add("".join(texts))):
            yield TextDelta(ready)
        texts.clear()

    def take_whole(self, document: object) -> Iterator[Event]:
        """Take the answer of a server that did not stream; None where it did.

        Raises
        ------
        GenerationError
            If it reports an error.
        """
        yield from self._take(document)

    def _take(self, document: object) -> Iterator[Event]:
        if isinstance(document, list):  # a server that did not stream
            for item in document:
                if isinstance(item, dict):
                    yield from self._take(item)
        if not isinstance(document, dict) or self.said_end:
            return
        if document.get("error"):
            yield from self._fail(document)
        yield from notices_of(document)
        yield from self._grow([self._token(document.get("token"))])
        final = document.get("generated_text")
        if isinstance(final, str):
            yield from self._final(final, document.get("details"))

    def rest(self) -> Iterator[Event]:
        """Yield the text that was held back, if the final event never came."""
        if not self._finished and (rest := self._text.rest()):
            yield TextDelta(rest)

    def _token(self, token: object) -> str:
        """Return what a token adds to the answer."""
        if not isinstance(token, dict) or not isinstance(token.get("text"), str):
            return ""
        self.understood = True
        text: str = token["text"].rstrip("\0")
        special = token.get("special")
        if text in _SPECIAL if special is None else special:
            return ""
        self._tokens.append(text)
        return text

    def _final(self, generated: str, details: object) -> Iterator[Event]:
        self.understood = True
        details = details if isinstance(details, dict) else {}
        record = generated if self._full_text else self._without_prompt(generated)
        record = clean(record, self._stop)
        said = details.get("finish_reason")  # without details, it is an end
        reason = _REASONS.get(str(said), "unknown") if said else "end"
        shown = self._text.shown
        self._finished = Finished(record, reason)
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
        words = words_of(details) or "the server reported an error without words"
        yield from self.rest()
        raise GenerationError(
            join_surrogates(words),
            error_type=kind if isinstance(kind, str) else "",
            partial=self.text,
        )


def _document(event: ServerSentEvent) -> object:
    try:
        return json.loads(event.data)
    except (ValueError, RecursionError):
        return None  # "[DONE]", a proxy's words, an event cut off
