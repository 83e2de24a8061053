"""What a run asks of the place where its answers are, whichever that is."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping, Sequence
from typing import Protocol

from h2o_magic.tables.running.outcome import RowAnswer
from h2o_magic.tables.running.progress import Progress


class AnswerStore(Protocol):
    """Where the answers of a run live: the ledger, or a folder of stored answers.

    A key is that of a row's question, 32 bytes. Several threads may use it. `shared`
    says whether another process runs the same already.
    """

    shared: bool = False

    def known(self, questions: Mapping[bytes, str]) -> set[bytes]:
        """Return which of these questions, by their keys, have an answer."""

    def answers(self, keys: Sequence[bytes]) -> Mapping[bytes, RowAnswer]:
        """Return the answers under these keys, of those that have one."""

    def errors(self, keys: Sequence[bytes]) -> Mapping[bytes, str]:
        """Return why keys failed in this run, of those that did."""

    def moments(self) -> Iterable[tuple[float, float]]:
        """Return when the answers of this run came, in order, and how long each took.

        In seconds since 1970, and seconds; nothing where that is not kept.
        """
        return ()

    def refuse(self, text: str) -> None:  # noqa: ARG002 - only some do
        """Raise a ConfigurationError for a question that nobody may be asked."""
        return

    def put(self, key: bytes, text: str, answer: RowAnswer) -> None:
        """Keep the answer to a row's question; it lasts from the next `flush` on."""

    def fail(self, key: bytes, error: str) -> None:
        """Note that a key failed in this run."""

    def flush(self, progress: Progress) -> None:
        """Write what was put, in one transaction, and now and then how far the run is.

        At its end, how it ended.
        """

    def again(self, keys: Collection[bytes]) -> AnswerStore:
        """Return where another run of the same finds these answers, but for `keys`.

        What is known under those stays until something takes its place.
        """

    def close(self) -> None:
        """Close files; a later use opens them again."""
