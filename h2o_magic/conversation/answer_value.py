"""What an answer is worth in Python: a text with its facts, or what was asked for."""

from __future__ import annotations

from functools import cached_property
from typing import Any, Protocol

from h2o_magic.chat.facts import Facts
from h2o_magic.chat.messages import Message
from h2o_magic.conversation.question import Question
from h2o_magic.rendering.answer_text import AnswerText
from h2o_magic.rendering.json import AnswerFormatError, find_json
from h2o_magic.rendering.schema import problems
from h2o_magic.rendering.table_answer import markdown_table, rows_of
from h2o_magic.rendering.typed_value import as_typed


class _Answer(Protocol):
    """What is read of an answer."""

    question: Question

    @property
    def text(self) -> str: ...
    @property
    def reasoning(self) -> str: ...
    @property
    def messages(self) -> tuple[Message, ...]: ...
    @property
    def facts(self) -> Facts: ...


class AnswerValue:
    """An ended answer, read as its question asked for it, once.

    What is read raises an AnswerFormatError if the answer does not fit, or is not
    complete; and a ConfigurationError if the schema is not valid.
    """

    def __init__(self, answer: _Answer) -> None:
        self._answer = answer

    @cached_property
    def content(self) -> Any:
        """The JSON value, or a table's columns and rows; the text of other formats."""
        question, text = self._answer.question, self._answer.text
        if question.expects not in ("json", "table"):
            return text
        status = self._answer.facts.status
        if status != "complete":
            raise AnswerFormatError(
                f"expected a complete answer, got one that is {status}: ask again"
            )
        schema = question.schema
        if question.expects == "table" and schema is None:
            return markdown_table(text) or rows_of(find_json(text))
        value = find_json(text)
        if schema is not None and (found := problems(value, schema)):
            raise AnswerFormatError("; ".join(found))
        return value if question.expects == "json" else rows_of(value)

    @cached_property
    def value(self) -> object:
        """The content as its type: an object, a JSON value or a DataFrame; or text."""
        match self._answer.question.expects:
            case "json":
                return as_typed(self.content, self._answer.question.schema_type)
            case "table":
                return self._frame()
            case _:
                return self.text()

    def text(self, error: str = "") -> AnswerText:
        """Return the text with its facts, and why it is not what was asked for."""
        answer, error = self._answer, error or self._why_incomplete()
        return AnswerText(
            answer.text, answer.facts, answer.messages, error, answer.reasoning
        )

    def _frame(self) -> object:
        columns, rows = self.content
        try:
            import pandas as pd  # noqa: PLC0415 - slow, and optional
        except ImportError:
            return self.text()
        return pd.DataFrame(rows, columns=columns)

    def _why_incomplete(self) -> str:
        if self._answer.facts.status != "stopped":
            return ""
        if self._answer.text.strip():
            return "stopped by the user: the answer is incomplete"
        return "stopped by the user before any text was received"
