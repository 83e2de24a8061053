"""What the answers of a table cost."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

from h2o_magic.tables.running.outcome import RowAnswer
from h2o_magic.tables.running.progress import Progress


@dataclass(frozen=True, slots=True)
class RunUsage:
    """What was used, by one run or by all that a table's answers come from.

    Attributes
    ----------
    requests : int
        Requests that were sent; a repair is one of its own.
    prompt_tokens, completion_tokens : int
        As the server counted; a run's are also those of rows that failed.
    seconds : float
        How long a run took; of all answers, the time of each, which ran side by side.
    known : int
        Rows that needed no request, since their answer was there, or an equal row's.
    """

    requests: int = 0
    prompt_tokens: int = 0
    completion_tokens: int = 0
    seconds: float = 0.0
    known: int = 0

    @property
    def tokens(self) -> int:
        return self.prompt_tokens + self.completion_tokens

    @classmethod
    def of_run(cls, progress: Progress) -> RunUsage:
        return cls(
            progress.requests,
            progress.prompt_tokens,
            progress.completion_tokens,
            progress.seconds,
            progress.known,
        )

    @classmethod
    def of_answers(cls, answers: Iterable[RowAnswer], rows: int) -> RunUsage:
        """Return what these answers took, to so many rows."""
        requests = read = written = count = 0
        seconds = 0.0
        for answer in answers:
            count += 1
            requests += 2 if answer.repaired else 1
            read += answer.prompt_tokens or 0
            written += answer.completion_tokens or 0
            seconds += answer.seconds
        return cls(requests, read, written, seconds, max(rows - count, 0))
