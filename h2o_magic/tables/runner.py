"""One prompt over a table: prepared, run, and kept."""

from __future__ import annotations

import os
import time
import warnings
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

from h2o_magic.conversation.interrupts import uninterrupted
from h2o_magic.conversation.session import Session
from h2o_magic.errors import ConfigurationError
from h2o_magic.prompts.prompt import Prompt
from h2o_magic.tables.executors.choice import open_executor
from h2o_magic.tables.job import Job, RunOptions
from h2o_magic.tables.mapped import MappedTable
from h2o_magic.tables.row_requests import RowKeys, RowRequests
from h2o_magic.tables.rows import Rows, Target, rows_of
from h2o_magic.tables.running.asking import AnswerCheck
from h2o_magic.tables.running.progress import Progress
from h2o_magic.tables.running.run import Run
from h2o_magic.tables.store.base import AnswerStore
from h2o_magic.tables.store.opening import open_store, uses_folder
from h2o_magic.tables.template import Template, advice
from h2o_magic.tables.turn import RunTurn
from h2o_magic.tables.view import run_markdown

Tell = Callable[[Progress], None]
#: Runs a job another time, with the answers that are there.
Again = Callable[[Job, AnswerStore], MappedTable]

#: Seconds between two drawings of the progress: five a second at most.
INTERVAL = 0.2


def prepare_job(
    session: Session,
    table: object,
    prompt: str,
    *,
    expand: Callable[[str], Prompt] = Prompt.of,
    schema: object = None,
    first: int | None = None,
    to: str | os.PathLike[str] | None = None,
    overwrite: bool = False,
    fresh: bool = False,
    options: RunOptions | None = None,
    check: Callable[..., None] = lambda *_: None,
    mask: Callable[[str], str] = str,
    **settings: Any,
) -> Job:
    """Return what is to be run; nothing is asked of a model.

    `expand` puts the notebook's values into a prompt whose columns are marked. `fresh`
    asks all rows again, as the option `forget` does. `check` is of :func:`row_check`.
    """
    _refuse_several(session, settings.get("model"))
    options = options or RunOptions()
    target = Target(None if to is None else Path(to), overwrite, keep=options.keep)
    rows = table if isinstance(table, Rows) else rows_of(table, first, target)
    template = Template.of(prompt, rows.names)
    fresh = fresh or options.forget
    settings.setdefault("format", "markdown")  # a schema's columns are all there is
    asked = session.table_question(
        expand(template.marked),
        schema=schema,
        fresh=fresh,
        folder=uses_folder(session, settings, rows.count),
        servers=options.server,
        **settings,
    )
    parts = template.parts(asked.request.messages[-1].content)
    if expand != Prompt.of:
        template.refuse_slips(parts, rows.names)
    check("\n".join(part for part in parts if isinstance(part, str)), "prompt")
    requests = RowRequests(asked.request, parts)
    options = replace(options, forget=fresh)
    AnswerCheck(asked.request.schema)  # refuses a schema, and imports, before the run
    notes = tuple(filter(None, (*asked.notes, advice(template))))
    return Job(rows, template, asked, requests, options, check, mask, notes)


def _refuse_several(session: Session, model: object) -> None:
    """Refuse a list of models, which cells take; a file's name may have a comma."""
    if not isinstance(model, str) or "," not in model:
        return
    if session.aliases.model(model) == model and not Path(model).exists():
        raise ConfigurationError(
            f"expected one model for a table, got {model!r}: ask each model by itself, "
            "and see how they differ with `rated.compare(other)`"
        )


def map_job(
    session: Session,
    job: Job,
    *,
    title: str,
    name: str = "",
    tell: Tell = lambda _progress: None,
    history: bool = True,
    **others: Any,
) -> MappedTable:
    """Run a job as a turn of the conversation, unless `history` is False.

    `title` is what the table is called there, `name` the result's variable. `tell` is
    called five times a second at most. The `others` are those of :func:`run_job`.
    """
    progress = Progress(job.rows.count, price=job.options.price)
    with uninterrupted():
        turn = RunTurn(session, job, progress, title) if history else None
    mapped = None

    def tell_all(progress: Progress) -> None:
        tell(progress)
        if turn is not None:
            turn.tell()

    try:
        tell_all(progress)
        mapped = run_job(job, _seldom(tell_all), progress, **others)
        mapped.name = name
        if mapped.is_file and progress.state == "done":
            _ = mapped.table  # which writes it
        return mapped
    except Exception as error:
        progress.end("failed", " ".join(str(error).split()) or type(error).__name__)
        raise
    finally:
        with uninterrupted():
            if progress.state == "running":
                progress.end("stopped")
            if turn is not None:
                turn.end("" if mapped is None else run_markdown(mapped))


def run_job(
    job: Job,
    tell: Tell = lambda _progress: None,
    progress: Progress | None = None,
    *,
    warn: Callable[[str], None] = warnings.warn,
    store: AnswerStore | None = None,
    keys: RowKeys | None = None,
    again: Again | None = None,
) -> MappedTable:
    """Ask all rows that have no answer yet; an interrupt keeps those so far.

    `warn` gets one line if the answers cannot be kept. A `store` is that of an earlier
    run of the same job, of which some rows are asked again; `again` runs that. `keys`
    are those of a table from which the rows were taken; by default their own.
    """
    progress = progress or Progress(job.rows.count, price=job.options.price)
    keys = keys or RowKeys(job.requests, job.asked.server, job.asked.model)
    store = store or open_store(job, keys, warn)
    refuse = store.refuse
    try:
        executor, pace = open_executor(job, progress)
    except BaseException as error:
        progress.end("failed", str(error))
        store.flush(progress)
        store.close()
        raise

    def check(text: str) -> None:
        job.check(text)
        refuse(text)

    def run_again(job: Job, store: AnswerStore) -> MappedTable:
        return run_job(job, tell, warn=warn, store=store)

    run = Run(
        job.rows.batches(job.template.columns),
        job.requests,
        keys,
        store=store,
        executor=executor,
        pace=pace,
        progress=progress,
        options=job.options,
        check=check,
        mask=job.mask,
        tell=lambda: tell(progress),
    )
    try:
        run.go()
    finally:
        store.close()
    return MappedTable(job, store, bytes(run.keys), progress, again or run_again)


def _seldom(tell: Tell) -> Tell:
    """Return a function that marks the progress, and tells it now and then."""
    last = 0.0

    def tell_seldom(progress: Progress) -> None:
        nonlocal last
        progress.mark()
        if (now := time.monotonic()) - last >= INTERVAL:
            last = now
            tell(progress)

    return tell_seldom
