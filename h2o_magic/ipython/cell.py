"""What a ``%%h2o`` cell or a ``%h2o`` line does: ask and show, or run a command."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

from h2o_magic.conversation.answer import Answer
from h2o_magic.conversation.preview import preview_markdown, preview_plain
from h2o_magic.conversation.session import Session
from h2o_magic.ipython.display.answer import AnswerDisplay
from h2o_magic.ipython.display.views import show_markdown
from h2o_magic.ipython.interrupts import AnswerError
from h2o_magic.ipython.namespace import name_lookup
from h2o_magic.ipython.options import AskOptions, parse_cell_line, retry_settings
from h2o_magic.rendering.schema import load

if TYPE_CHECKING:
    from IPython.core.interactiveshell import InteractiveShell

    from h2o_magic.chat_panel import Panel


class CellRunner:
    """Runs cells and lines in a shell; commands and the panel have it as context.

    `session` returns the notebook's session; `errors` has the tracebacks that prompts
    can name, by the number of the cell.
    """

    parse = staticmethod(parse_cell_line)

    def __init__(
        self,
        shell: InteractiveShell | None,
        session: Callable[[], Session],
        errors: Mapping[int, str],
    ) -> None:
        self.shell = shell
        self._session = session
        self._errors = errors

    @property
    def session(self) -> Session:
        """The notebook's session."""
        return self._session()

    def run(self, line: str) -> None:
        """Run the command that a ``%h2o`` line begins with."""
        from h2o_magic.ipython import commands  # noqa: PLC0415 - a cell needs none

        commands.run(self, line)

    def ask(
        self, options: AskOptions, question: str, *, owns_cell: bool = False
    ) -> Answer | None:
        """Ask `question`, show the answer as it comes, and return it.

        None if help or a preview was shown instead. `owns_cell` if the answer may clear
        the cell's output.
        """
        if options.help:
            self.run("help")
            return None
        text = question if options.raw else self.expand(question)
        settings: dict[str, Any] = {
            **options.settings,
            "history": options.history,
            "new": options.new,
            "schema": self._schema(options.schema),
        }
        if options.preview:
            preview = self.session.preview(text, **settings)
            plain = preview_plain(preview)
            show_markdown(self.shell, preview_markdown(preview), plain)
            return None
        answer = self.session.ask(text, **settings)
        with self._showing(answer, options, owns_cell) as display:
            display.stream()
        return answer

    def retry(self, options: AskOptions) -> None:
        """Ask the last question again in its turn's place, and show the answer."""
        answer = self.session.retry(**retry_settings(options))
        with self._showing(answer, options, False) as display:
            display.stream()

    def panel(self) -> Panel:
        """Return a chat panel on the notebook's conversation."""
        from h2o_magic.ipython.panel_host import panel_of  # noqa: PLC0415 - widgets

        return panel_of(self)

    def expand(self, question: str, *, earlier: str = "") -> str:
        """Return a question with its names in braces replaced by their values."""
        if "{" not in question or self.shell is None:
            return question
        from h2o_magic.prompts import expand, values  # noqa: PLC0415 - few have braces
        from h2o_magic.prompts.secrets.guard import Guard  # noqa: PLC0415 - as few

        variables = self.shell.user_ns

        def show(value: object, expression: str) -> str:
            guard = Guard(expression, os.environ, variables)
            described = values.describe(
                value, expression, question=question, guard=guard
            )
            return described.inline or described.text(1000)

        lookup = name_lookup(self.shell, self._errors)
        return expand.expand(question, lookup, show, earlier=earlier).text

    @contextmanager
    def _showing(
        self, answer: Answer, options: AskOptions, owns_cell: bool
    ) -> Iterator[AnswerDisplay]:
        """Store the answer as a value, however it ends, and offer its code."""
        display = AnswerDisplay(
            answer, self.shell, owns_cell=owns_cell, live=options.live
        )
        try:
            yield display
        finally:
            if answer.messages and self.shell is not None:
                value = display.value()
                if options.out is not None:
                    self.shell.user_ns[options.out] = value
                if not options.quiet:
                    self.shell.displayhook.update_user_ns(value)  # type: ignore[no-untyped-call]
        if display.code and self.shell is not None:
            self.shell.set_next_input(display.code, replace=False)  # it is not run
        if display.error:
            raise AnswerError(display.error)

    def _schema(self, name: str | None) -> object:
        """Return the schema that `--schema` names: of a variable, else of a file."""
        if name is None or self.shell is None:
            return None
        variables = self.shell.user_ns
        return variables[name] if name in variables else load(name)
