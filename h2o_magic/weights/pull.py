"""Downloads a model's weights, from the Hugging Face hub or a package."""

from __future__ import annotations

import logging
import os
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path, PurePosixPath

from h2o_magic.config.models import MODELS, BuiltIn, Package, find_model
from h2o_magic.config.units import size_in_words
from h2o_magic.errors import ConfigurationError, H2OMagicError, did_you_mean
from h2o_magic.weights.cache import cache, cached_name, check_space
from h2o_magic.weights.download import download
from h2o_magic.weights.files import find_weights, invalid_path, local_file
from h2o_magic.weights.gguf import DOWNLOAD_AGAIN, read_header
from h2o_magic.weights.hub import (
    RemoteFile,
    Repository,
    explain,
    library,
    locate,
    look_up,
    place,
)
from h2o_magic.weights.memory import default_memory, memory_of_machine
from h2o_magic.weights.names import (
    PREFERRED,
    choose,
    is_gguf,
    is_later_part,
    is_pattern,
    part_names,
    unsplit_name,
)
from h2o_magic.weights.progress import PullEvent, PullPlan, PullProgress, PullResult
from h2o_magic.weights.wheel import pull_package

_log = logging.getLogger(__name__)

#: Seconds to wait for the hub when looking for a newer version.
_UPDATE_TIMEOUT = 5.0
#: Largest file that the hub serves over plain HTTP, in bytes.
_LARGEST = 50_000_000_000

_Report = Callable[[PullEvent], None]


def pull(name: str, report: _Report = lambda _: None) -> PullResult:
    """Download the weights of a model, and return where they are.

    Present weights are downloaded again only if the hub has a newer version; if it
    cannot be reached, they are kept. A partial download is resumed. `name` is one of
    the catalogue, ``owner/repository`` or ``owner/repository:file.gguf``, or the path
    of a GGUF file, for which there is nothing to do. `report` is called often.

    ConfigurationError if there is no such file, disk or memory are too small, or it is
    not a usable model (it then stays in the cache, and is not listed);
    MissingExtraError without huggingface_hub; ConnectionFailedError if the hub or
    package index cannot be reached or refuses, the download is corrupt, or the disk is
    full.
    """
    local, entry = local_file(name), find_model(name)
    if entry and isinstance(entry.source, BuiltIn):
        raise ConfigurationError(f"{entry.name} is built in: there is nothing to pull")
    if local:
        result = PullResult(local, "local")
    elif entry and isinstance(entry.source, Package):
        library()
        result = pull_package(entry.source, report)
    else:
        result = _pull_from_hub(name, report)
    if not local:
        _check_usable(result.path)
    report(result)
    return result


def _check_usable(path: Path) -> None:
    try:
        read_header(path)
    except ConfigurationError as error:
        why = str(error).removesuffix(DOWNLOAD_AGAIN)
        raise ConfigurationError(
            f"{unsplit_name(path.name)} is downloaded, but cannot be used: {why}; "
            "choose another file"
        ) from error


def _pull_from_hub(name: str, report: _Report) -> PullResult:
    library()
    present = find_weights(name)
    if present is not None and not (present.demo or present.stands_in_for):
        return _update(present.path, report)
    repository, patterns = source_of(name)
    with _explained(repository):
        found = look_up(repository)
        return _download(found, _located(found, _choose(found, patterns)), report)


def _update(present: Path, report: _Report) -> PullResult:
    repository, name = cached_name(present)
    try:
        found = look_up(repository, timeout=_UPDATE_TIMEOUT)
        known = all(part in found.files for part in part_names(name))
        files = _located(found, name) if known else []
    except Exception as error:  # the present weights are complete without the hub
        _log.info("cannot check %s for a newer version: %s", repository, error)
        return PullResult(present, "cached", newest=False)
    if all(_is_current(file, present) for file in files):
        return PullResult(present, "cached")
    with _explained(repository):
        return _download(found, files, report, update=True)


def _is_current(file: RemoteFile, present: Path) -> bool:
    own = present.with_name(PurePosixPath(file.name).name)
    # A cache without links has no content that is named by its checksum.
    same = not own.is_symlink() and own.stat().st_size == file.size
    return os.path.exists(file.blob) or same


@contextmanager
def _explained(repository: str) -> Iterator[None]:
    try:
        yield
    except H2OMagicError:
        raise
    except Exception as error:
        raise explain(repository, error) from error


def source_of(name: str) -> tuple[str, Sequence[str]]:
    """Return the repository of a model and the patterns of its file, best first."""
    entry = find_model(name)
    if entry is not None and not isinstance(entry.source, BuiltIn):
        return entry.source.repository, (entry.source.pattern,)
    repository, _, file = name.partition(":")
    if repository.count("/") != 1 or not all(repository.split("/")):
        raise ConfigurationError(
            invalid_path(name)
            or f"expected a model's name or owner/repository, got {name!r}: "
            f"{did_you_mean(name, MODELS)}"
        )
    if file and not is_pattern(file) and not is_gguf(file):
        raise ConfigurationError(
            f"expected a GGUF file with the extension .gguf, got {file!r}"
        )
    return repository, (file,) if file else PREFERRED


def _located(repository: Repository, first: str) -> list[RemoteFile]:
    parts = part_names(first)
    missing = [part for part in parts if part not in repository.files]
    if missing:
        raise ConfigurationError(
            f"{repository.name} lacks {', '.join(missing)}, parts of {first}: "
            "choose another file"
        )
    return [locate(repository, part) for part in parts]


def _download(
    repository: Repository,
    files: Sequence[RemoteFile],
    report: _Report,
    *,
    update: bool = False,
) -> PullResult:
    if all(os.path.exists(file.blob) for file in files):
        return PullResult(_placed(files), "cached")
    plan = _plan(repository, files, update=update)
    report(plan)
    before = 0
    for file in files:

        def report_all(done: int, verifying: bool, before: int = before) -> None:
            report(PullProgress(before + done, plan.size, verifying))

        if not file.blob.exists():
            download(file, report_all)
        before += file.size
    return PullResult(_placed(files), "downloaded", all(file.sha256 for file in files))


def _placed(files: Sequence[RemoteFile]) -> Path:
    """Return the path of the first file, once all are linked."""
    first, *_ = [place(file) for file in files]
    return first


def _choose(repository: Repository, patterns: Sequence[str]) -> str:
    """Return the name of the file to download; of split weights the first part."""
    firsts = [f for f in repository.files if is_gguf(f) and not is_later_part(f)]
    complete = [f for f in firsts if all(p in repository.files for p in part_names(f))]
    # Weights that lack a part are chosen last, so that the error can name it.
    for names in (complete, firsts):
        sizes = {
            n: sum(repository.sizes.get(p, 0) for p in part_names(n)) for n in names
        }
        if chosen := choose(sizes, patterns):
            return chosen
    available = ", ".join(map(unsplit_name, sorted(firsts))) or "none"
    raise ConfigurationError(
        f"{repository.name} has no file {patterns[0]!r}; its GGUF files: {available}"
    )


def _plan(
    repository: Repository, files: Sequence[RemoteFile], *, update: bool
) -> PullPlan:
    size = sum(file.size for file in files)
    downloaded = sum(file.downloaded for file in files)
    name = unsplit_name(files[0].name)
    by_hand = f"`hf download {repository.name} {files[0].name}`"
    if max(file.size for file in files) > _LARGEST:
        raise ConfigurationError(
            f"{name} has {size_in_words(size)} in one file, more than the hub serves "
            f"over plain HTTP: download it with {by_hand}"
        )
    free = check_space(name, size - downloaded)
    machine = memory_of_machine()
    if machine is not None and size > machine:
        raise ConfigurationError(
            f"{name} can never be loaded here: it needs {size_in_words(size)} of "
            f"memory, this machine has {size_in_words(machine)}; choose a smaller one "
            f"(or download it anyway with {by_hand})"
        )
    warning = ""
    if size > default_memory():
        warning = (
            f"this exceeds the default limit of {size_in_words(default_memory())} for "
            "the local server: raise it with `h2o-magic serve --memory`"
        )
    return PullPlan(
        name,
        repository.name,
        size,
        downloaded,
        repository.licence,
        cache(),
        free,
        machine,
        warning,
        update=update,
    )
