"""Removes downloaded weights from the Hugging Face hub's cache."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from contextlib import suppress
from pathlib import Path

from filelock import Timeout

from h2o_magic.config.models import BuiltIn, Package, find_model
from h2o_magic.errors import ConfigurationError
from h2o_magic.weights.cache import (
    cache,
    cache_folder,
    cache_lock,
    cached_files,
    entries,
    unreadable,
)
from h2o_magic.weights.files import local_file
from h2o_magic.weights.names import PREFERRED, part_paths
from h2o_magic.weights.pull import source_of
from h2o_magic.weights.wheel import remove_leftovers


def remove(
    name: str,
    unload: Callable[[Sequence[Path]], None],
    report: Callable[[str], None] = lambda _: None,
) -> int:
    """Remove the GGUF files of a model, and return how many bytes that freed.

    `name` is one of the catalogue, ``owner/repository`` (all its GGUF files) or
    ``owner/repository:file.gguf``; all revisions, parts and partial downloads go, too.
    `unload` is called with the files first, `report` with a line for what stays.

    ConfigurationError if the cache has none of it, or only a download in progress, a
    file cannot be removed, or `unload` refuses.
    """
    if local_file(name) is not None:
        raise ConfigurationError(
            f"{name} is a local file outside the hub's cache: delete it yourself"
        )
    entry = find_model(name)
    if entry is not None and isinstance(entry.source, BuiltIn):
        raise ConfigurationError(f"{name} is built in: there is nothing to remove")
    repository, patterns = source_of(name)
    pattern = None if patterns is PREFERRED else patterns[0]
    firsts = cached_files(repository, pattern)
    files = [part for first in firsts for part in part_paths(first)]
    partial = entries(cache_folder(repository) / "blobs", "*.incomplete")
    if not files and not partial:
        raise ConfigurationError(
            unreadable()
            or f"{name} has no downloaded weights in {cache()}: nothing to remove (the "
            "built-in demo weights are part of the package)"
        )
    unload(firsts)
    if entry is not None and isinstance(entry.source, Package):
        remove_leftovers(entry.source)
    try:
        freed = _remove_files(files)
        sizes = [_remove_partial(repository, part) for part in partial]
    except OSError as error:
        raise ConfigurationError(
            f"cannot remove {error.filename}: {error.strerror}; close what uses it"
        ) from error
    if not files and all(size is None for size in sizes):
        raise ConfigurationError(
            f"{name} is being downloaded: interrupt the download first, or wait"
        )
    if None in sizes:
        report(f"a download from {repository} is in progress and continues")
    return freed + sum(size or 0 for size in sizes)


def _remove_files(files: Sequence[Path]) -> int:
    """Remove entries of snapshots, and each content that no other entry links to."""
    freed = 0
    for file in files:
        # Not `resolve`: a blob can itself be a link, into a shared store.
        blob = file.parent / file.readlink() if file.is_symlink() else file
        size = blob.lstat().st_size if blob.exists() else 0
        file.unlink()
        if blob != file and not _linked_elsewhere(blob, file):
            blob.unlink(missing_ok=True)
        if not blob.exists():
            freed += size
        with suppress(OSError):
            file.parent.rmdir()  # if it is empty
    return freed


def _linked_elsewhere(blob: Path, file: Path) -> bool:
    repository = next(p for p in file.parents if p.parent.name == "snapshots").parent
    entries = (p for p in repository.rglob("*") if p.is_symlink())
    return any(p.parent.joinpath(p.readlink()).name == blob.name for p in entries)


def _remove_partial(repository: str, part: Path) -> int | None:
    """Return the freed bytes; None where the download is in progress."""
    try:
        with cache_lock(repository, part.name.partition(".")[0]):
            size = part.stat().st_size
            part.unlink()
            return size
    except Timeout:
        return None
    except FileNotFoundError:  # someone else removed it
        return 0
