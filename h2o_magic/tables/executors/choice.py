"""Which executor asks the rows of a run."""

from __future__ import annotations

from contextlib import suppress

from h2o_magic.errors import BackendError
from h2o_magic.tables.asking import RowAsker
from h2o_magic.tables.executors import RowExecutor
from h2o_magic.tables.executors.threads import Threads
from h2o_magic.tables.job import Job
from h2o_magic.tables.pace import MOST, Pace


def open_executor(job: Job) -> RowExecutor:
    """Return what asks the job's rows."""
    backend = job.asked.serving.backend()
    # A dialect of a plug-in may lack this, and `slots`.
    if (for_rows := getattr(backend, "for_rows", None)) is not None:
        backend = for_rows(job.options.width or MOST)
    return Threads(RowAsker(backend, job.requests))


def open_pace(job: Job) -> Pace:
    """Return how fast the job's rows are asked: as many at once as the server says."""
    backend = job.asked.serving.backend()
    slots = None
    with suppress(BackendError):  # the first row will tell
        if (said := getattr(backend, "slots", None)) is not None:
            slots = said(job.requests.request.model)
    return Pace(slots, job.options.width or MOST)
