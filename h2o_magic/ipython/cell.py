"""What a ``%%h2o`` cell or a ``%h2o`` line does: ask and show, or run a command."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import replace
from functools import partial
from types import FrameType
from typing import TYPE_CHECKING, Any

from h2o_magic.conversation.answer import Answer
from h2o_magic.conversation.preview import Preview, preview_markdown, preview_plain
from h2o_magic.conversation.session import Session
from h2o_magic.ipython.display.answer import AnswerDisplay
from h2o_magic.ipython.display.views import show_markdown
from h2o_magic.ipython.interrupts import AnswerError
from h2o_magic.ipython.kept import check_free, keep, keep_value
from h2o_magic.ipython.options import AskOptions, parse_cell_line, retry_settings
from h2o_magic.ipython.scope import Scope
from h2o_magic.prompts.prompt import Prompt
from h2o_magic.rendering.schema import load

if TYPE_CHECKING:
    from IPython.core.interactiveshell import InteractiveShell

    from h2o_magic.chat_panel import Panel, Place
    from h2o_magic.ipython.reader import NotebookReader
    from h2o_magic.ipython.sessions import NotebookState
    from h2o_magic.ipython.side_by_side import Answers
    from h2o_magic.tables.mapped import MappedTable


class CellRunner:
    """Runs cells and lines in a shell; commands and the panel have it as context.

    `state` has what the notebook has one of; `errors` has the tracebacks that prompts
    can name, by the number of the cell; `frame` is the code that calls the magic.
    """

    def __init__(
        self,
        shell: InteractiveShell | None,
        state: NotebookState,
        errors: Mapping[int, str],
        frame: FrameType | None = None,
    ) -> None:
        self.shell = shell
        self._state = state
        self._errors = errors
        self._frame = frame

    def called_from(self, frame: FrameType | None) -> CellRunner:
        """Return a runner that sees the names of a frame; it is kept for one call."""
        return CellRunner(self.shell, self._state, self._errors, frame)

    @property
    def session(self) -> Session:
        """The notebook's session."""
        return self._state.session

    def run(self, line: str) -> Answer | Answers | None:
        """Run the command that a ``%h2o`` line begins with; return what it asked."""
        from h2o_magic.ipython import commands  # noqa: PLC0415 - a cell needs none

        return commands.run(self, line)

    def ask(
        self,
        options: AskOptions,
        question: str | Prompt,
        *,
        whole: bool = False,
        owns_cell: bool = False,
    ) -> Answer | Answers | None:
        """Ask `question`, show the answer as it comes, and return it.

        None if help or a preview was shown instead. `whole` if it is a cell of its own,
        `owns_cell` if the answer may clear the cell's output.
        """
        if options.help:
            self.run("help")
            return None
        prompt = question
        if not isinstance(prompt, Prompt):
            evaluates = self._evaluates(options, prompt)
            owns_cell = owns_cell and not evaluates  # code may show anything
            raw = options.raw
            prompt = (
                Prompt.of(prompt.strip()) if raw else self.expand(prompt, evaluates)
            )
        settings: dict[str, Any] = {
            **options.settings,
            "attach": options.attach,
            "history": options.history,
            "new": options.new,
            "fresh": options.fresh,
            "schema": self._schema(options.schema),
        }
        if options.preview:
            self._show_preview(self.session.preview(prompt, **settings))
            return None
        if options.use or "," in str(settings.get("model")):
            from h2o_magic.ipython import side_by_side  # noqa: PLC0415 - few cells

            if models := side_by_side.models_of(self.session, options):
                return side_by_side.ask(
                    self.shell,
                    self.session,
                    models,
                    prompt,
                    settings=settings,
                    options=options,
                    keep=partial(self._keep, options),
                )
        answer = self.session.ask(prompt, **settings)
        answer.question = replace(answer.question, shown=whole)
        with self._showing(answer, options, owns_cell) as display:
            display.stream()
        return answer

    def _show_preview(self, preview: Preview) -> None:
        show_markdown(self.shell, preview_markdown(preview), preview_plain(preview))

    def retry(self, options: AskOptions) -> Answer:
        """Ask the last question again in its turn's place, and show the answer."""
        answer = self.session.retry(**retry_settings(options))
        with self._showing(answer, options, False) as display:
            display.stream()
        return answer

    def map(self, line: str, prompt: str) -> MappedTable | None:
        """Ask a prompt for each row of the table that a line names.

        None if help or a preview was shown instead.
        """
        from h2o_magic.ipython.map_options import parse_map_line  # noqa: PLC0415 - few cells do
        from h2o_magic.ipython.table_mapper import TableMapper  # noqa: PLC0415

        options = parse_map_line(line, self.option)
        return TableMapper(self.session, self._scope()).cell(options, prompt)

    def offer(self, answer: Answer, code: str) -> None:
        """Put an answer's code into a new cell below, unless the notebook has it.

        A replayed answer has offered it before: each *Run All* would add one more.
        """
        there = answer.facts.first_answered and (
            answer.replaces_same or self.session.record.has_cell(code)
        )
        if self.shell is not None and not there:
            self.shell.set_next_input(code, replace=False)  # it is not run

    def panel(self, place: Place) -> Panel:
        """Return the chat panel on the notebook's conversation, to be shown there."""
        state = self._state
        if state.panel is None or not state.panel.shows(state.session):
            from h2o_magic.ipython.panel_host import panel_of  # noqa: PLC0415 - widgets

            if state.panel is not None:
                state.panel.disconnect()
            state.panel = panel_of(self.called_from(None))
        state.panel.place = place
        return state.panel

    def parse(self, line: str) -> AskOptions:
        """Read the options of a cell, with the values that they name in braces."""
        return parse_cell_line(line, self.option)

    def option(self, word: str) -> str:
        """Return a word of a line with the values that it names in braces."""
        if "{" not in word or self.shell is None:
            return word
        return self._reader(False).option(word)

    def expand(
        self, question: str, evaluates: bool | None = None, *, raw: bool = False
    ) -> Prompt:
        """Return a question's prompt, with the values that it names, unless `raw`."""
        question = question.strip()
        if raw or "{" not in question or self.shell is None:
            return Prompt.of(question)
        if evaluates is None:
            evaluates = self.session.settings["evaluate"] is True
        return self._reader(evaluates).prompt(question)

    def _evaluates(self, options: AskOptions, question: str) -> bool:
        setting = self.session.settings["evaluate"]
        return "{" in question and options.settings.get("evaluate", setting) is True

    def _keep(self, options: AskOptions, value: object) -> None:
        if self.shell is not None:
            keep_value(self._scope(), value, options.out, options.quiet)

    def _scope(self) -> Scope:
        return Scope(self.shell, self._frame, self._errors)

    def _reader(self, evaluates: bool) -> NotebookReader:
        from h2o_magic.ipython.reader import NotebookReader  # noqa: PLC0415 - few have braces

        keys = self.session.connection.servers.key_texts
        return NotebookReader(self._scope(), keys, evaluates=evaluates)

    @contextmanager
    def _showing(
        self, answer: Answer, options: AskOptions, owns_cell: bool
    ) -> Iterator[AnswerDisplay]:
        """Store the answer as a value, however it ends, and offer its code."""
        display = AnswerDisplay(
            answer, self.shell, owns_cell=owns_cell, live=options.live
        )
        if options.out is not None and self.shell is not None:
            check_free(self._scope(), answer, options.out)
        try:
            yield display
        finally:
            if answer.messages and self.shell is not None:
                keep(self._scope(), answer, display.problem, options.out, options.quiet)
        if display.code:
            self.offer(answer, display.code)
        if display.error:
            raise AnswerError(display.error)

    def _schema(self, name: str | None) -> object:
        """Return the schema that `--schema` names: of a variable, else of a file."""
        if name is None or self.shell is None:
            return None
        variables = self._scope().variables
        return variables[name] if name in variables else load(name)
