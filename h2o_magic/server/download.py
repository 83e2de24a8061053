"""Downloads one file into the hub's cache: goes on where it stopped, and checks it.

huggingface_hub 2 begins anew after each interruption, and compares sizes only. Here
what came stays beside its place, under the name that version 1 gave it; the next try
asks for the rest (RFC 9110, section 14), and the checksum is compared at the end.
"""

from __future__ import annotations

import hashlib
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

from filelock import FileLock, Timeout

from h2o_magic.errors import ConnectionFailedError, H2OMagicError
from h2o_magic.server.hub import RemoteFile, library
from h2o_magic.server.weights import cache, cache_folder

__all__ = ["already", "download"]

#: Seconds to wait before each new try; the count begins anew whenever something came.
_PAUSES = (0.5, 2.0, 5.0, 15.0)
#: Longest wait, in seconds, that a busy hub can ask for; for more the user is told.
_LONGEST_PAUSE = 60.0
_BUSY = 429
_TO_READ = 2**20

_Tell = Callable[[int, bool], None]


class _Short(Exception):  # noqa: N818 - it is tried again, and rarely seen
    """The answer ended before the file did."""


class _Part:
    """What is here of a file, with its digest. Use it as a context manager."""

    def __init__(self, path: Path) -> None:
        self._file = path.open("ab+")
        self.digest = hashlib.sha256()
        self.size = 0

    def __enter__(self) -> _Part:
        return self

    def __exit__(self, *_: object) -> None:
        self._file.close()

    def read(self, most: int, tell: _Tell) -> None:
        """Take what an earlier try left; if that is more than `most`, begin anew."""
        self._file.seek(0)
        while data := self._file.read(_TO_READ):
            self._count(data)
            tell(self.size, True)
        if self.size > most:
            self.empty()

    def empty(self) -> None:
        """Throw everything away."""
        self._file.truncate(0)
        self._file.seek(0)
        self.digest = hashlib.sha256()
        self.size = 0

    def append(self, data: bytes) -> None:
        """Write more."""
        self._file.write(data)
        self._count(data)

    def _count(self, data: bytes) -> None:
        self.digest.update(data)
        self.size += len(data)


def already(file: RemoteFile) -> int:
    """Return how many bytes of a file are here, whole or not."""
    for path in (file.blob, file.part):
        if path.exists():
            return path.stat().st_size
    return 0


def download(file: RemoteFile, tell: _Tell, locate: Callable[[], RemoteFile]) -> None:
    """Bring the content of `file` to its place among the cache's blobs.

    Parameters
    ----------
    file
        What to bring.
    tell
        Told after each piece how many bytes are here, and whether they were.
    locate
        Finds the file's address anew, since signed ones run out.

    Raises
    ------
    ConnectionFailedError
        If the checksum is wrong or more came than was announced (nothing is kept
        then), or another program is downloading the file.
    OSError
        If it cannot be written; what came is kept.
    Exception
        What huggingface_hub, or what it is made of, raises.
    """
    file.part.parent.mkdir(parents=True, exist_ok=True)
    with _alone(file):
        if file.blob.exists():
            return
        with _Part(file.part) as part:
            part.read(file.size, tell)
            _fetch_the_rest(part, file, tell, locate)
            whole = part.size == file.size
        if not whole:
            file.part.unlink()
            raise _too_much(file)
        if file.sha256 is not None and part.digest.hexdigest() != file.sha256:
            file.part.unlink()
            raise ConnectionFailedError(
                f"{file.name} came damaged (its checksum is not the hub's) and was "
                "thrown away: pull again"
            )
        file.part.replace(file.blob)


@contextmanager
def _alone(file: RemoteFile) -> Iterator[None]:
    """Hold the lock that huggingface_hub, too, takes for a file's content."""
    folder = cache() / ".locks" / cache_folder(file.repository).name
    folder.mkdir(parents=True, exist_ok=True)
    try:
        with FileLock(folder / f"{file.etag}.lock", timeout=0):
            yield
    except Timeout:
        raise ConnectionFailedError(
            f"another program is downloading {file.name} already: wait for it"
        ) from None


def _fetch_the_rest(
    part: _Part, file: RemoteFile, tell: _Tell, locate: Callable[[], RemoteFile]
) -> None:
    """Ask for what is missing, again and again if the way there breaks off."""
    pauses = iter(_PAUSES)
    tried = False
    while part.size < file.size:
        here = part.size
        try:
            file = locate() if tried else file
            _one_try(part, file, tell)
        except Exception as error:
            tried = True
            if part.size > here:
                pauses = iter(_PAUSES)
            asked = _asked_pause(error)
            pause = next(pauses, None)
            if pause is None or asked > _LONGEST_PAUSE or not _may_pass(error):
                raise
            time.sleep(max(pause, asked))


def _one_try(part: _Part, file: RemoteFile, tell: _Tell) -> None:
    hub = library()
    headers = {**file.headers, "Accept-Encoding": "identity"}
    if part.size:
        headers["Range"] = f"bytes={part.size}-"
    timeout = hub.constants.HF_HUB_DOWNLOAD_TIMEOUT
    session = hub.utils.get_session()
    with session.stream("GET", file.url, headers=headers, timeout=timeout) as reply:
        hub.utils.hf_raise_for_status(reply)
        if part.size and reply.status_code != 206:
            part.empty()  # the server sends everything again
        for data in reply.iter_bytes():
            if part.size + len(data) > file.size:
                part.empty()
                raise _too_much(file)
            part.append(data)
            tell(part.size, False)
    if part.size < file.size:
        raise _Short(f"{part.size} of {file.size} bytes came")


def _too_much(file: RemoteFile) -> ConnectionFailedError:
    return ConnectionFailedError(
        f"the hub sent more of {file.name} than the {file.size:,} bytes that it "
        "announced, so what came was thrown away: pull again"
    )


def _may_pass(error: Exception) -> bool:
    """Whether it is the way to the hub that failed, and not the hub or this machine."""
    status = getattr(getattr(error, "response", None), "status_code", None)
    if status is not None:
        return bool(status == _BUSY or status >= 500)
    # Errors of the libraries that carry HTTP are none of these.
    return not isinstance(error, OSError | H2OMagicError)


def _asked_pause(error: Exception) -> float:
    """Return how many seconds a refusal asks to wait."""
    headers = getattr(getattr(error, "response", None), "headers", {})
    try:
        return float(headers.get("Retry-After", 0))
    except ValueError:  # a date
        return 0.0
