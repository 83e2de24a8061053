"""An answer shown in a cell: while it comes, at its end, and as a value."""

from __future__ import annotations

from contextlib import closing
from typing import TYPE_CHECKING, Any

from h2o_magic.chat.events import Notice, Replaced, TextDelta
from h2o_magic.conversation.answer import Answer
from h2o_magic.ipython.interrupts import AnswerStopped

if TYPE_CHECKING:
    from h2o_magic.ipython.display.result import Rendered
    from h2o_magic.ipython.display.views import AnswerView


class AnswerDisplay:
    """Shows one answer in a view."""

    def __init__(self, answer: Answer, view: AnswerView) -> None:
        self.answer = answer
        self.problem = ""
        self._view = view
        self._rendered: Rendered | None = None

    @property
    def error(self) -> str:
        """How a whole answer is not what it was asked to be; else empty."""
        return self._rendered.error if self._rendered else ""

    @property
    def code(self) -> str:
        """The code that it offers for a cell; empty where there is none."""
        asked = self.answer.question.format == "code"
        return self._value if asked and isinstance(self._value, str) else ""

    def stream(self) -> None:
        """Show the answer as it comes, and its end, however it ends.

        Raises
        ------
        AnswerStopped
            If the user interrupts.
        """
        answer, view = self.answer, self._view
        with view:
            try:
                view.wait()
                with closing(iter(answer)) as events:  # type: ignore[type-var]
                    for event in events:
                        match event:
                            case TextDelta(text):
                                view.write(text)
                            case Replaced(text):
                                view.replace(text)
                            case Notice(text):
                                view.notice(text)
            except KeyboardInterrupt:
                if not answer.text.strip():
                    view.clear()
                    raise
                self._finish()
                raise AnswerStopped("Stopped. The answer so far is kept.") from None
            except Exception as error:
                self.problem = str(error) or type(error).__name__
                if answer.text.strip():
                    self._finish()
                else:
                    view.clear()
                raise
            self._finish()

    def value(self) -> object:
        """Return the answer as a value: text that knows its facts, or a DataFrame."""
        from h2o_magic.rendering.answer_text import AnswerText  # noqa: PLC0415

        answer, error = self.answer, self.problem or self.error
        if not error and answer.facts.status == "stopped":
            error = "stopped by the user: the answer is not whole"
            if not answer.text.strip():
                error = "stopped by the user before any text came"
        text = AnswerText(
            answer.text,
            answer.facts,
            answer.messages,
            error=error,
            reasoning=answer.reasoning,
        )
        if answer.question.format == "table" and self._value is not None:
            return _data_frame(self._value, text)
        return text

    @property
    def _value(self) -> Any:
        return self._rendered.value if self._rendered else None

    def _finish(self) -> None:
        from h2o_magic.ipython.display.result import render  # noqa: PLC0415 - the text comes first

        self._rendered = rendered = render(self.answer, self.problem)
        metadata = {"h2o_magic": self.answer.facts.as_metadata()}
        self._view.finish(rendered.data, metadata)


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
