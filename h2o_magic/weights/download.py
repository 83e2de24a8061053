"""Downloads one file into the hub's cache: resumes a partial download, and verifies it.

`hf_hub_download` does neither: it starts over, and compares sizes only. So only its
transfer is used (`http_get`, which retries broken connections), into a file beside the
final one until it is complete and its checksum is right.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable
from typing import BinaryIO

from filelock import Timeout

from h2o_magic.errors import ConnectionFailedError
from h2o_magic.weights.cache import cache_lock
from h2o_magic.weights.hub import RemoteFile, library

_BLOCK = 2**20
_LARGEST_CHUNK = 2**16

#: Called with the number of bytes present, and whether they are only being verified.
_Report = Callable[[int, bool], None]


def download(file: RemoteFile, report: _Report) -> None:
    """Download the content of `file` into the cache's blobs.

    Raises ours, and what huggingface_hub and its dependencies raise. A partial download
    is kept, unless more than the declared size came or the checksum is wrong.
    """
    file.part.parent.mkdir(parents=True, exist_ok=True)
    try:
        with cache_lock(file.repository, file.etag):
            if not file.blob.exists():
                _download(file, report)
    except Timeout:
        raise ConnectionFailedError(
            f"another program is downloading {file.name}: wait until it has finished"
        ) from None


def _download(file: RemoteFile, report: _Report) -> None:
    with file.part.open("ab+") as part:
        if part.tell() > file.size:
            part.truncate(0)
        try:
            _transfer(file, part, report)
            digest = _digest(part, report) if file.sha256 else None
        except ConnectionFailedError:
            part.truncate(0)
            raise
    if digest != file.sha256:
        file.part.unlink()
        raise ConnectionFailedError(
            f"{file.name} is corrupt (its checksum differs from the hub's) and was "
            "deleted: pull again"
        )
    file.part.replace(file.blob)


def _transfer(file: RemoteFile, part: BinaryIO, report: _Report) -> None:
    hub = library()

    class Bar:
        """The part of tqdm that huggingface_hub uses."""

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
                    f"the hub sent more than the declared {file.size:,} bytes of "
                    f"{file.name}, and the download was deleted: pull again"
                )
            report(self.done, False)

    # An interrupt loses one chunk; the default is 10 MB.
    size = hub.constants.DOWNLOAD_CHUNK_SIZE
    hub.constants.DOWNLOAD_CHUNK_SIZE = min(size, _LARGEST_CHUNK)
    hub.file_download.http_get(
        hub.hf_hub_url(file.repository, file.name, endpoint=hub.constants.ENDPOINT),
        part,
        resume_size=part.seek(0, 2),
        headers=hub.utils.build_hf_headers(),
        expected_size=file.size,
        tqdm_class=Bar,
    )


def _digest(part: BinaryIO, report: _Report) -> str:
    digest = hashlib.sha256()
    part.seek(0)
    while data := part.read(_BLOCK):
        digest.update(data)
        report(part.tell(), True)
    return digest.hexdigest()
