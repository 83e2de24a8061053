"""Which executor asks the rows of a run, at which pace: here, or where a cluster is."""

from __future__ import annotations

import sys
from collections.abc import Callable, Sequence
from concurrent.futures import Executor, ThreadPoolExecutor
from contextlib import suppress
from functools import partial
from typing import Any

from h2o_magic.conversation.answering import Serving
from h2o_magic.errors import BackendError, ConfigurationError
from h2o_magic.tables.executors import Nobody, RowExecutor, Ticket
from h2o_magic.tables.executors.futures import Futures
from h2o_magic.tables.executors.inbox import Inbox
from h2o_magic.tables.executors.servers import Member, SeveralServers
from h2o_magic.tables.executors.task import Task, ask_rows
from h2o_magic.tables.executors.threads import StoppableAsker, Threads
from h2o_magic.tables.job import Job
from h2o_magic.tables.pacing.base import Pacing
from h2o_magic.tables.pacing.pace import MOST, Pace
from h2o_magic.tables.running.asking import RowAsker
from h2o_magic.tables.running.outcome import Outcome
from h2o_magic.tables.template import Place

#: Characters after a template's fixed beginning by which rows begin alike.
_ALIKE = 256
#: Places of an executor that does not say how many it has.
_PLACES = 4


def open_executor(job: Job) -> tuple[RowExecutor, Pacing]:
    """Return what asks the job's rows, and how many may be in flight.

    A ConfigurationError if the executor is none, its cluster is not there, or its
    workers could not ask the server.
    """
    serving = job.asked.serving
    if job.asked.mode == "only":
        return Nobody(), Pace(1)
    if not serving.members:
        return _opened(job, serving, Inbox())
    inbox = Inbox()
    members = [Member(*_opened(job, each, inbox)) for each in serving.members]
    shared = SeveralServers(members, _beginning(job))
    return shared, shared.pace


def _opened(job: Job, serving: Serving, inbox: Inbox) -> tuple[RowExecutor, Pacing]:
    chosen = job.options.executor
    if chosen is None:
        asker, release = _here(job, serving)
        return Threads(asker, inbox, release=release), _pace(job, serving)
    width = job.options.width or MOST
    if chosen == "ray":
        from h2o_magic.tables.executors.ray import RayActors  # noqa: PLC0415

        actors = RayActors(_task(job, serving), _pace(job, serving))
        return actors, actors.pace
    executor = _executor(chosen)
    places = max(_places(executor) // max(len(job.asked.serving.members), 1), 1)
    if isinstance(executor, ThreadPoolExecutor):
        asker, release = _here(job, serving)
        here = StoppableAsker(asker)

        def stop() -> None:
            here.stop()
            release()

        futures = Futures(
            executor, partial(_asked, here), inbox, places=places, most=1, stop=stop
        )
        return futures, _pace(job, serving, places)
    ask = partial(ask_rows, _task(job, serving))
    futures = Futures(executor, ask, inbox, places=places, most=width)
    return futures, _pace(job, serving)


def _asked(asker: StoppableAsker, tickets: Sequence[Ticket]) -> list[Outcome]:
    return [asker.ask(ticket) for ticket in tickets]


def _here(job: Job, serving: Serving) -> tuple[RowAsker, Callable[[], None]]:
    """Return what asks rows in this process, and what lets go of its connections."""
    backend = serving.backend()
    # A dialect of a plug-in may lack this, and `slots`.
    for_rows = getattr(backend, "for_rows", None)
    rows = for_rows(job.options.width or MOST) if for_rows else backend

    def release() -> None:
        if rows is not backend:
            rows.close()
        if job.asked.serving.members:  # it was connected to for this run
            backend.close()

    return RowAsker(rows, job.requests), release


def _task(job: Job, serving: Serving) -> Task:
    return Task.of(serving, job.requests, job.options.width or MOST)


def _pace(job: Job, serving: Serving, most: int = MOST) -> Pace:
    def slots() -> int | None:
        said = getattr(serving.backend(), "slots", None)
        with suppress(BackendError):  # the rows will tell
            return said and said(job.requests.request.model)
        return None

    return Pace(slots, min(job.options.width or most, most))


def _executor(chosen: object) -> Executor:
    """Return the executor of an option's value: that itself, or a Dask client's."""
    if chosen == "dask":
        distributed: Any = sys.modules.get("distributed")
        try:
            chosen = distributed.default_client()
        except (AttributeError, ValueError):
            raise ConfigurationError(
                'executor="dask" needs a client of a Dask cluster: connect one first, '
                "as in `client = distributed.Client(ADDRESS)`"
            ) from None
    if hasattr(chosen, "get_executor"):  # a Dask client
        chosen = chosen.get_executor(pure=False)
    if not isinstance(chosen, Executor):
        raise ConfigurationError(
            "expected executor as a concurrent.futures.Executor, a Dask client, "
            f'"dask" or "ray", got {chosen!r:.100}'
        )
    return chosen


def _places(executor: Any) -> int:
    """Return how many calls an executor runs at once."""
    client: Any = getattr(executor, "_client", None)
    if hasattr(client, "nthreads"):
        return sum(client.nthreads().values()) or _PLACES
    return int(getattr(executor, "_max_workers", _PLACES))


def _beginning(job: Job) -> Callable[[str], str] | None:
    """Return by what rows begin alike; None if only one column makes them differ."""
    parts = job.requests.parts
    if sum(isinstance(part, Place) for part in parts) < 2:
        return None
    start = len(parts[0]) if isinstance(parts[0], str) else 0
    return lambda text: text[start : start + _ALIKE]
