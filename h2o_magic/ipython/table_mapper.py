"""A table named by a cell or given by Python: found, asked, shown, and stored."""

from __future__ import annotations

import os
import warnings
from collections.abc import Sequence
from dataclasses import replace
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
from h2o_magic.tables.job import Job, RunOptions
from h2o_magic.tables.mapped import MappedTable
from h2o_magic.tables.preview import Preview
from h2o_magic.tables.runner import map_job, prepare_job
from h2o_magic.tables.store.base import AnswerStore


class TableMapper:
    """Asks a prompt for each row, with the names that a scope has."""

    def __init__(self, session: Session, scope: Scope) -> None:
        self._session = session
        self._scope = scope

    def cell(self, options: MapOptions, prompt: str) -> MappedTable | None:
        """Do what a cell says; None if help or a preview was shown instead."""
        shell = self._scope.shell
        if options.help or options.table is None:
            text = map_help()
            show_markdown(shell, fenced(text, "text"), text)
            return None
        more: dict[str, Any] = {**options.arguments, **options.settings}
        preview = more.pop("preview")
        job = self.job(
            self.table(options.table),
            prompt,
            title=options.table.text,
            schema=self._named(options.schema),
            executor=self._executor(options.executor),
            raw=options.raw,
            **more,
        )
        if preview:
            found = self.preview(job)
            show_markdown(shell, found._repr_markdown_(), repr(found))
            return None
        view = make_run_view(shell)
        mapped = self.run(job, view, options)
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
        options: MapOptions,
        store: AnswerStore | None = None,
    ) -> MappedTable:
        """Run a job, show it, and keep the result in its variable.

        A `store` is that of an earlier run, of which some rows are asked again.
        """
        name, shell = options.out or "", self._scope.shell
        title = job.options.name

        def again(job: Job, store: AnswerStore) -> MappedTable:
            view = make_run_view(shell, whole=False)
            return self.run(job, view, replace(options, out=None), store)

        try:
            mapped = map_job(
                self._session,
                job,
                title=f"`{title}`" if title else "a table",
                name=name,
                tell=view.tell,
                history=options.history,
                store=store,
                again=again,
                warn=warnings.warn if shell is None else warn,
            )
        except BaseException:
            view.clear()
            raise
        if name:
            self._scope.assign(name, mapped)
        view.end(mapped)
        return mapped

    def job(
        self,
        table: object,
        prompt: str,
        *,
        title: str = "",
        schema: object = None,
        first: int | None = None,
        to: str | os.PathLike[str] | None = None,
        overwrite: bool = False,
        server: str | Sequence[str] | None = None,
        raw: bool = False,
        each: bool = False,
        max_errors: int | None = None,
        width: int | None = None,
        keep: bool = True,
        forget: bool = False,
        price: object = None,
        budget: object = None,
        executor: object = None,
        **settings: Any,
    ) -> Job:
        """Return what is to be run, with the arguments of `h2o_magic.map`.

        `title` is what the table is called.
        """
        evaluates = settings.get("evaluate", self._session.settings["evaluate"])
        keys = self._session.servers.key_texts
        reader = NotebookReader(self._scope, keys, evaluates=evaluates is True)
        guard = reader.guard("row")
        return prepare_job(
            self._session,
            table,
            prompt,
            expand=Prompt.of if raw else reader.prompt,
            schema=schema,
            first=first,
            to=to,
            overwrite=overwrite,
            options=RunOptions.of(
                each=each,
                max_errors=max_errors,
                width=width,
                keep=keep,
                forget=forget,
                name=title,
                price=price,
                budget=budget,
                executor=executor,
                servers=(server,) if isinstance(server, str) else tuple(server or ()),
            ),
            check=row_check(keys(), os.environ, self._scope.variables),
            mask=guard.masked,
            **settings,
        )

    def preview(self, job: Job) -> Preview:
        """Return what a job would ask; some of its rows are asked for that."""
        return preview(job)

    def table(self, word: Word) -> object:
        """Return the table that a word names: a variable's or a file's."""
        if word.quoted or word.text.lower().endswith(ENDINGS):
            return Path(word.text)
        place = value_in(f"{{{word.text}}}")
        if isinstance(place, Field) and place.expression == word.text:
            try:
                return follow(self._scope.lookup(place.name), place)
            except KeyError:
                pass
        if Path(word.text).expanduser().is_file():
            return Path(word.text)
        raise ConfigurationError(
            f"%%h2o map: {word.text!r} is neither a variable nor a file: "
            f"{did_you_mean(word.text, self._names())}"
        )

    def _names(self) -> list[str]:
        return [n for n, v in self._scope.variables.items() if columns_of(v)]

    def _named(self, name: str | None) -> object:
        """Return a variable's value, else the schema of a file."""
        if name is None:
            return None
        variables = self._scope.variables
        return variables[name] if name in variables else load(name)

    def _executor(self, name: str | None) -> object:
        return self._scope.variables.get(name, name) if name else None
