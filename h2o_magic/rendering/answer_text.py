"""An answer as a value: a text that knows how it came about."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from h2o_magic.chat.events import FinishReason, Usage
from h2o_magic.chat.facts import Facts
from h2o_magic.chat.messages import Message
from h2o_magic.rendering.fences import CodeBlock, code_blocks


class AnswerText(str):
    """The text of an answer, with what is known about it.

    It is a text wherever one is wanted: slices, sums and methods give plain texts, and
    two answers with the same text are equal. As the last value of a cell it shows as
    Markdown. Made by :meth:`of`.
    """

    _facts: Facts
    _messages: tuple[Message, ...]
    _error: str
    _reasoning: str

    @classmethod
    def of(
        cls,
        text: str,
        facts: Facts,
        messages: Iterable[Message] = (),
        error: str = "",
        reasoning: str = "",
    ) -> AnswerText:
        """Return an answer.

        Parameters
        ----------
        text
            The answer, or what had come of it.
        facts
            What is known about it.
        messages
            What was sent, oldest first; the last one is the question.
        error
            Why it is not whole; empty if it is.
        reasoning
            The model's reasoning, which is not part of the text.
        """
        answer = cls(text)
        answer._facts = facts
        answer._messages = tuple(messages)
        answer._error = error
        answer._reasoning = reasoning
        return answer

    def __new__(cls, text: str = "") -> AnswerText:
        """Return `text` as an answer of which nothing is known."""
        answer = super().__new__(cls, text)
        answer._facts = Facts("")
        answer._messages = ()
        answer._error = answer._reasoning = ""
        return answer

    @property
    def markdown(self) -> str:
        """The text as it came: Markdown, as a plain text."""
        return str(self)

    @property
    def code(self) -> list[CodeBlock]:
        """The fenced code blocks, in order; each is a text with its `language`."""
        return list(code_blocks(self))

    def json(self) -> Any:
        """Return the value of the JSON in the answer.

        Raises
        ------
        AnswerFormatError
            If there is none, or it has a mistake.
        """
        from h2o_magic.rendering.json import find_json  # noqa: PLC0415

        return find_json(str(self))

    @property
    def model(self) -> str:
        """The model that answered."""
        return self._facts.model

    @property
    def weights(self) -> str:
        """The weights that answered; empty if the server did not say."""
        return self._facts.weights

    @property
    def server(self) -> str:
        """The server's address."""
        return self._facts.server

    @property
    def thread(self) -> str:
        """The thread that the answer belongs to; empty if none."""
        return self._facts.thread

    @property
    def usage(self) -> Usage:
        """Tokens read and written: `prompt_tokens`, `completion_tokens`."""
        facts = self._facts
        return Usage(
            prompt_tokens=facts.prompt_tokens,
            completion_tokens=facts.completion_tokens,
            dropped_turns=facts.dropped_turns,
            writing_seconds=facts.writing_seconds,
            cut_tokens=facts.cut_tokens,
        )

    @property
    def seconds(self) -> float:
        """From the question to the end of the answer."""
        return self._facts.seconds

    @property
    def finish_reason(self) -> FinishReason:
        """Why it ended: end, stop_text, length, stopped or unknown."""
        return self._facts.finish_reason

    @property
    def complete(self) -> bool:
        """False if the answer was stopped, failed or broke off; see `error`."""
        return self._facts.status == "complete"

    @property
    def error(self) -> str:
        """Why the answer is not complete; empty if it is."""
        return self._error

    @property
    def reasoning(self) -> str:
        """The model's reasoning, where the server sent it; not part of the text."""
        return self._reasoning

    @property
    def messages(self) -> list[dict[str, str]]:
        """What was sent, oldest first, each with `role` and `content`."""
        return [{"role": m.role, "content": m.content} for m in self._messages]

    @property
    def facts(self) -> Facts:
        """All that is known about the answer."""
        return self._facts

    def __reduce__(self) -> tuple[Any, ...]:
        known = (self._facts, self._messages, self._error, self._reasoning)
        return _made, (type(self), str(self), *known)

    def _repr_markdown_(self) -> str:
        # What a model wrote is foreign: nothing in it may act in the notebook.
        from h2o_magic.rendering.sanitize import harmless  # noqa: PLC0415

        shown: str = harmless(str(self))
        return shown


def _made(kind: type[AnswerText], *known: Any) -> AnswerText:
    return kind.of(*known)
