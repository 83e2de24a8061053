"""Which executor asks the rows of a run."""

from __future__ import annotations

from h2o_magic.tables.asking import RowAsker
from h2o_magic.tables.executors import RowExecutor
from h2o_magic.tables.executors.threads import Threads
from h2o_magic.tables.job import Job
from h2o_magic.tables.pace import MOST


def open_executor(job: Job) -> RowExecutor:
    """Return what asks the job's rows."""
    width = job.options.width or MOST
    backend = job.asked.serving.backend().for_rows(width)
    return Threads(RowAsker(backend, job.requests))
