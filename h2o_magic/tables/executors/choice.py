"""Which executor asks the rows of a run, at which pace: here, or where a cluster is."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from functools import partial

from h2o_magic.conversation.answering import Serving
from h2o_magic.errors import BackendError
from h2o_magic.tables.executors import RowExecutor, Ticket
from h2o_magic.tables.executors.clusters import connected_ray, executor_of, places_of
from h2o_magic.tables.executors.futures import Futures
from h2o_magic.tables.executors.ray import RayActors
from h2o_magic.tables.executors.servers import Member, SeveralServers
from h2o_magic.tables.executors.task import Task, ask_rows
from h2o_magic.tables.executors.threads import Inbox, StoppableAsker, Threads
from h2o_magic.tables.job import Job
from h2o_magic.tables.pacing.base import Pacing
from h2o_magic.tables.pacing.pace import MOST, Pace
from h2o_magic.tables.running.asking import RowAsker
from h2o_magic.tables.running.outcome import Outcome
from h2o_magic.tables.running.progress import Progress
from h2o_magic.tables.template import Place

#: Characters after a template's fixed beginning by which rows begin alike.
_ALIKE = 256


def open_executor(job: Job, progress: Progress) -> tuple[RowExecutor, Pacing]:
    """Return what asks the job's rows, and how many may be in flight.

    Of several servers, `progress` is told which are left out. A ConfigurationError if
    the executor is none, its cluster is not there, or its workers could not ask the
    server.
    """
    serving = job.asked.serving
    if job.asked.mode == "only":
        return SeveralServers([]), Pace(1)  # nobody may be asked
    inbox = Inbox()
    if not serving.members:
        return _opened(job, serving, inbox)
    members = [
        Member(each.name, *_opened(job, each, inbox)) for each in serving.members
    ]
    shared = SeveralServers(members, _beginning(job), progress.left_out)
    return shared, shared


def _opened(job: Job, serving: Serving, inbox: Inbox) -> tuple[RowExecutor, Pacing]:
    chosen = job.options.executor
    if chosen is None:
        return Threads(_here(job, serving), inbox), _pace(job, serving)
    if isinstance(chosen, str) and chosen == "ray":
        return RayActors(connected_ray(), _task(job, serving)), _pace(job, serving)
    executor = executor_of(chosen)
    places = max(places_of(executor) // max(len(job.asked.serving.members), 1), 1)
    if not isinstance(executor, ThreadPoolExecutor):
        ask = partial(ask_rows, _task(job, serving))
        return Futures(executor, ask, inbox, places), _pace(job, serving)
    asker = _here(job, serving)

    def stop() -> None:
        asker.stop()
        asker.release()

    futures = Futures(executor, partial(_asked, asker), inbox, places, stop)
    return futures, _pace(job, serving, places)


def _asked(asker: StoppableAsker, tickets: Sequence[Ticket]) -> list[Outcome]:
    return [asker.ask(ticket) for ticket in tickets]


def _here(job: Job, serving: Serving) -> StoppableAsker:
    """Return what asks rows in this process, and lets go of its connections."""
    backend = serving.backend()
    # A dialect of a plug-in may lack this, and `slots`.
    for_rows = getattr(backend, "for_rows", None)
    rows = for_rows(job.options.width or MOST) if for_rows else backend

    def release() -> None:
        if rows is not backend:
            rows.close()
        if job.asked.serving.members:  # it was connected to for this run
            backend.close()

    return StoppableAsker(RowAsker(rows, job.requests), release)


def _task(job: Job, serving: Serving) -> Task:
    return Task.of(serving, job.requests, job.options.width or MOST)


def _pace(job: Job, serving: Serving, most: int = MOST) -> Pace:
    def slots() -> int | None:
        said = getattr(serving.backend(), "slots", None)
        with suppress(BackendError):  # the rows will tell
            return said and said(job.requests.request.model)
        return None

    return Pace(slots, min(job.options.width or most, most))


def _beginning(job: Job) -> Callable[[str], str] | None:
    """Return by what rows begin alike; None if only one column makes them differ."""
    parts = job.requests.parts
    if sum(isinstance(part, Place) for part in parts) < 2:
        return None
    start = len(parts[0]) if isinstance(parts[0], str) else 0
    return lambda text: text[start : start + _ALIKE]
