"""How far a run is: counts that grow, and what they come to."""

from __future__ import annotations

import re
import time
from collections import Counter, deque
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Literal

from h2o_magic.config.units import counted
from h2o_magic.tables.pacing.price import Price, amount

RunState = Literal["running", "done", "stopped", "failed"]

#: Seconds over which rates are measured, and the shortest that say something.
_WINDOW, _SHORTEST = 10.0, 1.0
#: Seconds between two marks; a server that asks for less than this is not mentioned.
_STEP, _SHORT_PAUSE = 0.2, 1.0
#: Reasons of errors that are counted apart.
_MOST_REASONS = 200


@dataclass
class Progress:
    """The counts of a run.

    Attributes
    ----------
    total : int or None
        The rows; None until all were read.
    done, known, errors, unasked : int
        Rows that have their answer or error; those of them that needed no request,
        since their answer was there or an equal row's; those with an error; those of
        the latter that were not asked, since there is no question or it must not go
        out.
    requests, refused : int
        Requests that were sent; those of them that the server had no room for.
    width : int
        How many rows are asked at once.
    paused, pause : float, str
        For how many seconds the server is not asked, and why.
    left_out : dict
        Of several servers, the names of those that are not asked now, and why.
    prompt_tokens, completion_tokens : int
        As the server counted, of the rows asked in this run.
    price : Price or None
        What tokens cost.
    seconds : float
        How long the run took, or has taken so far.
    state, reason
        How it stands, and why it ended early.
    """

    total: int | None = None
    done: int = 0
    known: int = 0
    errors: int = 0
    unasked: int = 0
    requests: int = 0
    refused: int = 0
    width: int = 0
    paused: float = 0.0
    pause: str = "the server allows no more"
    left_out: dict[str, str] = field(default_factory=dict)
    prompt_tokens: int = 0
    completion_tokens: int = 0
    price: Price | None = None
    state: RunState = "running"
    reason: str = ""
    clock: Callable[[], float] = time.monotonic
    started: float = field(init=False)
    ended: float | None = None
    _marks: deque[tuple[float, int, int]] = field(default_factory=deque, repr=False)
    _reasons: Counter[str] = field(default_factory=Counter, repr=False)
    _examples: dict[str, str] = field(default_factory=dict, repr=False)

    def __post_init__(self) -> None:
        self.started = self.clock()

    @property
    def seconds(self) -> float:
        return (self.clock() if self.ended is None else self.ended) - self.started

    @property
    def asked(self) -> int:
        """Rows that were answered, or failed, by asking."""
        return self.done - self.known - self.unasked

    @property
    def cost(self) -> float | None:
        """What the run cost so far; None without a price."""
        price = self.price
        return price and price.cost(self.prompt_tokens, self.completion_tokens)

    def fail(self, message: str, rows: int, *, asked: bool = True) -> None:
        """Count rows that have an error now."""
        self.done += rows
        self.errors += rows
        self.unasked += 0 if asked else rows
        alike = re.sub(r"\d+", "0", message)
        if alike in self._reasons or len(self._reasons) < _MOST_REASONS:
            self._reasons[alike] += rows
            self._examples.setdefault(alike, message)

    def most_frequent(self, most: int) -> list[tuple[str, int]]:
        """Return why rows failed, the most frequent first, and how many did so."""
        found = self._reasons.most_common(most)
        return [(self._examples[alike], rows) for alike, rows in found]

    def end(self, state: RunState, reason: str = "") -> None:
        self.state, self.reason, self.ended = state, reason, self.clock()

    def mark(self) -> None:
        """Note the counts of now, of which the rates are made."""
        now, marks = self.clock(), self._marks
        if not marks or now - marks[-1][0] >= _STEP:
            marks.append((now, self.asked, self.completion_tokens))
        while len(marks) > 2 and now - marks[1][0] >= _WINDOW:
            marks.popleft()

    def rates(self) -> tuple[float, float]:
        """Return rows asked and tokens written a second, lately; of all at the end."""
        at, asked, tokens = self.started, 0, 0
        if self.state == "running" and self._marks:
            at, asked, tokens = self._marks[0]
        span = (self.ended or self.clock()) - at
        if span < (_SHORTEST if self.state == "running" else 1e-3):
            return 0.0, 0.0
        return (self.asked - asked) / span, (self.completion_tokens - tokens) / span

    @property
    def left(self) -> float | None:
        """Seconds that the rest will take at the rate of now; None if unknown."""
        rate, _ = self.rates()
        if self.total is None or not rate:
            return None
        return max(self.total - self.done, 0) / rate

    def line(self) -> str:
        """Return how far the run is, on one line."""
        parts = [self._rows()]
        rows, tokens = self.rates()
        if self.state == "running" and self.paused >= _SHORT_PAUSE:
            parts.append(f"Waiting {self.paused:.0f} s: {self.pause}")
        else:
            left = self.left if self.state == "running" else None
            parts += [f"{_rate(rows)} rows/s"] if rows and self.requests else []
            parts += [f"{clock_time(left)} left"] if left is not None else []
            parts += [f"{_rate(tokens)} tokens/s"] if tokens else []
        out = len(self.left_out)
        parts += [f"{counted(out, 'server')} left out"] if out else []
        parts += [f"{self.known:,} known"] if self.known else []
        parts += [counted(self.errors, "error")] if self.errors else []
        parts += [f"cost {amount(self.cost)}"] if self.cost is not None else []
        return " · ".join(parts)

    def _rows(self) -> str:
        total = f" of {self.total:,}" if self.total is not None else ""
        if self.state == "running":
            return f"{self.done:,}{total}" if total else counted(self.done, "row")
        time_ = _took(self.seconds)
        if self.state == "done":
            return f"{counted(self.done, 'row')} in {time_}"
        word = "Stopped" if self.state == "stopped" else "Ended"
        rows = counted(self.done, "row")
        if self.total is not None:
            rows = f"{self.done:,} of {counted(self.total, 'row')}"
        return f"{word} after {rows} in {time_}"


def clock_time(seconds: float) -> str:
    """Return a duration as clocks show it: ``0:05``, ``1:24``, ``2:03:10``."""
    minutes, rest = divmod(round(seconds), 60)
    hours, minutes = divmod(minutes, 60)
    if hours:
        return f"{hours}:{minutes:02}:{rest:02}"
    return f"{minutes}:{rest:02}"


def _took(seconds: float) -> str:
    return f"{seconds:.1f} s" if seconds < _WINDOW else clock_time(seconds)


def _rate(rate: float) -> str:
    return f"{rate:,.0f}" if rate >= 9.95 else f"{rate:.1f}"
