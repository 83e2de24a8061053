"""Rows asked by actors of a Ray cluster: as many as it has nodes, spread over them.

What an actor that died had is lost, and comes back to the run.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Sequence

from h2o_magic.tables.executors import RowExecutor, Ticket
from h2o_magic.tables.executors.leases import LeasePace
from h2o_magic.tables.executors.ray_cluster import Actor, connected_ray, nodes
from h2o_magic.tables.executors.task import Task, lost, refused
from h2o_magic.tables.pacing.base import Pacing
from h2o_magic.tables.running.outcome import Outcome

#: Actors that may die one after the other before any brings something.
_DEATHS = 4


class RayActors(RowExecutor):
    """Leases rows to actors; `pace` is the run's, with room for the leases."""

    def __init__(self, task: Task, pace: Pacing) -> None:
        self._ray = connected_ray()
        self._task = task
        self._waiting: deque[Ticket] = deque()
        self._deaths = 0
        count = nodes(self._ray)
        self._actors = [Actor.start(self._ray, task) for _ in range(count)]
        self.pace = LeasePace(pace, lambda: [len(actor.rows) for actor in self._actors])

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

    def _lease(self) -> None:
        pace = self.pace
        ahead, share = pace.is_ahead, pace.share
        actors = sorted(self._actors, key=lambda actor: len(actor.rows))
        for left, actor in zip(range(len(actors), 0, -1), actors, strict=True):
            if ahead and len(actor.rows) > share + share // 2:
                continue
            rows = pace.lease if ahead else -(-len(self._waiting) // left)
            rows = min(rows, len(self._waiting))
            if tickets := [self._waiting.popleft() for _ in range(rows)]:
                actor.rows |= {ticket[0]: ticket for ticket in tickets}
                actor.handle.give.remote(tickets, share if ahead else pace.width)

    def _taken(self, actor: Actor) -> list[Outcome]:
        try:
            found, back = self._ray.get(next(actor.results))
        except (self._ray.exceptions.RayError, StopIteration) as error:
            return self._replaced(actor, error)
        self._deaths = 0
        for outcome in found:
            actor.rows.pop(outcome.ticket)
        self._waiting.extendleft(actor.rows.pop(number) for number in reversed(back))
        return list(found)

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
