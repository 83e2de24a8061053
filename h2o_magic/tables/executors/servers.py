"""Rows shared out between several servers, each asked at a pace of its own.

To a run they look like one executor and one pace. Rows that begin alike go to the same
server, which then reads their beginning once. A server that refuses everybody, or is
gone, is left out, and the others get its rows; the run is told of the last one alone.
"""

from __future__ import annotations

import math
import time
from collections import OrderedDict, deque
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field

from h2o_magic.chat.events import RateLimit
from h2o_magic.tables.executors import RowExecutor, Ticket
from h2o_magic.tables.pacing.base import Pacing
from h2o_magic.tables.running.outcome import Outcome, RowAnswer, RowFailure

#: Beginnings whose server is remembered.
_BEGINNINGS = 10_000
#: So many rows that got lost one after the other are the server's fault.
_LOST = 3
#: Seconds until a server that is left out is asked again: at first, and at most.
_FIRST_WAIT, _LONGEST_WAIT = 1.0, 60.0


@dataclass
class Member:
    """One of the servers: what asks it, how fast, and which rows are meant for it."""

    name: str
    executor: RowExecutor
    pace: Pacing
    waiting: deque[Ticket] = field(default_factory=deque)
    clock: Callable[[], float] = time.monotonic
    in_flight: int = 0
    lost: int = 0  # rows, one after the other
    wait: float = 0.0  # for how long it was left out the last time
    back: float = 0.0  # when one that is left out is asked again; never if infinite

    @property
    def away(self) -> float:
        """Seconds for which it is left out; 0 if it is asked."""
        return max(self.back - self.clock(), 0.0)

    @property
    def room(self) -> int:
        return 0 if self.away else self.pace.room(self.in_flight)

    @property
    def load(self) -> tuple[float, float]:
        """How soon it can be asked, and how much it has to do already."""
        rows = self.in_flight + len(self.waiting)
        return self.away, rows / max(self.pace.width, 1)

    def note(self, outcome: Outcome) -> None:
        """Tell its pace what came, and leave it out where it cannot go on."""
        result = outcome.result
        self.in_flight -= 1
        if isinstance(result, RowAnswer):
            self.lost, self.wait, self.back = 0, 0.0, 0.0
            self.pace.answered(result.seconds, outcome.limit)
        elif result.kind == "busy":
            self.pace.busy(result.wait)
        elif result.kind == "run":
            self.back = math.inf
        elif result.kind == "lost" and not self.away:  # else with those before it
            self.lost += 1
            if _is_gone(result) or self.lost >= _LOST:
                self.lost = 0
                self.wait = min(max(2 * self.wait, _FIRST_WAIT), _LONGEST_WAIT)
                self.back = self.clock() + self.wait


class SeveralServers(RowExecutor, Pacing):
    """Hands each row to one of the servers, and is the pace of all.

    `beginning` returns the part of a row's question by which it is given to the same
    server as others; None gives each row to any. With it, as many rows as are asked
    wait, so that one for the right server is there when that has room. `left_out` gets
    the names of the servers that are left out now, and why.
    """

    def __init__(
        self,
        members: Sequence[Member],
        beginning: Callable[[str], str] | None = None,
        left_out: dict[str, str] | None = None,
    ) -> None:
        self._members = members
        self._beginning = beginning
        self._left_out = {} if left_out is None else left_out
        self._of: OrderedDict[str, Member] = OrderedDict()
        self._asked: dict[int, tuple[Member, Ticket]] = {}

    def submit(self, tickets: Sequence[Ticket]) -> None:
        for ticket in tickets:
            self._member(ticket[1]).waiting.append(ticket)
        self._hand_out()

    def outcomes(self, timeout: float) -> list[Outcome]:
        found: list[Outcome] = []
        for member in self._members:
            wait = 0 if found else timeout / len(self._members)
            for outcome in member.executor.outcomes(wait):
                found += self._taken(outcome)
        self._hand_out()
        return found

    def stop(self) -> None:
        for member in self._members:
            member.executor.stop()

    @property
    def width(self) -> int:
        return sum(each.pace.width for each in self._here())

    def room(self, in_flight: int) -> int:  # noqa: ARG002 - each server's own counts
        ahead = self.width if self._beginning else 0
        waiting = sum(len(member.waiting) for member in self._members)
        return max(sum(each.room for each in self._members) + ahead - waiting, 0)

    def wait(self) -> float | None:
        here = self._here()
        if not here:
            return min(member.away for member in self._members)
        waits = (member.pace.wait() for member in here)
        return min((wait for wait in waits if wait is not None), default=None)

    # What is sent, and comes, is told to the pace of the server that has it.

    def sent(self, requests: int) -> None: ...

    def answered(self, seconds: float, limit: RateLimit | None = None) -> None: ...

    def busy(self, wait: float | None) -> None: ...

    def _here(self) -> list[Member]:
        return [member for member in self._members if not member.away]

    def _member(self, text: str) -> Member:
        """Return the server of the rows that begin as this one, or the idlest."""
        idlest = min(self._members, key=lambda member: member.load)
        if self._beginning is None:
            return idlest
        begins = self._beginning(text)
        member = self._of.pop(begins, idlest)
        if member.away:
            member = idlest
        self._of[begins] = member
        if len(self._of) > _BEGINNINGS:
            self._of.popitem(last=False)
        return member

    def _taken(self, outcome: Outcome) -> list[Outcome]:
        """Return what the run is to know: nothing of a row that another server gets."""
        member, ticket = self._asked.pop(outcome.ticket)
        member.note(outcome)
        if not member.away:
            self._left_out.pop(member.name, None)
            return [outcome]
        failure = outcome.result
        if isinstance(failure, RowAnswer) or failure.kind not in ("run", "lost"):
            return [outcome]
        self._left_out.setdefault(member.name, failure.message)
        if failure.kind == "lost" and not _is_gone(failure):
            return [outcome]  # it may be the row's fault
        others = self._here()
        if failure.kind == "run":  # those that may come back count
            others = [each for each in self._members if each.back < math.inf]
        if others:
            self._member(ticket[1]).waiting.append(ticket)
            return []
        return [outcome, *self._given_back(failure)]

    def _given_back(self, failure: RowFailure) -> list[Outcome]:
        """Return the rows that wait, of which no server is left to ask."""
        rows = [number for each in self._members for number, _ in each.waiting]
        for member in self._members:
            member.waiting.clear()
        return [Outcome(number, failure, requests=0) for number in rows]

    def _hand_out(self) -> None:
        for member in self._members:
            rooms = range(member.room)
            tickets = [ticket for _ in rooms if (ticket := self._next(member))]
            if not tickets:
                continue
            self._asked |= {ticket[0]: (member, ticket) for ticket in tickets}
            member.in_flight += len(tickets)
            member.pace.sent(len(tickets))
            member.executor.submit(tickets)

    def _next(self, member: Member) -> Ticket | None:
        """Return a row for a server that has room: its own, or the busiest one's."""
        if member.waiting:
            return member.waiting.popleft()
        busiest = max(self._members, key=lambda each: len(each.waiting))
        return busiest.waiting.pop() if busiest.waiting else None


def _is_gone(failure: RowFailure) -> bool:
    """Return whether a server cannot be reached now, whatever the row."""
    return failure.kind == "lost" and failure.wait is not None
