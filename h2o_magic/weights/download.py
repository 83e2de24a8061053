"""Downloads one file into the hub's cache: goes on where it stopped, and checks it.

`hf_hub_download` begins anew after an interruption, and compares sizes only. So only
its transfer is used (`http_get`, which tries again when a connection breaks off), on a
file that stays beside its place until it is whole and its checksum is right.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable
from typing import BinaryIO

from filelock import Timeout

from h2o_magic.errors import ConnectionFailedError
from h2o_magic.weights.files import cache_lock
from h2o_magic.weights.hub import RemoteFile, library

_BLOCK = 2**20
_LARGEST_PIECE = 2**16

#: Told how many bytes are here, and whether they are only being checked.
_Tell = Callable[[int, bool], None]


def already(file: RemoteFile) -> int:
    """Return how many bytes of a file are here, whole or not."""
    for path in (file.blob, file.part):
        if path.exists():
            return path.stat().st_size
    return 0


def download(file: RemoteFile, tell: _Tell) -> None:
    """Bring the content of `file` to its place among the cache's blobs.

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
    try:
        with cache_lock(file.repository, file.etag):
            if not file.blob.exists():
                _fetch(file, tell)
    except Timeout:
        raise ConnectionFailedError(
            f"another program is downloading {file.name} already: wait for it"
        ) from None


def _fetch(file: RemoteFile, tell: _Tell) -> None:
    with file.part.open("ab+") as part:
        if part.tell() > file.size:
            part.truncate(0)
        try:
            _transfer(file, part, tell)
            digest = _digest(part, tell) if file.sha256 else None
        except ConnectionFailedError:
            part.truncate(0)
            raise
    if digest != file.sha256:
        file.part.unlink()
        raise ConnectionFailedError(
            f"{file.name} came damaged (its checksum is not the hub's) and was "
            "thrown away: pull again"
        )
    file.part.replace(file.blob)


def _transfer(file: RemoteFile, part: BinaryIO, tell: _Tell) -> None:
    hub = library()

    class Bar:
        """What huggingface_hub needs of a tqdm."""

        def __init__(self, *, initial: int = 0, **_: object) -> None:
            self.done = initial

        def __enter__(self) -> Bar:
            return self

        def __exit__(self, *_: object) -> None:
            pass

        def update(self, more: int) -> None:
            self.done += more
            if self.done > file.size:
                raise ConnectionFailedError(
                    f"the hub sent more of {file.name} than the {file.size:,} bytes "
                    "that it announced, so what came was thrown away: pull again"
                )
            tell(self.done, False)

    # By itself it takes 10 MB at once: what an interrupt or a break would lose.
    size = hub.constants.DOWNLOAD_CHUNK_SIZE
    hub.constants.DOWNLOAD_CHUNK_SIZE = min(size, _LARGEST_PIECE)
    hub.file_download.http_get(
        hub.hf_hub_url(file.repository, file.name, endpoint=hub.constants.ENDPOINT),
        part,
        resume_size=part.seek(0, 2),
        headers=hub.utils.build_hf_headers(),
        expected_size=file.size,
        tqdm_class=Bar,
    )


def _digest(part: BinaryIO, tell: _Tell) -> str:
    digest = hashlib.sha256()
    part.seek(0)
    while data := part.read(_BLOCK):
        digest.update(data)
        tell(part.tell(), True)
    return digest.hexdigest()
