"""Finds the weights of a model on this machine; the network is never asked.

Weights are looked for in the Hugging Face hub's cache, where those from a package lie,
too. A model of the catalogue whose weights are not there is answered for by the best
real ones that are, else by the built-in demo weights of its architecture.
"""

from __future__ import annotations

import os
import re
import shutil
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import cache as cache_of
from pathlib import Path, PurePath
from typing import Any

from filelock import FileLock

from h2o_magic.config.models import (
    DEFAULT_MODEL,
    DEMO_MODEL,
    DEMO_SAMPLING,
    MODELS,
    BuiltIn,
    CatalogueEntry,
    find_model,
)
from h2o_magic.errors import ConfigurationError, did_you_mean
from h2o_magic.weights.gguf import read_header
from h2o_magic.weights.memory import default_memory, room_for
from h2o_magic.weights.names import (
    PREFERRED,
    best,
    fitting,
    is_aside,
    is_later_part,
    part_names,
    whole_name,
)

#: What a client asks for that leaves the choice to the server.
DEFAULT = "default"

_DEMO_LABEL = "built-in demo weights"
#: How a file's name ends that says how its weights are quantised.
_QUANTISED = re.compile(r"[.\-_](?=(?:I?Q\d\w*|BF16|F16|F32|FP16)$)", re.IGNORECASE)
#: The folder of the demo weights.
BUILT_IN = Path(__file__).parent / "data"


@dataclass(frozen=True, slots=True)
class Weights:
    """The weights that answer for a model.

    Attributes
    ----------
    model : str
        The short name of what answers, or the name that was asked for.
    model_id : str
        The id under which the service lists it.
    path : Path
        The GGUF file; the first one of weights that are split.
    demo : bool
        True if these are the built-in demo weights.
    note : str
        What a user should know; may be empty.
    stands_in_for : str
        The model that was asked for, where this one stands in for it; else empty.
    """

    model: str
    model_id: str
    path: Path
    demo: bool = False
    note: str = ""
    stands_in_for: str = ""

    @property
    def own(self) -> bool:
        """Whether these are the weights that the model's name stands for."""
        return not self.stands_in_for and (not self.demo or self.model == DEMO_MODEL)

    @property
    def demo_stands_in(self) -> bool:
        """Whether built-in demo weights answer in the place of the model's own."""
        return self.demo and not self.own

    @property
    def listed_as(self) -> str:
        """The model's short name in a list of what can be asked for."""
        return self.stands_in_for or self.model

    @property
    def label(self) -> str:
        """What answers, in words for a reader: ``SmolLM2-135M-Instruct Q4_1``."""
        if self.demo:
            return _DEMO_LABEL
        return _QUANTISED.sub(" ", whole_name(self.path.name).removesuffix(".gguf"))

    @property
    def sampling(self) -> dict[str, tuple[float, str]]:
        """The parameters that count where nobody sets one, and where they are from.

        Raises
        ------
        ConfigurationError
            If the file cannot be read.
        """
        own = read_header(self.path).sampling
        told = {name: (value, "the model's file") for name, value in own.items()}
        by = "recommended for " + ("the demo weights" if self.demo else self.model)
        return {n: (value, by) for n, value in self.recommended.items()} | told

    @property
    def recommended(self) -> Mapping[str, float]:
        """The parameters that the catalogue recommends."""
        if self.demo:
            return DEMO_SAMPLING
        entry = find_model(self.model)
        return entry.sampling if entry else {}

    @property
    def system(self) -> str:
        """The system text that the catalogue recommends; may be empty."""
        entry = None if self.demo else find_model(self.model)
        return entry.system if entry else ""

    @property
    def files(self) -> tuple[Path, ...]:
        """All files of the weights, in order."""
        return tuple(self.path.with_name(name) for name in part_names(self.path.name))

    @property
    def size(self) -> int:
        """Size of the weights, in bytes; what is missing does not count."""
        return sum(file.stat().st_size for file in self.files if file.exists())

    @property
    def source(self) -> dict[str, Any]:
        """What answers, as it is said on the wire."""
        stands_in = {"stands_in_for": self.stands_in_for} if self.stands_in_for else {}
        told = {"model": self.model, "weights": self.label, "demo": self.demo_stands_in}
        return {**told, **stands_in}


def find_weights(name: str, memory: int | None = None) -> Weights | None:
    """Return the weights that answer for `name`; None for an unknown model.

    Parameters
    ----------
    name
        A short name or service id of the catalogue, ``owner/repository`` or
        ``owner/repository:file.gguf`` in the hub's cache, the path of a GGUF file, or
        ``default``.
    memory
        What all models together may take, in bytes, for a model that stands in for
        another; None for a share of the machine's.
    """
    if name == DEFAULT:
        return default_weights(memory)
    entry = find_model(name)
    if entry is not None:
        return _of_entry(entry, lambda: best_real(memory))
    path = _cached(name) or given_file(name)
    return Weights(name, name, path) if path else None


def why_unknown(name: str) -> str:
    """Return why :func:`find_weights` finds nothing, and what to do."""
    return why_no_file(name) or f"unknown model {name!r}: {did_you_mean(name, MODELS)}"


def given_file(name: str) -> Path | None:
    """Return the GGUF file that `name` is the absolute path of, or None.

    A relative one would be taken from the server's folder, and the user means the
    notebook's.
    """
    path = _path(name)
    return path if path.is_absolute() and _is_gguf(path) and _is_file(path) else None


def why_no_file(name: str) -> str | None:
    """Return why `name` names no GGUF file; None where it is not meant as a path."""
    path = _path(name)
    if path.is_absolute():
        if not _is_file(path):
            return f"there is no file {str(path)!r}: check the path"
        return f"expected a GGUF file, whose name ends in .gguf, got {str(path)!r}"
    # In `owner/repository:file.gguf` the file is one of the hub's.
    if _is_gguf(path) and ":" not in name:
        return (
            f"cannot use the relative path {name!r}, since the server's folder is not "
            "the notebook's: give an absolute path"
        )
    return None


def _path(name: str) -> Path:
    # Unlike `Path.expanduser`, this leaves an unknown user's home as it is.
    return Path(os.path.expanduser(name))


def _is_gguf(path: Path) -> bool:
    return path.suffix.lower() == ".gguf"


def _is_file(path: Path) -> bool:
    try:
        return path.is_file()
    except (OSError, ValueError):  # too long for a path, not readable, a zero byte
        return False


def default_weights(memory: int | None = None) -> Weights:
    """Return the weights that answer where nobody chose a model.

    The best real ones that fit into `memory`, else those of the default model.
    """
    return best_real(memory) or _of_entry(MODELS[DEFAULT_MODEL], lambda: None)


def best_real(memory: int | None = None) -> Weights | None:
    """Return the largest real weights here that fit into memory; None without any.

    Only those count that are known to be made for a chat: they are of the catalogue,
    or bring a chat template.
    """
    known = (entry for entry in MODELS.values() if entry.name != DEMO_MODEL)
    there = [w for w in map(_own, known) if w is not None]
    taken = {weights.path for weights in there}
    others = [Weights(n, n, path) for n, path in _cached_files() if path not in taken]
    budget = default_memory() if memory is None else memory
    # Largest first: the headers of those that are too small are never read.
    for weights in sorted((*there, *others), key=lambda w: w.size, reverse=True):
        try:
            room_for(weights.path, 1, budget)
            template = read_header(weights.path).chat_template
        except ConfigurationError:  # too large, or no chat model at all
            continue
        if template is not None or weights.path in taken:
            return weights
    return None


def known_weights(memory: int | None = None) -> list[Weights]:
    """Return the weights for each model of the catalogue, then others in the cache.

    Files that are no chat model are not among them.
    """
    best = cache_of(lambda: best_real(memory))
    listed = [_of_entry(entry, best) for entry in MODELS.values()]
    taken = {weights.path for weights in listed if not weights.stands_in_for}
    others = {
        name: Weights(name, name, path)
        for name, path in _cached_files()
        if path not in taken and _can_answer(path)
    }
    return [*listed, *others.values()]


def _can_answer(path: Path) -> bool:
    try:
        read_header(path)
    except ConfigurationError:
        return False
    return True


def is_fixed(path: Path) -> bool:
    """Whether nobody writes into the file: it is of the hub's cache, or our own.

    There a file is exchanged as a whole; what holds the old one keeps it.
    """
    absolute = Path(os.path.abspath(path))  # unlike `resolve`, follows no links
    return any(absolute.is_relative_to(folder) for folder in (cache(), BUILT_IN))


def _of_entry(entry: CatalogueEntry, stand_in: Callable[[], Weights | None]) -> Weights:
    if (own := _own(entry)) is not None:
        return own
    if (other := stand_in()) is not None:
        return replace(
            other, model_id=entry.service_id, note=entry.note, stands_in_for=entry.name
        )
    demo = BUILT_IN / f"demo-{entry.architecture}.gguf"
    return Weights(entry.name, entry.service_id, demo, demo=True, note=entry.note)


def _own(entry: CatalogueEntry) -> Weights | None:
    """Return a model's own weights, if they are here."""
    if isinstance(entry.source, BuiltIn):
        path = BUILT_IN / entry.source.file
        return Weights(entry.name, entry.service_id, path, demo=True, note=entry.note)
    found = _best_of(entry.source.repository, (entry.source.pattern,))
    if found is None:
        return None
    return Weights(entry.name, entry.service_id, found, note=entry.note)


def _cached(name: str) -> Path | None:
    repository, _, file = name.partition(":")
    return _best_of(repository, (file,) if file else PREFERRED)


def cached_files(repository: str, pattern: str | None = None) -> list[Path]:
    """Return a repository's cached GGUF files that a name or pattern is meant for.

    Of a split model it is the first part, and the name is that of the whole. A download
    that is not whole is not among them. Without `pattern` it is all of them.
    """
    files = _files_of(repository)
    fit = set(files.values() if pattern is None else fitting(files.values(), pattern))
    return [path for path, name in files.items() if name in fit]


def cached_name(path: Path) -> tuple[str, str]:
    """Return the repository of a file in the hub's cache, and its name there."""
    folder, _, _, *names = path.relative_to(cache()).parts
    return _repository(folder), PurePath(*names).as_posix()


def _best_of(repository: str, patterns: Sequence[str]) -> Path | None:
    """Return the file that fits best, of its newest revision."""
    files = _files_of(repository)
    oldest_first = sorted(files, key=lambda path: path.stat().st_mtime)
    newest = {files[path]: path for path in oldest_first}
    sizes = {name: Weights(name, name, path).size for name, path in newest.items()}
    chosen = best(sizes, patterns)
    return newest[chosen] if chosen else None


def _cached_files() -> Iterator[tuple[str, Path]]:
    """Yield name (``owner/repository:file``) and path of each cached model."""
    for folder in sorted(cache().glob("models--*--*")):
        repository = _repository(folder.name)
        for path, name in _files_of(repository).items():
            if not is_aside(name):
                yield f"{repository}:{whole_name(name)}", path


def _files_of(repository: str) -> dict[Path, str]:
    """Return a repository's whole GGUF files, each with its name in the repository.

    A download under way is not among them.

    The layout (``models--owner--name/snapshots/revision/file``, each file a link to
    its content) is documented in huggingface_hub's "Understand caching".
    """
    if repository.count("/") != 1:
        return {}
    snapshots = cache_folder(repository) / "snapshots"
    return {
        path: PurePath(*path.relative_to(snapshots).parts[1:]).as_posix()
        for path in snapshots.glob("*/**/*.gguf")
        if not is_later_part(path.name) and _is_whole(path)
    }


def _repository(folder: str) -> str:
    return folder.removeprefix("models--").replace("--", "/", 1)


def _is_whole(path: Path) -> bool:
    return all(path.with_name(name).is_file() for name in part_names(path.name))


def cache_folder(repository: str) -> Path:
    """Return the folder in the hub's cache that keeps a repository's files."""
    return cache() / f"models--{repository.replace('/', '--')}"


def cache_lock(repository: str, content: str) -> FileLock:
    """Return the lock that huggingface_hub, too, takes for a content; with no waiting.

    Taking it raises `filelock.Timeout` where another holds it.
    """
    folder = cache() / ".locks" / cache_folder(repository).name
    folder.mkdir(parents=True, exist_ok=True)
    return FileLock(folder / f"{content}.lock", timeout=0)


def free_space() -> int:
    """Return how many bytes are free on the disk of the hub's cache."""
    folder = cache()
    there = next(path for path in (folder, *folder.parents) if path.exists())
    return shutil.disk_usage(there).free


def cache() -> Path:
    """Return the hub's cache: where weights are downloaded to."""
    from huggingface_hub import constants  # noqa: PLC0415 - slow, and not always needed

    return Path(constants.HF_HUB_CACHE)
