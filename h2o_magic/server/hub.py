"""What the Hugging Face hub says about a repository and its files.

Only here and in `download` the hub is asked. ``HF_ENDPOINT``, ``HF_TOKEN`` and the
other settings of huggingface_hub hold.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

from h2o_magic.errors import MissingExtraError
from h2o_magic.server.weights import cache_folder

__all__ = ["RemoteFile", "Repository", "library", "locate", "look_up", "place"]

_SHA256 = re.compile(r"[0-9a-f]{64}")


@dataclass(frozen=True, slots=True)
class Repository:
    """A model's repository.

    Attributes
    ----------
    name : str
        ``owner/name``.
    files : mapping
        The names of its files, each with its sha256 if the hub says it, else None.
    licence : str
        As its card names it; empty if it does not.
    sizes : mapping
        The size of each file in bytes; 0 if the hub does not say it.
    """

    name: str
    files: Mapping[str, str | None]
    licence: str
    sizes: Mapping[str, int]


@dataclass(frozen=True, slots=True)
class RemoteFile:
    """Where a file is, and how it is recognised.

    Attributes
    ----------
    repository, name : str
        Where it belongs.
    url : str
        Where its content is; may be a signed address of another host.
    headers : mapping
        What to send there; a token only to the hub itself.
    etag : str
        What the hub names its content by; the name of the blob in the cache.
    size : int
        In bytes.
    sha256 : str or None
        Its checksum; None if the hub does not say it.
    """

    repository: str
    name: str
    url: str
    etag: str
    size: int
    sha256: str | None
    # It holds the token.
    headers: Mapping[str, str] = field(default_factory=dict, repr=False)

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
    """Ask where a file's content is; raises what huggingface_hub raises."""
    hub = library()
    url = hub.hf_hub_url(repository.name, name, endpoint=hub.constants.ENDPOINT)
    found = hub.get_hf_file_metadata(url)
    if found.etag is None or found.size is None:
        raise OSError(f"its answer about {name} lacks the ETag or the size")
    headers = dict(hub.utils.build_hf_headers())
    if _origin(found.location) != _origin(url):
        headers.pop("authorization", None)
    digest = repository.files.get(name)
    if digest is None and _SHA256.fullmatch(found.etag):
        digest = found.etag
    return RemoteFile(
        repository.name, name, found.location, found.etag, found.size, digest, headers
    )


def place(file: RemoteFile) -> Path:
    """Let huggingface_hub put a content that is here into its place in the cache."""
    return Path(library().hf_hub_download(file.repository, file.name))


def _licence(card: Any) -> str:
    named = card.get("license") or ""
    if named == "other":
        named = card.get("license_name") or named
    return ", ".join(map(str, named)) if isinstance(named, list) else str(named)


def _origin(url: str) -> tuple[str, str | None, int | None]:
    parts = urlsplit(url)
    return parts.scheme, parts.hostname, parts.port
