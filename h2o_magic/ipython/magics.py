"""The magics ``%%h2o`` and ``%h2o``: parse, ask, show."""

from __future__ import annotations

import os
import sys
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from functools import partial
from typing import TYPE_CHECKING, Any

from IPython.core.magic import Magics, line_cell_magic, magics_class, no_var_expand

from h2o_magic.config import paths
from h2o_magic.ipython.interrupts import AnswerError, usage_errors
from h2o_magic.ipython.namespace import name_lookup
from h2o_magic.ipython.sessions import NotebookState, welcome_line
from h2o_magic.ipython.traits import SettingsTraits

if TYPE_CHECKING:
    from IPython.core.interactiveshell import (
        ExecutionInfo,
        ExecutionResult,
        InteractiveShell,
    )

    from h2o_magic.chat_panel import Panel
    from h2o_magic.conversation.answer import Answer
    from h2o_magic.conversation.session import Session
    from h2o_magic.ipython.options import AskOptions


@magics_class
class H2OMagics(SettingsTraits, Magics):
    """Chat with a language model: ``%%h2o`` cells and the ``%h2o`` line."""

    def __init__(
        self, shell: InteractiveShell, *, state: NotebookState, **kwargs: Any
    ) -> None:
        super().__init__(shell, settings=state.settings, **kwargs)
        self._state = state
        self._warnings: list[str] = []
        self._welcomed = False
        self.errors: Mapping[int, str] = {}
        state.warn = self._warnings.append

    @property
    def session(self) -> Session:
        """The notebook's session, created when it is first needed."""
        return self._state.session

    def check_now(self, name: str, value: object) -> None:
        """Refuse the name of an unknown server; nothing is sent."""
        if name == "server" and value and "/" not in str(value):
            self._state.servers.find(str(value))

    @no_var_expand
    @line_cell_magic
    def h2o(self, line: str, cell: str | None = None) -> None:
        """Ask a language model; ``%h2o help`` lists all commands and options."""
        with self.show_warnings(), usage_errors():
            welcomed = self.welcome()
            if cell is None:
                self.run(line)
                return
            from h2o_magic.ipython.options import parse_cell_line  # noqa: PLC0415

            # An answer that owns its cell would clear the welcome away.
            self.ask(parse_cell_line(line), cell, owns_cell=not welcomed)

    def run(self, line: str) -> None:
        """Run the command that a ``%h2o`` line begins with."""
        from h2o_magic.ipython import commands  # noqa: PLC0415

        commands.run(self, line)

    def ask(
        self, options: AskOptions, question: str, *, owns_cell: bool = False
    ) -> Answer | None:
        """Ask `question`, show the answer as it comes, and return it.

        None if help or a preview was shown instead.
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
            from h2o_magic.conversation import preview as view  # noqa: PLC0415

            preview = self.session.preview(text, **settings)
            self._show_markdown(
                view.preview_markdown(preview), view.preview_plain(preview)
            )
            return None
        answer = self.session.ask(text, **settings)
        self._show(answer, options, owns_cell=owns_cell)
        return answer

    def retry(self, options: AskOptions) -> None:
        """Ask the last question again in its turn's place, and show the answer."""
        from h2o_magic.ipython.options import retry_settings  # noqa: PLC0415

        self._show(self.session.retry(**retry_settings(options)), options)

    def panel(self) -> Panel:
        """Return a chat panel on the notebook's conversation."""
        from h2o_magic.ipython.panel_host import panel_of  # noqa: PLC0415

        return panel_of(self)

    def welcome(self) -> bool:
        """Say once what was restored of the conversation; return whether anything."""
        if self._welcomed:
            return False
        self._welcomed = True
        if not paths.store_file().exists():
            return False
        self._state.find_notebook()
        record = self._state.record  # enough to see whether there are turns
        threads = record.threads()
        if not threads:
            return False
        how, origin = record.came_from or ("", "")
        kept = None if self.settings.is_set("thread") else record.thread
        thread = str(self.settings["thread"])
        if kept not in (None, thread):
            thread = self.session.thread  # which goes there
        last = record.turns(thread, last=1)
        line = welcome_line(
            threads,
            current=thread,
            copied_from=origin if how == "copied" else "",
            incomplete=bool(last) and last[0].status == "incomplete",
        )
        if line:
            self._show_markdown(line, line.replace("`", ""))
        return bool(line)

    def on_cell(self, info: ExecutionInfo) -> None:
        """Note which cell runs, for IPython's ``pre_run_cell`` event."""
        self._state.cell.begin(info.cell_id)

    def on_cell_end(self, result: ExecutionResult) -> None:
        """Remove the turns that the cell no longer asks for, at ``post_run_cell``."""
        info = result.info
        blank = info is None or not (info.raw_cell or "").strip()
        # A blank cell had no ``pre_run_cell`` event.
        if not blank and self._state.cell.end() and result.success:
            self._state.remove_stale_turns()

    def _show_markdown(self, markdown: str, plain: str) -> None:
        from h2o_magic.ipython.display.views import show_markdown  # noqa: PLC0415

        show_markdown(self.shell, markdown, plain)

    def _show(
        self, answer: Answer, options: AskOptions, *, owns_cell: bool = False
    ) -> None:
        """Show an answer as it comes, and store it as a value however it ends."""
        from h2o_magic.ipython.display.answer import AnswerDisplay  # noqa: PLC0415

        display = AnswerDisplay(
            answer, self.shell, owns_cell=owns_cell, live=options.live
        )
        try:
            display.stream()
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

    def expand(self, question: str, *, earlier: str = "") -> str:
        """Return a question with its names in braces replaced by their values."""
        if "{" not in question or self.shell is None:
            return question
        from h2o_magic.prompts.expand import expand  # noqa: PLC0415
        from h2o_magic.prompts.values import as_prompt  # noqa: PLC0415

        show = partial(as_prompt, environment=os.environ, variables=self.shell.user_ns)
        lookup = name_lookup(self.shell, self.errors)
        return expand(question, lookup, show, earlier=earlier).text

    def _schema(self, name: str | None) -> object:
        """Return the schema that `--schema` names: of a variable, else of a file."""
        if name is None or self.shell is None:
            return None
        if name in self.shell.user_ns:
            return self.shell.user_ns[name]
        from h2o_magic.rendering.schema import load  # noqa: PLC0415

        return load(name)

    @contextmanager
    def show_warnings(self) -> Iterator[None]:
        """Print warnings at the end: a finished answer clears the cell's output."""
        try:
            yield
        finally:
            while self._warnings:
                sys.stderr.write(f"h2o_magic: {self._warnings.pop(0)}\n")
