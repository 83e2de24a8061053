"""An answer shown in a cell: while it comes, at its end, and as a value."""

from __future__ import annotations

from contextlib import closing
from typing import TYPE_CHECKING

from h2o_magic.chat.events import Notice, Replaced, TextDelta
from h2o_magic.conversation.answer import Answer
from h2o_magic.ipython.display.front_end import is_console, publishes, updates, wrote
from h2o_magic.ipython.display.live import SingleView, StreamedView
from h2o_magic.ipython.display.views import AnswerView, ConsoleView, TerminalView
from h2o_magic.ipython.interrupts import AnswerStopped
from h2o_magic.rendering.footer import model_name
from h2o_magic.rendering.schema import get_ready

if TYPE_CHECKING:
    from IPython.core.interactiveshell import InteractiveShell

    from h2o_magic.ipython.display.result import Rendered


def make_view(
    shell: InteractiveShell | None,
    *,
    waiting: str,
    owns_cell: bool,
    live: bool = True,
    markdown: bool = True,
) -> AnswerView:
    """Return the view that fits the front end."""
    if not publishes(shell):
        return TerminalView(live=live, markdown=markdown)
    if is_console(shell):
        return ConsoleView() if markdown else AnswerView()
    if not (live and updates(shell)):
        return AnswerView()
    if not owns_cell:
        return SingleView(waiting)
    return StreamedView(waiting, lambda: not wrote(shell))


class AnswerDisplay:
    """Shows one answer below its cell."""

    def __init__(
        self,
        answer: Answer,
        shell: InteractiveShell | None,
        *,
        owns_cell: bool,
        live: bool,
    ) -> None:
        self._answer = answer
        self._problem = ""
        self._ready = answer.question.schema is None
        self._rendered: Rendered | None = None
        model = model_name(answer.question.model)
        waiting = f"{model} …" if answer.question.model_chosen else "…"
        self._view = make_view(
            shell,
            waiting=waiting,
            owns_cell=owns_cell,
            live=live,
            markdown=answer.question.expects in ("markdown", "code"),
        )

    @property
    def error(self) -> str:
        """Why a complete answer is not in the requested format; else empty."""
        return self._rendered.error if self._rendered else ""

    @property
    def problem(self) -> str:
        """Why there is no answer in the requested format, whatever went wrong."""
        return self._problem or self.error

    @property
    def code(self) -> str:
        """The code for a new cell; empty if there is none."""
        value = self._rendered.value if self._rendered else None
        asked = self._answer.question.format == "code"
        return value if asked and isinstance(value, str) else ""

    def stream(self) -> None:
        """Show the answer as it comes; an interrupt raises `AnswerStopped`."""
        answer, view = self._answer, self._view
        with view:
            try:
                view.wait()
                with closing(iter(answer)) as events:  # type: ignore[type-var]
                    for event in events:
                        match event:
                            case TextDelta(text):
                                view.write(text)
                                self._get_ready()
                            case Replaced(text):
                                view.replace(text)
                            case Notice():
                                view.notice(event.words)
            except KeyboardInterrupt:
                if not answer.text.strip():
                    view.clear()
                    raise
                self._finish()
                raise AnswerStopped("Stopped. The partial answer is kept.") from None
            except Exception as error:
                self._problem = str(error) or type(error).__name__
                if answer.text.strip():
                    self._finish()
                else:
                    view.clear()
                raise
            self._finish()

    def _get_ready(self) -> None:
        """Prepare for the answer's end, once; its first text is shown by now."""
        if not self._ready:
            self._ready = True
            get_ready()

    def _finish(self) -> None:
        from h2o_magic.ipython.display.result import render  # noqa: PLC0415 - the text comes first

        self._rendered = render(self._answer, self._problem)
        metadata = {"h2o_magic": self._answer.facts.as_metadata()}
        self._view.finish(self._rendered.data, metadata)
