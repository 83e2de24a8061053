"""An answer as a value: a str with the facts about it."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from h2o_magic.chat.events import FinishReason, Usage
from h2o_magic.chat.facts import Facts
from h2o_magic.chat.messages import Message
from h2o_magic.rendering.direction import with_directions
from h2o_magic.rendering.fences import CodeBlock, code_blocks
from h2o_magic.rendering.json import find_json
from h2o_magic.rendering.sanitize import sanitize

_UNKNOWN = Facts("")


class AnswerText(str):
    """The text of an answer, with what is known about it.

    It is a str: slices, sums and methods give plain ones, and two answers with the
    same text are equal. As the last value of a cell it is shown as Markdown.
    """

    _facts: Facts
    _messages: tuple[Message, ...]
    _error: str
    _reasoning: str

    def __new__(
        cls,
        text: str = "",
        facts: Facts = _UNKNOWN,
        messages: Iterable[Message] = (),
        error: str = "",
        reasoning: str = "",
    ) -> AnswerText:
        answer = super().__new__(cls, text)
        answer._facts = facts
        answer._messages = tuple(messages)
        answer._error = error
        answer._reasoning = reasoning
        return answer

    @property
    def markdown(self) -> str:
        """The text as received: Markdown, as a plain str."""
        return str(self)

    @property
    def code(self) -> list[CodeBlock]:
        """The fenced code blocks, in order; each is a str with its `language`."""
        return list(code_blocks(self))

    def json(self) -> Any:
        """Return the value of the JSON in the answer.

        Raises
        ------
        AnswerFormatError
            If there is none, or it is not valid.
        """
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
        """Tokens: `prompt_tokens`, of them `cached_tokens`; `completion_tokens`."""
        facts = self._facts
        return Usage(
            prompt_tokens=facts.prompt_tokens,
            completion_tokens=facts.completion_tokens,
            dropped_turns=facts.dropped_turns,
            writing_seconds=facts.writing_seconds,
            cut_tokens=facts.cut_tokens,
            cached_tokens=facts.cached_tokens,
        )

    @property
    def seconds(self) -> float:
        """Seconds from the question to the end of the answer."""
        return self._facts.seconds

    @property
    def finish_reason(self) -> FinishReason:
        """Why it ended: end, stop_text, length, stopped or unknown."""
        return self._facts.finish_reason

    @property
    def complete(self) -> bool:
        """False if the answer was stopped or failed; see `error`."""
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

    def _repr_markdown_(self) -> str:
        return with_directions(sanitize(str(self)))
