"""``h2o_magic.map``: one prompt over a table, from Python."""

from __future__ import annotations

import os
import sys
from collections.abc import Callable, Iterable, Sequence
from typing import Any

from h2o_magic.config.definitions import SETTINGS
from h2o_magic.config.parameters import PARAMETERS
from h2o_magic.errors import ConfigurationError, did_you_mean, expect
from h2o_magic.ipython.caller import calling_frame
from h2o_magic.ipython.display.run import Told, make_run_view
from h2o_magic.ipython.map_options import refuse
from h2o_magic.ipython.scope import Scope
from h2o_magic.ipython.sessions import get_state
from h2o_magic.ipython.table_mapper import TableMapper
from h2o_magic.tables import estimate
from h2o_magic.tables.mapped import MappedTable
from h2o_magic.tables.preview import Preview
from h2o_magic.tables.running.progress import Progress

#: The arguments of `map` that say how a run is shown.
_SHOWN = ("preview", "history", "progress")
#: Those that are no options of a run.
_OWN = ("table", "prompt", "settings", *_SHOWN)


def map(  # noqa: A001 - what it does, on tables
    table: object,
    prompt: str,
    *,
    schema: object = None,
    first: int | None = None,
    each: bool = False,
    max_errors: int | None = None,
    width: int | None = None,
    keep: bool = True,
    forget: bool = False,
    to: str | os.PathLike[str] | None = None,
    overwrite: bool = False,
    raw: bool = False,
    preview: bool = False,
    price: str | tuple[float, float] | None = None,
    budget: float | None = None,
    executor: object = None,
    server: str | Sequence[str] | None = None,
    history: bool = True,
    progress: Callable[[Progress], None] | None = None,
    **settings: Any,
) -> MappedTable | Preview:
    """Ask a prompt for each row of a table, and return the table with the answers.

    Rows that were answered before are not asked again; equal ones are asked once.

    Parameters
    ----------
    table
        A frame of pandas, polars or pyarrow, a relation of DuckDB, a list of dicts, any
        other iterable, or the path of a CSV, JSON Lines or Parquet file.
    prompt
        What each row is asked. ``{name}`` is the column's value, or that of a variable
        where the table has no such column.
    schema
        What each answer has to fit, as for
        :meth:`~h2o_magic.conversation.session.Session.ask`; its properties become
        columns.
    first
        How many rows are asked, from the first on; None for all.
    each
        True asks equal rows one by one.
    max_errors
        More rows that fail end the run; None for any number.
    width
        How many rows are asked at once at most; None for as many as the server takes.
    keep
        False keeps no answers for later runs.
    forget
        True asks all rows again, also those whose answers are known.
    to, overwrite
        The file that a file's table is written to with its answers; by default
        ``NAME-answers`` beside it. True replaces one that no run wrote.
    raw
        True expands columns only, no variables in braces.
    preview
        True returns what would be asked, and about how many tokens and how much time
        that needs. Up to 20 rows are asked for that, and their answers kept.
    price, budget
        What a million tokens cost that are read and written, such as ``"0.15/0.60"``;
        and what the run may cost.
    executor
        Where rows are asked: None for threads of this process, a
        ``concurrent.futures.Executor``, a Dask client, ``"dask"`` or ``"ray"``.
    server
        The server to ask, by name or address, or several that share the rows; None for
        the notebook's.
    history
        False leaves the run out of the conversation.
    progress
        Called with the counts, five times a second at most, instead of showing them.
    **settings
        Settings for this run only: ``model``, ``system``, ``temperature``, ...

    Returns
    -------
    MappedTable
        With ``table``, ``errors`` and ``progress``, also of a run that was stopped or
        has failed; ``progress.state`` says so.

    Raises
    ------
    ConfigurationError
        If an argument is refused; nothing was asked.

    Examples
    --------
    >>> import h2o_magic
    >>> rated = h2o_magic.map(reviews, "Rate this: {text}")  # doctest: +SKIP
    >>> rated.table  # doctest: +SKIP
    """
    arguments = {name: value for name, value in locals().items() if name not in _OWN}
    _check(settings, arguments)
    expect("a prompt", prompt, str)
    if progress is not None and not callable(progress):
        raise ConfigurationError(
            f"expected progress as a function that gets the counts, got {progress!r}"
        )
    ipython = sys.modules.get("IPython")
    shell = ipython.get_ipython() if ipython else None
    scope = Scope(shell, calling_frame())
    mapper = TableMapper(get_state(shell).session, scope)
    title = _title(table, scope)
    job = mapper.job(table, prompt, title=title, **arguments, **settings)
    if preview:
        return estimate.preview(job)
    view = make_run_view(shell, whole=False) if progress is None else Told(progress)
    return mapper.run(job, view, history=history)


def _check(settings: Iterable[str], arguments: Iterable[str]) -> None:
    """Refuse what is no argument, and settings that mean nothing for rows."""
    for name in settings:
        if name in SETTINGS:
            refuse(SETTINGS[name].option, f"`{name}`", "h2o_magic.map")
        elif name not in PARAMETERS:  # else its own error says where it belongs
            hint = did_you_mean(name, [*arguments, *_SHOWN, *SETTINGS], most=5)
            raise ConfigurationError(
                f"h2o_magic.map: unknown argument {name!r}: {hint}"
            )


def _title(table: object, scope: Scope) -> str:
    """Return how the caller calls a table: by a variable, or a path."""
    if isinstance(table, str | os.PathLike):
        return os.fspath(table)
    names = (name for name, value in scope.variables.items() if value is table)
    return next((name for name in names if not name.startswith("_")), "")
