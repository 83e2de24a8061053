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
from h2o_magic.ipython.interrupts import usage_errors
from h2o_magic.ipython.traits import SettingsTraits

if TYPE_CHECKING:
    from IPython.core.interactiveshell import (
        ExecutionInfo,
        ExecutionResult,
        InteractiveShell,
    )

    from h2o_magic.conversation.answer import Answer
    from h2o_magic.conversation.session import Session
    from h2o_magic.ipython.display.answer import AnswerDisplay
    from h2o_magic.ipython.options import AskOptions
    from h2o_magic.ipython.sessions import Current


@magics_class
class H2OMagics(SettingsTraits, Magics):
    """Chat with a language model: ``%%h2o`` cells and the ``%h2o`` line."""

    def __init__(
        self, shell: InteractiveShell, *, current: Current, **kwargs: Any
    ) -> None:
        super().__init__(shell, settings=current.settings, **kwargs)
        self._current = current
        self._said: list[str] = []
        self._welcomed = False
        self.errors: Mapping[int, str] = {}
        current.say = self._said.append

    @property
    def session(self) -> Session:
        """The notebook's session, made when it is first needed."""
        return self._current.session

    def refuse(self, name: str, value: object) -> None:
        """Refuse the name of a server that is not known; nothing is sent."""
        if name == "server" and value and "/" not in str(value):
            self._current.servers.find(str(value))

    @no_var_expand
    @line_cell_magic
    def h2o(self, line: str, cell: str | None = None) -> None:
        """Ask a language model; ``%h2o help`` lists what it can do."""
        with self.speaking(), usage_errors():
            said = self.welcome()
            if cell is None:
                from h2o_magic.ipython import commands  # noqa: PLC0415

                commands.run(self, line)
                return
            from h2o_magic.ipython.options import parse_cell_line  # noqa: PLC0415

            options = parse_cell_line(line)
            if options.help:
                self.show_help()
            elif answer := self._asked(options, cell):
                # An answer that owns its cell would clear the welcome away.
                self._show(answer, options, owns_cell=not said)

    def ask_line(self, text: str) -> None:
        """Ask what stands on the rest of a line, after options."""
        from h2o_magic.ipython.options import parse_ask  # noqa: PLC0415

        options, question = parse_ask(text)
        if options.help:
            self.show_help()
        else:
            self.ask(options, question)

    def ask(self, options: AskOptions, question: str) -> Answer | None:
        """Ask `question`, show the answer as it comes, and return it.

        None if only a preview was wanted.

        Raises
        ------
        H2OMagicError
            If the question cannot be asked, or the answer breaks off; what came of it
            is shown first.
        AnswerStopped
            If the user interrupts.
        """
        answer = self._asked(options, question)
        if answer is not None:
            self._show(answer, options)
        return answer

    def retry(self, options: AskOptions) -> None:
        """Ask the last question again in its turn's place, and show the answer."""
        from h2o_magic.ipython.options import retry_settings  # noqa: PLC0415

        self._show(self.session.retry(**retry_settings(options)), options)

    def open_panel(self) -> None:
        """Show the chat panel below the cell."""
        from h2o_magic.ipython.panel_host import panel_of  # noqa: PLC0415

        panel_of(self).show()

    def show_help(self) -> None:
        """Show the subcommands and the options of a question."""
        from h2o_magic.ipython import commands  # noqa: PLC0415 - a question needs none

        commands.show_help(self)

    def welcome(self) -> bool:
        """Say once what of the conversation is back; return whether anything is."""
        if self._welcomed:
            return False
        self._welcomed = True
        if not paths.store_file().exists():
            return False
        self._current.settle()
        record = self._current.record  # all that is needed to see whether there is any
        threads = record.threads()
        if not threads:
            return False
        from h2o_magic.ipython.display.views import show_markdown  # noqa: PLC0415
        from h2o_magic.ipython.welcome import welcome  # noqa: PLC0415

        how, origin = record.came_from or ("", "")
        kept = None if self.settings.is_set("thread") else record.thread
        thread = str(self.settings["thread"])
        if kept not in (None, thread):
            thread = self.session.thread  # which goes there
        last = record.turns(thread, last=1)
        line = welcome(
            threads,
            current=thread,
            copied_from=origin if how == "copied" else "",
            incomplete=bool(last) and last[0].status == "incomplete",
        )
        if line:
            show_markdown(self.shell, line, line.replace("`", ""))
        return bool(line)

    def on_cell(self, info: ExecutionInfo) -> None:
        """Note which cell runs, by IPython's ``pre_run_cell`` event."""
        self._current.cell.begin(info.cell_id)

    def on_cell_end(self, result: ExecutionResult) -> None:
        """Let go of what the cell no longer asks, by its ``post_run_cell`` event."""
        info = result.info
        blank = info is None or not (info.raw_cell or "").strip()
        # A blank cell had no ``pre_run_cell`` event.
        if not blank and self._current.cell.end() and result.success:
            self._current.take_out_what_is_not_asked_any_more()

    def _asked(self, options: AskOptions, question: str) -> Answer | None:
        """Return the answer to come; None where a preview was shown instead."""
        text = question if options.raw else self.expanded(question)
        settings: dict[str, Any] = {
            **options.settings,
            "history": options.history,
            "new": options.new,
            "schema": self._schema(options.schema),
        }
        if not options.preview:
            return self.session.ask(text, **settings)
        from h2o_magic.conversation import preview_view  # noqa: PLC0415
        from h2o_magic.ipython.display.views import show_markdown  # noqa: PLC0415

        preview = self.session.preview(text, **settings)
        show_markdown(
            self.shell,
            preview_view.preview_markdown(preview),
            preview_view.preview_plain(preview),
        )
        return None

    def _show(
        self, answer: Answer, options: AskOptions, *, owns_cell: bool = False
    ) -> None:
        """Show an answer as it comes, and keep it as a value however it ends."""
        from h2o_magic.ipython.display.answer import AnswerDisplay  # noqa: PLC0415
        from h2o_magic.ipython.display.views import make_view  # noqa: PLC0415
        from h2o_magic.rendering.footer import model_name  # noqa: PLC0415

        asked = model_name(answer.question.model)
        view = make_view(
            self.shell,
            waiting=f"{asked} …" if answer.question.model_chosen else "…",
            owns_cell=owns_cell,
            live=options.live,
        )
        display = AnswerDisplay(answer, view)
        try:
            display.stream()
        finally:
            self._keep(display, options)
        if display.code:
            from h2o_magic.ipython.next_cell import offer  # noqa: PLC0415

            offer(self.shell, display.code)
        if display.error:
            from h2o_magic.ipython.display.result import AnswerError  # noqa: PLC0415

            raise AnswerError(display.error)

    def _keep(self, display: AnswerDisplay, options: AskOptions) -> None:
        if not display.answer.messages or self.shell is None:
            return
        value = display.value()
        if options.out is not None:
            self.shell.user_ns[options.out] = value
        if not options.quiet:
            self.shell.displayhook.update_user_ns(value)  # type: ignore[no-untyped-call]

    def expanded(self, question: str, *, earlier: str = "") -> str:
        """Return a question with its names in braces as text."""
        if "{" not in question or self.shell is None:
            return question
        from h2o_magic.ipython.namespace import names_of  # noqa: PLC0415
        from h2o_magic.prompts.expand import expand  # noqa: PLC0415
        from h2o_magic.prompts.values import as_prompt  # noqa: PLC0415

        show = partial(as_prompt, environment=os.environ, variables=self.shell.user_ns)
        names = names_of(self.shell, self.errors)
        return expand(question, names, show, earlier=earlier).text

    def _schema(self, named: str | None) -> object:
        """Return what `--schema` names: a variable of the user, else a file."""
        if named is None or self.shell is None:
            return None
        if named in self.shell.user_ns:
            return self.shell.user_ns[named]
        from h2o_magic.rendering.schema import load  # noqa: PLC0415

        return load(named)

    @contextmanager
    def speaking(self) -> Iterator[None]:
        """Say at the end what went wrong aside: an answer's end clears the cell."""
        try:
            yield
        finally:
            while self._said:
                sys.stderr.write(f"h2o_magic: {self._said.pop(0)}\n")
