"""What a run over a table used."""

from __future__ import annotations

from dataclasses import dataclass

from h2o_magic.tables.running.progress import Progress


@dataclass(frozen=True, slots=True)
class RunUsage:
    """What a run used.

    Attributes
    ----------
    requests : int
        Requests that were sent; a repair is one of its own.
    prompt_tokens, completion_tokens : int
        As the server counted, also for rows that failed.
    seconds : float
        How long the run took.
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
