"""One prompt over a table: prepared, run, and kept."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from h2o_magic.conversation.session import Session
from h2o_magic.prompts.prompt import Prompt
from h2o_magic.tables.executors.choice import open_executor, open_pace
from h2o_magic.tables.job import Job, RunOptions
from h2o_magic.tables.keys import RowKeys
from h2o_magic.tables.mapped import MappedTable
from h2o_magic.tables.progress import Progress
from h2o_magic.tables.requests import RowRequests
from h2o_magic.tables.rows import Rows, rows_of
from h2o_magic.tables.run import Run
from h2o_magic.tables.stores import open_store
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
    options: RunOptions | None = None,
    check: Callable[[str], None] = lambda _text: None,
    **settings: Any,
) -> Job:
    """Return what is to be run; nothing is asked of a model.

    `expand` puts the notebook's values into a prompt whose columns are marked.
    """
    rows = table if isinstance(table, Rows) else rows_of(table, first)
    template = Template.of(prompt, rows.names)
    asked = session.table_question(
        expand(template.marked), schema=schema, folder=False, **settings
    )
    parts = template.parts(asked.request.messages[-1].content)
    requests = RowRequests(asked.request, parts)
    return Job(rows, template, asked, requests, options or RunOptions(), check)


def run_job(job: Job, tell: Tell = lambda _progress: None) -> MappedTable:
    """Ask all rows that have no answer yet; an interrupt keeps what came."""
    progress = Progress(job.rows.count)
    store = open_store(job)
    run = Run(
        job.rows.batches(job.template.columns),
        job.requests,
        RowKeys(job.requests, job.asked.serving.name, job.asked.model),
        store=store,
        executor=open_executor(job),
        pace=open_pace(job),
        progress=progress,
        each=job.options.each,
        max_errors=job.options.max_errors,
        check=job.check,
        tell=lambda: tell(progress),
    )
    run.go()
    return MappedTable(job, store, bytes(run.keys), progress)
