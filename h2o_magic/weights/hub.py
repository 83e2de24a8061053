"""What the Hugging Face hub says about a repository and its files, and why it does not.

Only here and in `download` the hub is asked. ``HF_ENDPOINT``, ``HF_TOKEN`` and the
other settings of huggingface_hub hold.
"""

from __future__ import annotations

import errno
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
from h2o_magic.weights.files import cache_folder

_SHA256 = re.compile(r"[0-9a-f]{64}")
_NO_SPACE = frozenset({errno.ENOSPC, getattr(errno, "EDQUOT", errno.ENOSPC)})
_LONGEST = 300
_AGAIN = "look at the network (HF_ENDPOINT names a mirror), then pull again"


@dataclass(frozen=True, slots=True)
class Repository:
    """A model's repository."""

    name: str
    files: Mapping[str, str | None]
    licence: str
    sizes: Mapping[str, int]


@dataclass(frozen=True, slots=True)
class RemoteFile:
    """Where a file is, and how it is recognised."""

    repository: str
    name: str
    etag: str
    size: int
    sha256: str | None

    @property
    def blob(self) -> Path:
        """Where its content belongs in the cache (huggingface_hub's layout)."""
        return cache_folder(self.repository) / "blobs" / self.etag

    @property
    def part(self) -> Path:
        """Where a download that is not whole waits for the next."""
        return self.blob.with_name(f"{self.etag}.incomplete")


def library() -> Any:
    """Return huggingface_hub, which is slow to import.

    Raises
    ------
    MissingExtraError
        If it is not installed.
    """
    try:
        import huggingface_hub  # noqa: PLC0415
    except ImportError as error:
        raise MissingExtraError("downloading weights", "local") from error
    return huggingface_hub


def look_up(repository: str, *, timeout: float | None = None) -> Repository:
    """Ask what a repository holds; raises what huggingface_hub raises.

    With a `timeout`, in seconds, no longer is waited for the answer.
    """
    # Unlike `list_repo_files`, this asks once: offline is said at once.
    ask = library().HfApi().model_info
    info = ask(repository, files_metadata=True, timeout=timeout)
    siblings = info.siblings or []
    card = getattr(info, "card_data", None) or {}
    return Repository(
        repository,
        {s.rfilename: getattr(s.lfs, "sha256", None) for s in siblings},
        _licence(card),
        {s.rfilename: s.size or 0 for s in siblings},
    )


def locate(repository: Repository, name: str) -> RemoteFile:
    """Ask how a file's content is recognised; raises what huggingface_hub raises."""
    hub = library()
    url = hub.hf_hub_url(repository.name, name, endpoint=hub.constants.ENDPOINT)
    found = hub.get_hf_file_metadata(url)
    if found.etag is None or found.size is None:
        raise OSError(f"its answer about {name} lacks the ETag or the size")
    digest = repository.files.get(name)
    if digest is None and _SHA256.fullmatch(found.etag):
        digest = found.etag
    return RemoteFile(repository.name, name, found.etag, found.size, digest)


def place(file: RemoteFile) -> Path:
    """Let huggingface_hub put a content that is here into its place in the cache."""
    return Path(library().hf_hub_download(file.repository, file.name))


def _licence(card: Any) -> str:
    named = card.get("license") or ""
    if named == "other":
        named = card.get("license_name") or named
    return ", ".join(map(str, named)) if isinstance(named, list) else str(named)


def explain(repository: str, error: Exception) -> H2OMagicError:
    """Return our error for one that huggingface_hub, or what it is made of, raised.

    Which HTTP library that is changes with its version: nothing is asked for here but
    huggingface_hub's own classes and the HTTP status.
    """
    # Slow to import, and only needed once something went wrong.
    from huggingface_hub import errors  # noqa: PLC0415

    cause: BaseException = error
    if isinstance(error, errors.LocalEntryNotFoundError):
        # It only says that the file is not in the cache either.
        cause = error.__cause__ or error
    status = getattr(getattr(cause, "response", None), "status_code", None)
    denied = isinstance(cause, errors.GatedRepoError) or status == 403
    if isinstance(cause, errors.RepositoryNotFoundError) and not denied:
        status = 404
    if isinstance(cause, errors.HFValidationError):
        return ConfigurationError(f"expected owner/repository, got {repository!r}")
    if status == 404:
        return _not_found(repository)
    if _is_disk_full(error):
        return _disk_full(repository)
    return ConnectionFailedError(
        f"cannot fetch {repository} from the Hugging Face hub: "
        + (_what_to_do(status, denied) or f"{_first_line(cause)}; {_AGAIN}")
    )


def _not_found(repository: str) -> ConfigurationError:
    return ConfigurationError(
        f"the Hugging Face hub has no public repository {repository!r}, or not the "
        "file: check the name; for a private one set HF_TOKEN"
    )


def _disk_full(repository: str) -> ConnectionFailedError:
    return ConnectionFailedError(
        f"the disk is full, so {repository} was not fetched whole: make room and pull "
        "again, which goes on where it stopped, or set HF_HUB_CACHE to a folder with "
        "room"
    )


def _what_to_do(status: int | None, denied: bool) -> str:
    if status == 429:
        return (
            "it is asked too often from here; wait a few minutes and pull again, which "
            "goes on where it stopped, or set HF_TOKEN, with which more is allowed"
        )
    if denied:
        return (
            "it is open only to those who were granted access; ask for that on its "
            "page, then set HF_TOKEN to a token of yours"
        )
    return "it refused your token; set HF_TOKEN to a valid one" if status == 401 else ""


def _is_disk_full(error: BaseException) -> bool:
    # The downloader written in Rust (hf_xet) gives no number, only the words.
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
