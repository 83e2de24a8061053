"""A table named by a cell or given by Python: found, asked, shown, and stored."""

from __future__ import annotations

import os
import warnings
from pathlib import Path
from typing import Any

from h2o_magic.config.command_line import Word
from h2o_magic.conversation.session import Session
from h2o_magic.errors import ConfigurationError, did_you_mean
from h2o_magic.ipython.completion.columns import columns_of
from h2o_magic.ipython.completion.tables import ENDINGS
from h2o_magic.ipython.display.run import RunView, make_run_view
from h2o_magic.ipython.display.views import show_markdown, warn
from h2o_magic.ipython.interrupts import AnswerError, AnswerStopped
from h2o_magic.ipython.map_options import MapOptions, map_help
from h2o_magic.ipython.reader import NotebookReader
from h2o_magic.ipython.scope import Scope
from h2o_magic.prompts.expand import follow
from h2o_magic.prompts.fields import Field, value_in
from h2o_magic.prompts.prompt import Prompt
from h2o_magic.rendering.fences import fenced
from h2o_magic.rendering.schema import load
from h2o_magic.tables.estimate import preview
from h2o_magic.tables.guarding import row_check
from h2o_magic.tables.job import RUN_OPTIONS, Job, RunOptions, check_count
from h2o_magic.tables.mapped import MappedTable
from h2o_magic.tables.runner import map_job, prepare_job
from h2o_magic.tables.store.base import AnswerStore


class TableMapper:
    """Asks a prompt for each row, with the names that a scope has."""

    def __init__(self, session: Session, scope: Scope) -> None:
        self._session = session
        self._scope = scope

    def cell(self, options: MapOptions, prompt: str) -> MappedTable | None:
        """Do what a cell says; None if help or a preview was shown instead."""
        shell, word = self._scope.shell, options.table
        if options.help or word is None:
            text = map_help()
            show_markdown(shell, fenced(text, "text"), text)
            return None
        table = self.table(word, options.out)
        schema, executor = map(options.arguments.get, ("schema", "executor"))
        arguments = {
            **options.arguments,
            "schema": self._named(schema),
            "executor": self._scope.variables.get(executor, executor),
        }
        job = self.job(table, prompt, title=word.text, **arguments)
        if options.preview:
            found = preview(job)
            show_markdown(shell, found._repr_markdown_(), repr(found))
            if options.out:
                self._scope.assign(options.out, found)
            return None
        view = make_run_view(shell)
        mapped = self.run(job, view, out=options.out, history=options.history)
        if not options.quiet:
            shell.displayhook.update_user_ns(mapped)
        if mapped.progress.state == "failed":
            raise AnswerError(mapped.progress.reason)
        if mapped.progress.state == "stopped" and not mapped.progress.reason:
            raise AnswerStopped("Stopped: what was answered is kept.")
        return mapped

    def run(
        self,
        job: Job,
        view: RunView,
        *,
        out: str | None = None,
        history: bool = True,
        store: AnswerStore | None = None,
    ) -> MappedTable:
        """Run a job, show it, and keep the result in the variable `out`.

        A `store` is that of an earlier run, of which some rows are asked again.
        """
        title, shell = job.options.name, self._scope.shell

        def again(job: Job, store: AnswerStore) -> MappedTable:
            view = make_run_view(shell, whole=False)
            return self.run(job, view, history=history, store=store)

        try:
            mapped = map_job(
                self._session,
                job,
                title=f"`{title}`" if title else "a table",
                name=out or "",
                tell=view.tell,
                history=history,
                store=store,
                again=again,
                warn=warnings.warn if shell is None else warn,
            )
        except BaseException:
            view.clear()
            raise
        if out:
            self._scope.assign(out, mapped)
        view.end(mapped)
        return mapped

    def job(
        self,
        table: object,
        prompt: str,
        *,
        title: str = "",
        raw: bool = False,
        **arguments: Any,
    ) -> Job:
        """Return what is to be run, with the arguments of `h2o_magic.map`.

        `title` is what the table is called.
        """
        check_count("first", arguments.get("first"), 1)
        evaluates = arguments.get("evaluate", self._session.settings["evaluate"])
        keys = self._session.servers.key_texts
        reader = NotebookReader(self._scope, keys, evaluates=evaluates is True)
        guard = reader.guard("row")
        options = {n: arguments.pop(n) for n in RUN_OPTIONS if n in arguments}
        return prepare_job(
            self._session,
            table,
            prompt,
            expand=Prompt.of if raw else reader.prompt,
            options=RunOptions.of(name=title, **options),
            check=row_check(keys(), os.environ, self._scope.variables),
            mask=guard.masked,
            **arguments,
        )

    def table(self, word: Word, out: str | None = None) -> object:
        """Return the table that a word names: a variable's or a file's.

        A ConfigurationError if its variable is `out`, which the next run would read.
        """
        if word.quoted or word.text.lower().endswith(ENDINGS):
            return Path(word.text)
        place = value_in(f"{{{word.text}}}")
        if isinstance(place, Field) and place.expression == word.text:
            if place.name == out:
                raise ConfigurationError(
                    f"%%h2o map --out: expected another name than that of the table, "
                    f"got {out!r}: the next run would ask about its own answers"
                )
            try:
                return follow(self._scope.lookup(place.name), place)
            except KeyError:
                pass
        if Path(word.text).expanduser().is_file():
            return Path(word.text)
        hint = did_you_mean(word.text, self._names())
        if "(" in word.text:
            hint = (
                "calls are not evaluated here: assign the table to a variable, or ask "
                "the first rows only with `--first N`"
            )
        raise ConfigurationError(
            f"%%h2o map: {word.text!r} is neither a variable nor a file: {hint}"
        )

    def _names(self) -> list[str]:
        return [n for n, v in self._scope.variables.items() if columns_of(v)]

    def _named(self, name: str | None) -> object:
        """Return a variable's value, else the schema of a file."""
        if name is None:
            return None
        variables = self._scope.variables
        return variables[name] if name in variables else load(name)
