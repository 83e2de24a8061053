"""One prompt over a table: prepared, run, and kept."""

from __future__ import annotations

import warnings
from collections.abc import Callable
from dataclasses import replace
from functools import partial
from typing import Any

from h2o_magic.conversation.session import Session
from h2o_magic.prompts.prompt import Prompt
from h2o_magic.tables.answers import AnswerStore
from h2o_magic.tables.executors.choice import open_executor
from h2o_magic.tables.job import Job, RunOptions
from h2o_magic.tables.keys import RowKeys
from h2o_magic.tables.mapped import MappedTable
from h2o_magic.tables.price import amount
from h2o_magic.tables.progress import Progress
from h2o_magic.tables.requests import RowRequests
from h2o_magic.tables.rows import Rows, rows_of
from h2o_magic.tables.run import Run
from h2o_magic.tables.stores import open_store, uses_folder
from h2o_magic.tables.template import Template

Tell = Callable[[Progress], None]


def prepare_job(
    session: Session,
    table: object,
    prompt: str,
    *,
    expand: Callable[[str], Prompt] = Prompt.of,
    schema: object = None,
    first: int | None = None,
    fresh: bool = False,
    options: RunOptions | None = None,
    check: Callable[[str], None] = lambda _text: None,
    **settings: Any,
) -> Job:
    """Return what is to be run; nothing is asked of a model.

    `expand` puts the notebook's values into a prompt whose columns are marked. `fresh`
    asks all rows again, as the option `forget` does.
    """
    rows = table if isinstance(table, Rows) else rows_of(table, first)
    template = Template.of(prompt, rows.names)
    options = options or RunOptions()
    fresh = fresh or options.forget
    asked = session.table_question(
        expand(template.marked),
        schema=schema,
        fresh=fresh,
        folder=uses_folder(session, settings, rows.count),
        servers=options.servers,
        **settings,
    )
    parts = template.parts(asked.request.messages[-1].content)
    requests = RowRequests(asked.request, parts)
    options = replace(options, forget=fresh)
    return Job(rows, template, asked, requests, options, check)


def run_job(
    job: Job,
    tell: Tell = lambda _progress: None,
    *,
    warn: Callable[[str], None] = warnings.warn,
    store: AnswerStore | None = None,
) -> MappedTable:
    """Ask all rows that have no answer yet; an interrupt keeps what came.

    `warn` gets one line if the answers cannot be kept. A `store` is that of an earlier
    run of the same job, of which some rows are asked again.
    """
    progress = Progress(job.rows.count, price=job.options.price)
    keys = RowKeys(job.requests, job.asked.serving.name, job.asked.model)
    store = store or open_store(job, keys, warn)
    refuse = store.refuse

    def check(text: str) -> None:
        job.check(text)
        refuse(text)

    try:
        executor, pace = open_executor(job)
    except BaseException:
        store.close()
        raise
    run = Run(
        job.rows.batches(job.template.columns),
        job.requests,
        keys,
        store=store,
        executor=executor,
        pace=pace,
        progress=progress,
        each=job.options.each,
        max_errors=job.options.max_errors,
        check=check,
        tell=lambda: tell(progress),
        may_go_on=lambda: _over_budget(job, progress),
    )
    try:
        run.go()
    finally:
        store.close()
    again = partial(_again, tell=tell, warn=warn)
    return MappedTable(job, store, bytes(run.keys), progress, again)


def _again(job: Job, store: AnswerStore, **others: Any) -> MappedTable:
    return run_job(job, store=store, **others)


def _over_budget(job: Job, progress: Progress) -> str:
    budget, cost = job.options.budget, progress.cost
    if budget is None or cost is None or cost < budget:
        return ""
    return f"the budget of {amount(budget)} is used"
