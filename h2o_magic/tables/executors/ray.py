"""Rows asked by actors of a Ray cluster that runs: one on each node, if there is room.

An actor has a lease of more rows than it asks at once, so that none of its places waits
for the next. A server with limits is kept to the run's own pace: leases are then of
those rows alone that may be asked now. What an actor that died had is lost, and comes
back to the run.
"""

from __future__ import annotations

import os
import sys
from collections import deque
from collections.abc import Sequence
from dataclasses import dataclass, field
from importlib import import_module
from typing import Any

from h2o_magic.chat.events import RateLimit
from h2o_magic.errors import ConfigurationError, MissingExtraError
from h2o_magic.tables.executors import Pacing, RowExecutor, Ticket
from h2o_magic.tables.executors.row_worker import RowWorker
from h2o_magic.tables.executors.task import Task, lost, refused
from h2o_magic.tables.outcome import Outcome

#: Rows of a lease, where the server has no limits.
_FEWEST, _MOST = 64, 256
#: Answers after which a server counts as one without limits.
_CALM = 64
#: Actors that may die one after the other before any brings something.
_DEATHS = 4
_OPTIONS = {"num_cpus": 0.1, "max_concurrency": 2, "scheduling_strategy": "SPREAD"}


@dataclass
class _Actor:
    handle: Any
    results: Any  # what it yields
    open: dict[int, Ticket] = field(default_factory=dict)


class RayActors(RowExecutor, Pacing):
    """Leases rows to actors; to the run it is a pace, too, with rows for the leases."""

    def __init__(self, task: Task, pace: Pacing) -> None:
        self._ray = _cluster()
        self._task = task
        self._pace = pace
        self._waiting: deque[Ticket] = deque()
        self._calm = self._deaths = 0
        nodes = [each for each in self._ray.nodes() if each["Alive"]]
        with_cpu = [each for each in nodes if each["Resources"].get("CPU")]
        self._actors = [self._started() for _ in with_cpu or nodes[:1]]

    def submit(self, tickets: Sequence[Ticket]) -> None:
        self._waiting.extend(tickets)
        self._lease()

    def outcomes(self, timeout: float) -> list[Outcome]:
        results = {actor.results: actor for actor in self._actors}
        found: list[Outcome] = []
        ready, _ = self._ray.wait(list(results), num_returns=1, timeout=timeout)
        if ready:
            every = len(results)
            ready, _ = self._ray.wait(list(results), num_returns=every, timeout=0)
        for each in ready:
            found += self._taken(results[each])
        self._lease()
        return found

    def stop(self) -> None:
        for actor in self._actors:
            self._ray.kill(actor.handle)

    @property
    def width(self) -> int:
        return self._pace.width

    def room(self, in_flight: int) -> int:
        if self._calm < _CALM:
            return self._pace.room(in_flight)
        share, lease = self._share()
        asked = sum(min(len(actor.open), share) for actor in self._actors)
        self._pace.room(asked)  # the pace is to know of these alone
        return max(self.width + len(self._actors) * lease - in_flight, 0)

    def wait(self) -> float | None:
        return self._pace.wait()

    def sent(self, requests: int) -> None:
        self._pace.sent(requests)

    def answered(self, seconds: float, limit: RateLimit | None = None) -> None:
        self._calm = 0 if limit else self._calm + 1
        self._pace.answered(seconds, limit)

    def busy(self, wait: float | None) -> None:
        self._calm = 0
        self._pace.busy(wait)

    def _share(self) -> tuple[int, int]:
        """Return how many rows an actor asks at once, and how many a lease has."""
        share = -(-self.width // len(self._actors))
        return share, min(max(2 * share, _FEWEST), _MOST)

    def _lease(self) -> None:
        share, lease = self._share()
        calm = self._calm >= _CALM
        actors = sorted(self._actors, key=lambda actor: len(actor.open))
        for left, actor in zip(range(len(actors), 0, -1), actors, strict=True):
            rows = lease if calm else -(-len(self._waiting) // left)
            if calm and len(actor.open) > share + share // 2:
                continue
            rows = min(rows, len(self._waiting))
            if tickets := [self._waiting.popleft() for _ in range(rows)]:
                actor.open |= {ticket[0]: ticket for ticket in tickets}
                actor.handle.give.remote(tickets, share if calm else self.width)

    def _taken(self, actor: _Actor) -> list[Outcome]:
        try:
            found, back = self._ray.get(next(actor.results))
        except (self._ray.exceptions.RayError, StopIteration) as error:
            return self._replaced(actor, error)
        self._deaths = 0
        for outcome in found:
            actor.open.pop(outcome.ticket)
        self._waiting.extendleft(actor.open.pop(number) for number in reversed(back))
        return list(found)

    def _replaced(self, actor: _Actor, error: Exception) -> list[Outcome]:
        self._deaths += 1
        self._ray.kill(actor.handle)
        tickets = list(actor.open.values())
        why = f"{type(error).__name__}: {error}".partition("\n")[0]
        if self._deaths > _DEATHS:
            return refused(tickets, f"the actors of Ray die before they answer: {why}")
        self._actors[self._actors.index(actor)] = self._started()
        return lost(tickets, why)

    def _started(self) -> _Actor:
        handle = self._ray.remote(**_OPTIONS)(RowWorker).remote(self._task)
        return _Actor(handle, handle.outcomes.options(num_returns="streaming").remote())


def _cluster() -> Any:
    """Return ray, connected to a cluster that runs; none is started."""
    ray: Any = sys.modules.get("ray")
    if ray is not None and ray.is_initialized():
        return ray
    address = os.environ.get("RAY_ADDRESS", "")
    if address in ("", "local"):
        raise ConfigurationError(
            'executor="ray" needs a running Ray cluster: connect to it first with '
            "`ray.init(address=...)`, or name it in RAY_ADDRESS"
        )
    try:
        ray = import_module("ray")
    except ImportError:
        raise MissingExtraError('executor="ray"', "ray") from None
    try:
        ray.init(address=address, log_to_driver=False)
    except (OSError, RuntimeError, ValueError) as error:
        raise ConfigurationError(
            f'executor="ray" needs a running Ray cluster, and {address} (RAY_ADDRESS) '
            f"is none: {error}"
        ) from None
    return ray
