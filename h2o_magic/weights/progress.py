"""What is told while weights are fetched, and the words for it. Pure.

The order is: one `Plan`, any number of `Progress`, one `Fetched`; only the last where
nothing is to be fetched.
"""

from __future__ import annotations

from collections import deque
from dataclasses import dataclass
from pathlib import Path
from typing import Literal, TypeAlias

from h2o_magic.config.units import size_in_words, time_in_words

#: Seconds over which the speed is measured.
_WINDOW = 10.0


@dataclass(frozen=True, slots=True)
class Plan:
    """What is going to be fetched.

    Attributes
    ----------
    file, repository : str
        The weights, and where they are on the hub.
    size, there : int
        Bytes of the whole, and of what an earlier download left.
    licence : str
        As the model's card names it; empty if it does not.
    folder : Path
        Where they go.
    free : int
        Bytes that are free there.
    machine : int or None
        Memory of this machine, in bytes.
    warning : str
        What speaks against using them here; may be empty.
    newer : bool
        True if an older version is here, which answers until this one is whole.
    resumes : bool
        True if an interrupted download is kept, and goes on the next time.
    """

    file: str
    repository: str
    size: int
    there: int
    licence: str
    folder: Path
    free: int
    machine: int | None = None
    warning: str = ""
    newer: bool = False
    resumes: bool = True

    @property
    def lines(self) -> tuple[str, ...]:
        """What a user should know before it begins."""
        memory = "" if self.machine is None else f" of {size_in_words(self.machine)}"
        size, free = size_in_words(self.size), size_in_words(self.free)
        lines = [
            f"{self.file}, {size}, from {self.repository}",
            f"licence: {self.licence or 'the model card names none'}",
            f"into {self.folder}, where {free} are free",
            f"loading it takes {size}{memory} of memory, and more for the context",
        ]
        if self.newer:
            lines.append("it is newer than the one here, which answers until then")
        if self.there:
            lines.append(
                f"{size_in_words(self.there)} are here from an earlier download, which "
                "goes on"
            )
        return (*lines, self.warning) if self.warning else tuple(lines)


@dataclass(frozen=True, slots=True)
class Progress:
    """How far it is.

    Attributes
    ----------
    done, total : int
        In bytes.
    checking : bool
        True while the checksum of what is here is found.
    """

    done: int
    total: int
    checking: bool = False


@dataclass(frozen=True, slots=True)
class Fetched:
    """The weights are here.

    Attributes
    ----------
    path : Path
        The file; the first of weights that are split.
    how : {"fetched", "there", "local"}
        Fetched now, found in the cache, or a file of the user's own.
    checked : bool
        True if its checksum was compared with the hub's.
    newest : bool
        True if the hub says that it has no newer version.
    """

    path: Path
    how: Literal["fetched", "there", "local"]
    checked: bool = False
    newest: bool = True

    @property
    def words(self) -> str:
        """The end of the story, in words."""
        if self.how == "local":
            return "is a file on this machine: use it as it is, nothing to fetch"
        if self.how == "there":
            unknown = "; whether the hub has a newer version is not known"
            return f"is here already, whole{'' if self.newest else unknown}"
        return f"is here{', its checksum is right' if self.checked else ''}"


FetchEvent: TypeAlias = Plan | Progress | Fetched


class Speed:
    """Measures how fast bytes come, over the last seconds."""

    def __init__(self) -> None:
        self._seen: deque[tuple[float, int]] = deque()

    def add(self, now: float, done: int) -> float | None:
        """Take a count at a time in seconds; return bytes a second, once known."""
        self._seen.append((now, done))
        while len(self._seen) > 2 and self._seen[0][0] < now - _WINDOW:
            self._seen.popleft()
        (begun, first), (last, latest) = self._seen[0], self._seen[-1]
        if last - begun <= 0 or latest <= first:
            return None
        return (latest - first) / (last - begun)


def bar(progress: Progress, width: int) -> str:
    """Return a bar of `width` characters."""
    full = min(width * progress.done // max(progress.total, 1), width)
    return "█" * full + "░" * (width - full)


def progress_words(progress: Progress, speed: float | None) -> str:
    """Return how far it is: ``31 % · 2.4 GB of 7.9 GB · 31.0 MB/s · 3 min left``."""
    total = progress.total
    done = min(progress.done, total)
    if progress.checking:
        return f"{100 * done // max(total, 1)} % · checking the checksum"
    parts = [
        f"{100 * done // max(total, 1)} %",
        f"{size_in_words(done)} of {size_in_words(total)}",
    ]
    if speed:
        parts.append(f"{size_in_words(round(speed))}/s")
        if done < total:
            parts.append(f"{time_in_words((total - done) / speed)} left")
    return " · ".join(parts)
