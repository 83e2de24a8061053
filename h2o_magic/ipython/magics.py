"""The magics ``%%h2o`` and ``%h2o``: parse, ask, show."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from functools import cached_property
from types import ModuleType
from typing import TYPE_CHECKING, Any

from IPython.core.magic import Magics, line_cell_magic, magics_class, no_var_expand

from h2o_magic.config import paths
from h2o_magic.ipython.caller import calling_frame, result_is_used
from h2o_magic.ipython.interrupts import usage_errors
from h2o_magic.ipython.sessions import NotebookState, welcome_line
from h2o_magic.ipython.traits import SettingsTraits

if TYPE_CHECKING:
    from IPython.core.interactiveshell import (
        ExecutionInfo,
        ExecutionResult,
        InteractiveShell,
    )

    from h2o_magic.ipython.cell import CellRunner


def after_map(line: str) -> str | None:
    """Return what follows ``map`` on the line of a cell that asks a table."""
    word, _, rest = line.strip().partition(" ")
    return rest if word == "map" else None


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

    @cached_property
    def runner(self) -> CellRunner:
        """What runs cells and lines; `%load_ext` does without."""
        from h2o_magic.ipython.cell import CellRunner  # noqa: PLC0415

        return CellRunner(self.shell, self._state, self.errors)

    def check_now(self, name: str, value: object) -> None:
        """Refuse the name of an unknown server; nothing is sent."""
        if name == "server" and value and "/" not in str(value):
            self._state.user.servers.find(str(value))

    @no_var_expand
    @line_cell_magic
    def h2o(self, line: str, cell: str | None = None) -> object:
        """Ask a language model; ``%h2o help`` lists all commands and options.

        Returns what was asked for, where the caller uses it: it is shown already.
        """
        with self.show_warnings(), usage_errors():
            welcomed = self.welcome()
            frame = calling_frame()
            runner = self.runner.called_from(frame)
            if cell is None:
                answer = runner.run(line)
            elif (table := after_map(line)) is not None:
                mapped = runner.map(table, cell)
                used = mapped is not None and result_is_used(frame)
                return mapped if used else None
            else:
                whole = self._state.cell.take()
                # An answer that owns its cell would clear the welcome away.
                owns_cell = whole and not welcomed
                options = runner.parse(line)
                answer = runner.ask(options, cell, whole=whole, owns_cell=owns_cell)
            used = answer is not None and result_is_used(frame)
            return answer.value() if answer is not None and used else None

    def welcome(self) -> bool:
        """Say once what was restored of the conversation; return whether anything."""
        if self._welcomed:
            return False
        self._welcomed = True
        try:
            paths.store_file().stat()
        except (FileNotFoundError, NotADirectoryError):
            return False
        except OSError:
            pass  # the record will say what is wrong
        self._state.find_notebook()
        record = self._state.record  # enough to see whether there are turns
        threads = record.threads()
        answers = self._state.restore_settings()
        if not threads and not answers:
            return False
        how, origin = record.came_from or ("", "")
        kept = None if self.settings.is_set("thread") else record.thread
        thread = str(self.settings["thread"])
        if kept not in (None, thread):
            thread = self._state.session.thread  # which goes there
        last = record.turns(thread, last=1)
        line = welcome_line(
            threads,
            current=thread,
            copied_from=origin if how == "copied" else "",
            incomplete=bool(last) and last[0].status == "incomplete",
            answers=answers,
        )
        if line:
            self._views.show_line(self.shell, line)
        return bool(line)

    def on_cell(self, info: ExecutionInfo) -> None:
        """Note which cell runs, for IPython's ``pre_run_cell`` event."""
        self._state.cell.begin(info.cell_id, info.raw_cell or "")

    def on_cell_end(self, result: ExecutionResult) -> None:
        """Remove the turns that the cell no longer asks for, at ``post_run_cell``."""
        info = result.info
        blank = info is None or not (info.raw_cell or "").strip()
        # A blank cell had no ``pre_run_cell`` event.
        if not blank and self._state.cell.end() and result.success:
            self._state.remove_stale_turns()

    @contextmanager
    def show_warnings(self, *before: str) -> Iterator[None]:
        """Print warnings at the end: a finished answer clears the cell's output."""
        self._warnings += before
        try:
            yield
        finally:
            while self._warnings:
                self._views.warn(self._warnings.pop(0))

    @property
    def _views(self) -> ModuleType:
        from h2o_magic.ipython.display import views  # noqa: PLC0415 - seldom needed

        return views
