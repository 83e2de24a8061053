"""Looks up repositories and files on the Hugging Face hub, and explains its errors.

Only this module and `download` access the hub. ``HF_ENDPOINT``, ``HF_TOKEN`` and the
other settings of huggingface_hub apply.
"""

from __future__ import annotations

import errno
import os
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from h2o_magic.errors import (
    ConfigurationError,
    ConnectionFailedError,
    H2OMagicError,
    MissingExtraError,
)
from h2o_magic.weights.cache import cache_folder

_SHA256 = re.compile(r"[0-9a-f]{64}")
_NO_SPACE = frozenset({errno.ENOSPC, getattr(errno, "EDQUOT", errno.ENOSPC)})
_LONGEST = 300
_AGAIN = "check the network (HF_ENDPOINT sets a mirror), then pull again"


@dataclass(frozen=True, slots=True)
class Repository:
    """A model's repository, with the checksums and sizes of its files."""

    name: str
    files: Mapping[str, str | None]
    licence: str
    sizes: Mapping[str, int]


@dataclass(frozen=True, slots=True)
class RemoteFile:
    """A file of a repository, with what identifies its content."""

    repository: str
    name: str
    etag: str
    size: int
    sha256: str | None

    @property
    def blob(self) -> Path:
        return cache_folder(self.repository) / "blobs" / self.etag

    @property
    def part(self) -> Path:
        return self.blob.with_name(f"{self.etag}.incomplete")

    @property
    def downloaded(self) -> int:
        """The number of bytes in the cache, partial or complete."""
        present = next(filter(os.path.exists, (self.blob, self.part)), None)
        return present.stat().st_size if present else 0


def library() -> Any:
    try:
        import huggingface_hub  # noqa: PLC0415 - slow, and not always needed
    except ImportError as error:
        raise MissingExtraError("downloading weights", "local") from error
    return huggingface_hub


def look_up(repository: str, *, timeout: float | None = None) -> Repository:
    """Return a repository, or raise what huggingface_hub raises; seconds as timeout."""
    # Unlike `list_repo_files`, this does not retry: being offline is reported at once.
    get = library().HfApi().model_info
    info = get(repository, files_metadata=True, timeout=timeout)
    siblings = info.siblings or []
    card = getattr(info, "card_data", None) or {}
    named = card.get("license") or ""
    if named == "other":
        named = card.get("license_name") or named
    return Repository(
        repository,
        {s.rfilename: getattr(s.lfs, "sha256", None) for s in siblings},
        ", ".join(map(str, named)) if isinstance(named, list) else str(named),
        {s.rfilename: s.size or 0 for s in siblings},
    )


def locate(repository: Repository, name: str) -> RemoteFile:
    hub = library()
    url = hub.hf_hub_url(repository.name, name, endpoint=hub.constants.ENDPOINT)
    found = hub.get_hf_file_metadata(url)
    if found.etag is None or found.size is None:
        raise OSError(f"its response for {name} lacks the ETag or the size")
    digest = repository.files.get(name)
    if digest is None and _SHA256.fullmatch(found.etag):
        digest = found.etag
    return RemoteFile(repository.name, name, found.etag, found.size, digest)


def place(file: RemoteFile) -> Path:
    return Path(library().hf_hub_download(file.repository, file.name))


def explain(repository: str, error: Exception) -> H2OMagicError:
    """Return our error for one that huggingface_hub or its dependencies raised.

    Its HTTP library depends on the version, so only its own classes and the HTTP status
    are considered.
    """
    from huggingface_hub import errors  # noqa: PLC0415 - slow, only for errors

    cause: BaseException = error
    if isinstance(error, errors.LocalEntryNotFoundError):
        cause = error.__cause__ or error
    status = getattr(getattr(cause, "response", None), "status_code", None)
    denied = isinstance(cause, errors.GatedRepoError) or status == 403
    if isinstance(cause, errors.RepositoryNotFoundError) and not denied:
        status = 404
    if isinstance(cause, errors.HFValidationError):
        return ConfigurationError(f"expected owner/repository, got {repository!r}")
    if status == 404:
        return ConfigurationError(
            f"the Hugging Face hub has no public repository {repository!r}, or not "
            "this file: check the name, or set HF_TOKEN for a private one"
        )
    if isinstance(cause, OSError) and cause.filename:
        return ConfigurationError(
            f"cannot pull {repository}: {cause.filename}: {cause.strerror}; set "
            "HF_HOME or HF_HUB_CACHE to a folder that you can write to, and restart"
        )
    if _is_disk_full(error):
        return ConnectionFailedError(
            f"the disk is full; the partial download of {repository} is kept: free "
            "some space and pull again, which resumes it, or set HF_HUB_CACHE to a "
            "folder on another disk"
        )
    advice = _advice(status, denied) or f"{_first_line(cause)}; {_AGAIN}"
    return ConnectionFailedError(
        f"cannot download {repository} from the Hugging Face hub: {advice}"
    )


def _advice(status: int | None, denied: bool) -> str:
    if status == 429:
        return (
            "too many requests; wait a few minutes and pull again, which resumes the "
            "download, or set HF_TOKEN for a higher limit"
        )
    if denied:
        return (
            "access is restricted; request it on the model's page, then set HF_TOKEN "
            "to your token"
        )
    return (
        "your token was rejected; set HF_TOKEN to a valid one" if status == 401 else ""
    )


def _is_disk_full(error: BaseException) -> bool:
    # The downloader written in Rust (hf_xet) gives only the message.
    return any(
        getattr(cause, "errno", None) in _NO_SPACE or "No space left" in str(cause)
        for cause in _chain(error)
    )


def _first_line(error: BaseException) -> str:
    lines = (line.strip() for line in str(error).splitlines())
    return next(filter(None, lines), type(error).__name__)[:_LONGEST]


def _chain(error: BaseException | None) -> Iterator[BaseException]:
    while error is not None:
        yield error
        error = error.__cause__ or error.__context__
