"""The Hugging Face hub's cache on this machine, where all weights are downloaded to.

Its layout (``models--owner--name/snapshots/revision/file``, each file a link to its
content in ``blobs``) is documented in huggingface_hub's "Understand caching".
"""

from __future__ import annotations

import os
import shutil
from collections.abc import Iterator, Sequence
from contextlib import suppress
from pathlib import Path, PurePath

from filelock import FileLock

from h2o_magic.config.paths import expanded
from h2o_magic.config.units import size_in_words
from h2o_magic.errors import ConfigurationError
from h2o_magic.weights.names import (
    choose,
    is_auxiliary,
    is_later_part,
    matching,
    part_paths,
    unsplit_name,
)


def cache() -> Path:
    from huggingface_hub import constants  # noqa: PLC0415 - slow, and not always needed

    return expanded(constants.HF_HUB_CACHE)


def unreadable() -> str:
    """Return why the cache cannot be read, for messages; empty if it can."""
    try:
        os.scandir(cache()).close()
    except (FileNotFoundError, NotADirectoryError):
        return ""
    except OSError as error:
        return (
            f"the downloads in {cache()} cannot be read ({error.strerror}): set "
            "HF_HUB_CACHE to a folder that you can read"
        )
    return ""


def cache_folder(repository: str) -> Path:
    return cache() / f"models--{repository.replace('/', '--')}"


def cache_lock(repository: str, content: str) -> FileLock:
    """Return huggingface_hub's own lock of a content; `filelock.Timeout` if taken."""
    folder = cache() / ".locks" / cache_folder(repository).name
    folder.mkdir(parents=True, exist_ok=True)
    return FileLock(folder / f"{content}.lock", timeout=0)


def check_space(name: str, needed: int) -> int:
    """Return the free bytes on the cache's disk, and raise if they do not suffice."""
    folder = cache()
    existing = next(filter(os.path.exists, (folder, *folder.parents)))
    free = shutil.disk_usage(existing).free
    if needed > free:
        raise ConfigurationError(
            f"{name} needs {size_in_words(needed)} on the disk of {folder}, which has "
            f"{size_in_words(free)} free: free some space, or set HF_HUB_CACHE to a "
            "folder on another disk before the notebook starts"
        )
    return free


def cached_models() -> Iterator[tuple[str, Path]]:
    """Yield name (``owner/repository:file``) and path of each cached model."""
    for folder in entries(cache(), "models--*--*"):
        repository = _repository(folder.name)
        for path, name in _files_of(repository).items():
            if not is_auxiliary(name):
                yield f"{repository}:{unsplit_name(name)}", path


def cached_files(repository: str, pattern: str | None = None) -> list[Path]:
    """Return a repository's cached GGUF files that match `pattern`, None for all.

    Of split weights it is the first part, and they are matched under the name without a
    part's number. Incomplete downloads are left out.
    """
    files = _files_of(repository)
    found = files.values() if pattern is None else matching(files.values(), pattern)
    return [path for path, name in files.items() if name in found]


def best_cached(repository: str, patterns: Sequence[str]) -> Path | None:
    """Return the cached file that matches the patterns best, in its newest revision."""
    files = _files_of(repository)
    oldest_first = sorted(files, key=lambda path: path.stat().st_mtime)
    newest = {files[path]: path for path in oldest_first}
    sizes = {
        name: sum(part.stat().st_size for part in part_paths(path))
        for name, path in newest.items()
    }
    chosen = choose(sizes, patterns)
    return newest[chosen] if chosen else None


def cached_name(path: Path) -> tuple[str, str]:
    """Return the repository of a file in the hub's cache, and its name there."""
    folder, _, _, *names = path.relative_to(cache()).parts
    return _repository(folder), PurePath(*names).as_posix()


def _files_of(repository: str) -> dict[Path, str]:
    if repository.count("/") != 1:
        return {}
    snapshots = cache_folder(repository) / "snapshots"
    return {
        path: PurePath(*path.relative_to(snapshots).parts[1:]).as_posix()
        for path in entries(snapshots, "*/**/*.gguf")
        if not is_later_part(path.name) and all(map(os.path.isfile, part_paths(path)))
    }


def entries(folder: Path, pattern: str) -> list[Path]:
    """Return what matches in a folder, in order; nothing where it cannot be read."""
    with suppress(OSError):
        return sorted(folder.glob(pattern))
    return []


def _repository(folder: str) -> str:
    return folder.removeprefix("models--").replace("--", "/", 1)
