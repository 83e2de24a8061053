"""Rows shared out between several servers, each asked at a pace of its own.

To a run they look like one executor and one pace. Rows that begin alike go to the same
server, which then reads their beginning once.
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
from h2o_magic.tables.running.outcome import Outcome, RowAnswer

#: Beginnings whose server is remembered.
_BEGINNINGS = 10_000
#: So many rows that got lost one after the other are the server's fault.
_LOST = 3
#: Seconds until a server that lost rows is asked again: at first, and at most.
_FIRST_WAIT, _LONGEST_WAIT = 1.0, 60.0


@dataclass
class Member:
    """One of the servers: what asks it, how fast, and which rows are meant for it."""

    executor: RowExecutor
    pace: Pacing
    waiting: deque[Ticket] = field(default_factory=deque)
    clock: Callable[[], float] = time.monotonic
    in_flight: int = 0
    lost: int = 0  # rows, one after the other
    back: float = 0.0  # when one that lost them is asked again

    @property
    def away(self) -> float:
        """Seconds for which it is left alone; 0 if it is asked."""
        return max(self.back - self.clock(), 0.0)

    @property
    def room(self) -> int:
        return 0 if self.away else self.pace.room(self.in_flight)

    @property
    def load(self) -> float:
        """How much it has to do, by how much it does at once."""
        if self.away:
            return math.inf
        return (self.in_flight + len(self.waiting)) / max(self.pace.width, 1)

    def note(self, outcome: Outcome) -> None:
        """Tell its pace what came; a server that loses row after row is left alone."""
        result = outcome.result
        self.in_flight -= 1
        if isinstance(result, RowAnswer):
            self.lost = 0
            self.pace.answered(result.seconds, outcome.limit)
        elif result.kind == "busy":
            self.pace.busy(result.wait)
        elif result.kind == "lost":
            self.lost += 1
            if self.lost % _LOST == 0:
                times = self.lost // _LOST - 1
                wait = min(_FIRST_WAIT * 2.0 ** min(times, 9), _LONGEST_WAIT)
                self.back = self.clock() + wait


class SeveralServers(RowExecutor):
    """Hands each row to one of the servers; `pace` is that of all.

    `beginning` returns the part of a row's question by which it is given to the same
    server as others; None gives each row to any.
    """

    def __init__(
        self,
        members: Sequence[Member],
        beginning: Callable[[str], str] | None = None,
    ) -> None:
        self.pace = SharedPace(members, ahead=beginning is not None)
        self._members = members
        self._beginning = beginning
        self._of: OrderedDict[str, Member] = OrderedDict()
        self._asked: dict[int, Member] = {}

    def submit(self, tickets: Sequence[Ticket]) -> None:
        for ticket in tickets:
            self._member(ticket[1]).waiting.append(ticket)
        self._hand_out()

    def outcomes(self, timeout: float) -> list[Outcome]:
        found: list[Outcome] = []
        for member in self._members:
            wait = 0 if found else timeout / len(self._members)
            found += member.executor.outcomes(wait)
        for outcome in found:
            self._asked.pop(outcome.ticket).note(outcome)
        self._hand_out()
        return found

    def stop(self) -> None:
        for member in self._members:
            member.executor.stop()

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

    def _hand_out(self) -> None:
        for member in self._members:
            rooms = range(member.room)
            tickets = [ticket for _ in rooms if (ticket := self._next(member))]
            if not tickets:
                continue
            self._asked |= dict.fromkeys((number for number, _ in tickets), member)
            member.in_flight += len(tickets)
            member.pace.sent(len(tickets))
            member.executor.submit(tickets)

    def _next(self, member: Member) -> Ticket | None:
        """Return a row for a server that has room: its own, or the busiest one's."""
        if member.waiting:
            return member.waiting.popleft()
        busiest = max(self._members, key=lambda each: len(each.waiting))
        return busiest.waiting.pop() if busiest.waiting else None


class SharedPace(Pacing):
    """The pace of several servers as one; each server's own is told by `Member.note`.

    With rows `ahead`, as many as are asked wait, so that one for the right server is
    there when that has room.
    """

    def __init__(self, members: Sequence[Member], *, ahead: bool) -> None:
        self._members = members
        self._ahead = ahead

    @property
    def width(self) -> int:
        return sum(each.pace.width for each in self._members if not each.away)

    def room(self, in_flight: int) -> int:  # noqa: ARG002 - each server's own counts
        members = self._members
        room = sum(member.room for member in members)
        ahead = self.width if self._ahead else 0
        return max(room + ahead - sum(len(member.waiting) for member in members), 0)

    def wait(self) -> float | None:
        here = [each for each in self._members if not each.away]
        if not here:
            return min(member.away for member in self._members)
        waits = (member.pace.wait() for member in here)
        return min((wait for wait in waits if wait is not None), default=None)

    def sent(self, requests: int) -> None:
        pass

    def answered(self, seconds: float, limit: RateLimit | None = None) -> None:
        pass

    def busy(self, wait: float | None) -> None:
        pass
