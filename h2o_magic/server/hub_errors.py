"""Says in one line why the Hugging Face hub gave no weights.

Which HTTP library huggingface_hub uses, and so whose errors come out of it, changes
with its version. So nothing is asked for here but its own classes and the HTTP status.
"""

from __future__ import annotations

import errno
from collections.abc import Iterator

from h2o_magic.errors import ConfigurationError, ConnectionFailedError, H2OMagicError

__all__ = ["explain"]

_NO_SPACE = frozenset({errno.ENOSPC, getattr(errno, "EDQUOT", errno.ENOSPC)})
_LONGEST = 300
_AGAIN = "look at the network (HF_ENDPOINT names a mirror), then pull again"


def explain(repository: str, error: Exception) -> H2OMagicError:
    """Return our error for one that huggingface_hub, or what it is made of, raised."""
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
