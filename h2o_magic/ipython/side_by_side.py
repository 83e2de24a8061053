"""A cell that asks several models at once: `--model a,b`, and `--use b`."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

from h2o_magic.chat.events import Event, Notice, Replaced, TextDelta
from h2o_magic.chat.kept_facts import facts_of
from h2o_magic.conversation.session import Session
from h2o_magic.conversation.side_by_side import SideBySide
from h2o_magic.errors import ConfigurationError, did_you_mean
from h2o_magic.ipython.display.columns import Column, Columns
from h2o_magic.ipython.display.result import render
from h2o_magic.ipython.interrupts import AnswerStopped
from h2o_magic.ipython.options import AskOptions
from h2o_magic.prompts.prompt import Prompt
from h2o_magic.rendering import footer
from h2o_magic.rendering.answer_text import AnswerText
from h2o_magic.rendering.literal import literal

if TYPE_CHECKING:
    from IPython.core.interactiveshell import InteractiveShell

#: What can stand in a column; code would go into as many cells.
_FORMATS = ("markdown", "text", "json", "table", "math")


class Answers(dict[str, AnswerText]):
    """The answers of several models, by the model's name as it was given."""

    def value(self) -> Answers:
        """Return them, as the value of what was asked."""
        return self


def models_of(session: Session, options: AskOptions) -> tuple[str, ...]:
    """Return the models that a cell names, if they are several.

    A ConfigurationError if one is named twice, or `--use` names none of them.
    """
    given = str(options.settings.get("model") or "")
    is_one = given in session.aliases.all() or Path(given).expanduser().is_file()
    names = tuple(filter(None, map(str.strip, given.split(","))))
    if "," not in given or is_one:
        names = ()
    for name in names:
        if names.count(name) > 1:
            raise ConfigurationError(
                f"%%h2o --model: expected several models, got {name} twice"
            )
    if options.use is not None and options.use not in names:
        hint = (
            did_you_mean(options.use, names) if names else "name several: --model a,b"
        )
        raise ConfigurationError(
            f"%%h2o --use: expected one of the models of --model, got {options.use}: "
            f"{hint}"
        )
    if options.use is not None and not options.history:
        raise ConfigurationError(
            "%%h2o --use: expected a question of the conversation, got --no-history: "
            "nothing goes on with its answer"
        )
    return names


def ask(
    shell: InteractiveShell | None,
    session: Session,
    models: tuple[str, ...],
    prompt: Prompt,
    *,
    settings: Mapping[str, Any],
    options: AskOptions,
    keep: Callable[[Answers], None],
) -> Answers:
    """Ask all, show their answers side by side as they come, and return them.

    `keep` gets them, however they end.

    With `--use`, answers that are there already are shown again, and one is chosen. An
    error of one model stands in its column; that of all is raised.
    """
    asked = {name: value for name, value in settings.items() if name != "model"}
    wanted = asked.get("format") or session.settings["format"]
    if wanted not in _FORMATS:
        raise ConfigurationError(
            f"%%h2o --as: several models answer as {', '.join(_FORMATS)}, got {wanted}"
        )
    group = session.ask_side_by_side(prompt, models, **asked)
    columns = Columns(shell, models, live=options.live)
    answers = Answers()
    try:
        with columns:
            if not _show_earlier(group, columns, answers, options):
                _Cell(group, columns, answers, options.use).run()
    finally:
        if answers:
            keep(answers)
    return answers


def _show_earlier(
    group: SideBySide,
    columns: Columns,
    answers: Answers,
    options: AskOptions,
) -> bool:
    """Show the answers that the cell has, if one is to be used and all are there."""
    if options.use is None or options.fresh:
        return False
    turns = group.earlier()
    for name, turn in zip(columns.names, turns, strict=False):
        facts = facts_of(turn)
        answers[name] = AnswerText(turn.answer, facts)
        columns.end(
            name,
            Column(
                footer.answer_markdown(turn.answer, facts),
                footer.answer_plain(turn.answer, facts),
            ),
        )
    if turns:
        group.go_on_with(turns[columns.names.index(options.use)])
        columns.finish(options.use)
    return bool(turns)


class _Cell:
    """The answers of one cell, from their first word to their end."""

    def __init__(
        self,
        group: SideBySide,
        columns: Columns,
        answers: Answers,
        use: str | None,
    ) -> None:
        self._group = group
        self._columns = columns
        self._answers = answers
        self._use = use

    def run(self) -> None:
        stopped = False
        try:
            self._group.ask(self._tell)
        except KeyboardInterrupt:
            stopped = True
        self._keep()
        errors = [error for error in self._group.errors if error is not None]
        if not any(self._answers.values()):
            self._columns.clear()
            if stopped:
                raise KeyboardInterrupt
            if errors:
                raise errors[0]
        first = next((n for n, text in self._answers.items() if text), "")
        if stopped:
            self._columns.finish(first if self._is_kept() else "")
            raise AnswerStopped("Stopped. The partial answers are kept.")
        try:
            self._choose()
        except ConfigurationError:
            self._columns.finish(first)
            raise
        self._columns.finish(self._use or (first if self._is_kept() else ""))

    def _is_kept(self) -> bool:
        return self._group.answers[0].question.history

    def _choose(self) -> None:
        if self._use is not None:
            number = self._columns.names.index(self._use)
            self._group.use(self._group.answers[number].question.model)

    def _tell(self, number: int, event: Event | None) -> None:
        name = self._columns.names[number]
        match event:
            case TextDelta(text):
                self._columns.write(name, text)
            case Replaced(text):
                self._columns.replace(name, text)
            case Notice():
                self._columns.notice(name, event.words)
            case None:
                self._columns.end(name, self._column(number))

    def _column(self, number: int) -> Column:
        answer, problem = self._group.answers[number], self._problem(number)
        if not answer.text.strip() and problem:
            return Column(f"■ {literal(problem)}", f"■ {problem}")
        data = render(answer, problem).data
        markdown = str(data.get("text/markdown") or data["text/plain"])
        shown = footer.reasoning_markdown(answer.reasoning, answer.question.reasoning)
        return Column(
            markdown,
            str(data["text/plain"]),
            markdown.removeprefix(shown),
            footer.reasoning_html(answer.reasoning, answer.question.reasoning),
        )

    def _problem(self, number: int) -> str:
        error = self._group.errors[number]
        return "" if error is None else str(error) or type(error).__name__

    def _keep(self) -> None:
        for number, answer in enumerate(self._group.answers):
            text = answer.as_value.text(self._problem(number))
            self._answers[self._columns.names[number]] = text
