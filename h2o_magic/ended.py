"""An answer that has ended: shown as its format wants it, and as a value."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from h2o_magic.asking import Answer

if TYPE_CHECKING:
    from h2o_magic.display import AnswerView
    from h2o_magic.rendering import Rendered

__all__ = ["Ended"]


class Ended:
    """What becomes of an answer at its end.

    Parameters
    ----------
    answer
        The answer; it may still be coming.

    Attributes
    ----------
    problem : str
        Why it is not whole, where it failed.
    """

    def __init__(self, answer: Answer) -> None:
        self.answer = answer
        self.problem = ""
        self._rendered: Rendered | None = None

    @property
    def error(self) -> str:
        """How it is not what it was asked to be; empty if it is, or is not whole."""
        return self._rendered.error if self._rendered else ""

    @property
    def code(self) -> str:
        """The code that it offers for a cell; empty where there is none."""
        asked = self.answer.question.format == "code"
        return self._value if asked and isinstance(self._value, str) else ""

    @property
    def _value(self) -> Any:
        return self._rendered.value if self._rendered else None

    def show(self, view: AnswerView) -> None:
        """Show it at its end."""
        from h2o_magic.rendering import render  # noqa: PLC0415 - the text comes first

        self._rendered = rendered = render(self.answer, self.problem)
        metadata = {"h2o_magic": self.answer.facts.as_metadata()}
        view.finish(rendered.data, metadata)

    def value(self) -> object:
        """Return it as a value: a text that knows its facts, or a table's DataFrame."""
        from h2o_magic.result import AnswerText  # noqa: PLC0415

        answer = self.answer
        text = AnswerText.of(
            answer.text,
            answer.facts,
            answer.messages,
            error=self.problem or self.error or _stopped(answer),
            reasoning=answer.reasoning,
        )
        if answer.question.format == "table" and self._value is not None:
            return _data_frame(self._value, text)
        return text


def _stopped(answer: Answer) -> str:
    if answer.facts.status != "stopped":
        return ""
    if not answer.text.strip():
        return "stopped by the user before any text came"
    return "stopped by the user: the answer is not whole"


def _data_frame(table: Any, text: str) -> object:
    """Return columns and rows as a DataFrame where pandas is there, else the text."""
    try:
        import pandas as pd  # noqa: PLC0415
    except ImportError:
        return text
    columns, rows = table
    frame = pd.DataFrame(rows, columns=columns)
    frame.attrs["h2o_magic"] = str(text)
    return frame
