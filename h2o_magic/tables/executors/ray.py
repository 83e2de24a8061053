"""Rows asked by actors of a Ray cluster: as many as it has nodes, spread over them.

An actor is lent the rows that may be asked now, and no more; its answers stream back
as they come. What an actor that died had is lost, and comes back to the run.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

from h2o_magic.tables.executors import RowExecutor, Ticket
from h2o_magic.tables.executors.ray_worker import RowWorker
from h2o_magic.tables.executors.task import Task, lost, refused
from h2o_magic.tables.running.outcome import Outcome

_OPTIONS = {"num_cpus": 0.1, "max_concurrency": 2, "scheduling_strategy": "SPREAD"}
#: Actors that may die one after the other before any brings something.
_DEATHS = 4


@dataclass(eq=False)
class Actor:
    """A process that asks rows; `results` yields what comes of those it has."""

    handle: Any
    results: Any
    rows: dict[int, Ticket] = field(default_factory=dict)

    @classmethod
    def start(cls, ray: Any, task: Task) -> Actor:
        handle = ray.remote(**_OPTIONS)(RowWorker).remote(task)
        return cls(handle, handle.outcomes.options(num_returns="streaming").remote())


class RayActors(RowExecutor):
    """Hands rows to actors; `ray` is connected to a cluster."""

    def __init__(self, ray: Any, task: Task) -> None:
        self._ray = ray
        self._task = task
        self._deaths = 0
        alive = [node["Resources"] for node in ray.nodes() if node["Alive"]]
        nodes = sum(bool(resources.get("CPU")) for resources in alive)
        self._actors = [Actor.start(ray, task) for _ in range(nodes or 1)]

    def submit(self, tickets: Sequence[Ticket]) -> None:
        leases: dict[Actor, list[Ticket]] = {}
        for ticket in tickets:
            actor = min(self._actors, key=lambda each: len(each.rows))
            actor.rows[ticket[0]] = ticket
            leases.setdefault(actor, []).append(ticket)
        for actor, lease in leases.items():
            actor.handle.give.remote(lease)

    def outcomes(self, timeout: float) -> list[Outcome]:
        results = {actor.results: actor for actor in self._actors}
        ready, _ = self._ray.wait(list(results), num_returns=1, timeout=timeout)
        if ready:
            every = len(results)
            ready, _ = self._ray.wait(list(results), num_returns=every, timeout=0)
        return [outcome for each in ready for outcome in self._taken(results[each])]

    def stop(self) -> None:
        for actor in self._actors:
            self._ray.kill(actor.handle)

    def _taken(self, actor: Actor) -> list[Outcome]:
        try:
            found: list[Outcome] = self._ray.get(next(actor.results))
        except (self._ray.exceptions.RayError, StopIteration) as error:
            return self._replaced(actor, error)
        self._deaths = 0
        for outcome in found:
            del actor.rows[outcome.ticket]
        return found

    def _replaced(self, actor: Actor, error: Exception) -> list[Outcome]:
        self._deaths += 1
        self._ray.kill(actor.handle)
        tickets = list(actor.rows.values())
        why = f"{type(error).__name__}: {error}".partition("\n")[0]
        if self._deaths > _DEATHS:
            return refused(tickets, f"the actors of Ray die before they answer: {why}")
        self._actors.remove(actor)
        self._actors.append(Actor.start(self._ray, self._task))
        return lost(tickets, why)
