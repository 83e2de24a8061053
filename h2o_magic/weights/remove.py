"""Removes downloaded weights from the Hugging Face hub's cache."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from contextlib import suppress
from pathlib import Path

from filelock import Timeout

from h2o_magic.config.models import BuiltIn, Package, find_model
from h2o_magic.errors import ConfigurationError
from h2o_magic.weights.files import (
    cache,
    cache_folder,
    cache_lock,
    cached_files,
    given_file,
)
from h2o_magic.weights.names import PREFERRED, part_names
from h2o_magic.weights.pull import source_of
from h2o_magic.weights.wheel import remove_leftovers


def remove(
    name: str,
    unload: Callable[[Sequence[Path]], None],
    tell: Callable[[str], None] = lambda _: None,
) -> int:
    """Remove the weights of a model, and return how many bytes that freed.

    Of a repository only GGUF files are removed: those that answer under the name, of
    all revisions, all parts, and what broken downloads of the repository left.

    Parameters
    ----------
    name
        A name of the catalogue, ``owner/repository`` (all its GGUF files) or
        ``owner/repository:file.gguf``.
    unload
        Called with the files before they go: lets go of those in memory.
    tell
        Told in words, at the end, what of it stays.

    Raises
    ------
    ConfigurationError
        If nothing of it is in the cache, or only a download that is under way, a file
        cannot be removed, or `unload` refuses.
    """
    if given_file(name) is not None:
        raise ConfigurationError(
            f"{name} is a file of yours and not in the hub's cache: delete it yourself"
        )
    entry = find_model(name)
    if entry is not None and isinstance(entry.source, BuiltIn):
        raise ConfigurationError(f"{name} is built in: there is nothing to remove")
    repository, patterns = source_of(name)
    pattern = None if patterns is PREFERRED else patterns[0]
    firsts = cached_files(repository, pattern)
    files = [f.with_name(part) for f in firsts for part in part_names(f.name)]
    left = _left_over(repository)
    if not files and not left:
        raise ConfigurationError(
            f"{name} has no downloaded weights in {cache()}: nothing to remove (the "
            "built-in demo weights are a part of the package)"
        )
    unload(firsts)
    if entry is not None and isinstance(entry.source, Package):
        remove_leftovers(entry.source)
    try:
        freed = _remove_files(files)
        parts = [_remove_left_over(repository, part) for part in left]
    except OSError as error:
        raise ConfigurationError(
            f"cannot remove {error.filename}: {error.strerror}; close what uses it"
        ) from error
    if not files and all(part is None for part in parts):
        raise ConfigurationError(
            f"{name} is being downloaded right now: interrupt that first, or wait"
        )
    if None in parts:
        tell(f"a download from {repository} is under way, and goes on")
    return freed + sum(part or 0 for part in parts)


def _remove_files(files: Sequence[Path]) -> int:
    """Remove entries of snapshots, and each content that no other entry names."""
    freed = 0
    for file in files:
        # Not `resolve`: a blob can itself be a link, into a store that others use.
        blob = file.parent / file.readlink() if file.is_symlink() else file
        size = blob.lstat().st_size if blob.exists() else 0
        file.unlink()
        if blob != file and not _named_elsewhere(blob, file):
            blob.unlink(missing_ok=True)
        if not blob.exists():
            freed += size
        with suppress(OSError):
            file.parent.rmdir()  # if nothing else is in it
    return freed


def _named_elsewhere(blob: Path, file: Path) -> bool:
    repository = next(p for p in file.parents if p.parent.name == "snapshots").parent
    entries = (p for p in repository.rglob("*") if p.is_symlink())
    return any(p.parent.joinpath(p.readlink()).name == blob.name for p in entries)


def _left_over(repository: str) -> list[Path]:
    """Return what broken downloads of a repository left."""
    return list((cache_folder(repository) / "blobs").glob("*.incomplete"))


def _remove_left_over(repository: str, part: Path) -> int | None:
    """Return how much removing it freed; None where its download is under way."""
    try:
        with cache_lock(repository, part.name.partition(".")[0]):
            size = part.stat().st_size
            part.unlink()
            return size
    except Timeout:
        return None
    except FileNotFoundError:  # somebody else was faster
        return 0
