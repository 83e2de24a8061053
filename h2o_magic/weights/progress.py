"""The events of a download, and their text.

One `PullPlan`, any number of `PullProgress`, one `PullResult`; only the last where
nothing is downloaded.
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
class PullPlan:
    """What is going to be downloaded."""

    file: str
    repository: str
    size: int  # in bytes, as all sizes here
    downloaded: int  # by an earlier, partial download
    licence: str  # as the model card states it; may be empty
    folder: Path  # the hub's cache
    free: int  # space there
    machine: int | None = None  # its memory; None if unknown
    warning: str = ""  # a reason against using the model here
    update: bool = False  # an older version is present, and used until the end
    resumable: bool = True

    @property
    def lines(self) -> tuple[str, ...]:
        """What a user should know before the download starts."""
        size, free = size_in_words(self.size), size_in_words(self.free)
        memory = "" if self.machine is None else f" of {size_in_words(self.machine)}"
        resumed = size_in_words(self.downloaded) if self.downloaded else ""
        return (
            f"{self.file}, {size}, from {self.repository}",
            f"licence: {self.licence or 'not stated in the model card'}",
            f"to {self.folder}, which has {free} free",
            f"loading it needs {size}{memory} of memory, and more for the context",
            *(["it is newer than the present version"] if self.update else ()),
            *([f"resuming a partial download of {resumed}"] if resumed else ()),
            *([self.warning] if self.warning else ()),
        )


@dataclass(frozen=True, slots=True)
class PullProgress:
    """Bytes downloaded, or only verified, and their total."""

    done: int
    total: int
    verifying: bool = False


@dataclass(frozen=True, slots=True)
class PullResult:
    """The downloaded weights."""

    path: Path  # of split weights the first part
    how: Literal["downloaded", "cached", "local"]  # now, earlier, or outside the cache
    verified: bool = False  # its checksum was compared with the hub's
    newest: bool = True  # False if the hub could not be asked for a newer version

    @property
    def words(self) -> str:
        """The rest of a sentence that begins with the file's name."""
        if self.how == "local":
            return "is a local file: nothing to download"
        if self.how == "cached":
            unknown = "; could not check for a newer version"
            return f"is already downloaded{'' if self.newest else unknown}"
        return f"is downloaded{' and verified' if self.verified else ''}"


PullEvent: TypeAlias = PullPlan | PullProgress | PullResult


class Speed:
    """Measures the speed of a download over the last seconds."""

    def __init__(self) -> None:
        self._seen: deque[tuple[float, int]] = deque()

    def add(self, now: float, done: int) -> float | None:
        """Take a count at a time in seconds; return bytes per second, once known."""
        self._seen.append((now, done))
        while len(self._seen) > 2 and self._seen[0][0] < now - _WINDOW:
            self._seen.popleft()
        (begun, first), (last, latest) = self._seen[0], self._seen[-1]
        if last - begun <= 0 or latest <= first:
            return None
        return (latest - first) / (last - begun)


def bar(progress: PullProgress, width: int) -> str:
    full = min(width * progress.done // max(progress.total, 1), width)
    return "█" * full + "░" * (width - full)


def progress_words(progress: PullProgress, speed: float | None) -> str:
    """Return the progress: ``31 % · 2.4 GB of 7.9 GB · 31.0 MB/s · 3 min left``."""
    total = progress.total
    done = min(progress.done, total)
    if progress.verifying:
        return f"{100 * done // max(total, 1)} % · verifying the checksum"
    parts = [
        f"{100 * done // max(total, 1)} %",
        f"{size_in_words(done)} of {size_in_words(total)}",
    ]
    if speed:
        parts.append(f"{size_in_words(round(speed))}/s")
        if done < total:
            parts.append(f"{time_in_words((total - done) / speed)} left")
    return " · ".join(parts)
