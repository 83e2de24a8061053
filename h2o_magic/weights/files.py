"""Finds the weights of a model on this machine, without any network access.

They are looked up in the Hugging Face hub's cache, which also has those from packages.
For a model of the catalogue without weights here, the best real ones stand in, else the
built-in demo weights of its architecture.
"""

from __future__ import annotations

import os
import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from functools import cache as cache_result
from pathlib import Path
from typing import Any

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
from h2o_magic.weights.cache import best_cached, cache, cached_models, unreadable
from h2o_magic.weights.gguf import read_header
from h2o_magic.weights.memory import default_memory, plan_memory
from h2o_magic.weights.names import PREFERRED, is_gguf, part_paths, unsplit_name

#: The name with which a client leaves the choice to the server.
DEFAULT = "default"
#: The folder of the demo weights.
BUILT_IN = Path(__file__).parent / "data"

_DEMO_LABEL = "built-in demo weights"
#: The separator before the quantization in a file's name.
_QUANTIZATION = re.compile(r"[.\-_](?=(?:I?Q\d\w*|BF16|F16|F32|FP16)$)", re.IGNORECASE)


@dataclass(frozen=True, slots=True)
class Weights:
    """The weights that answer for a model."""

    model: str  # the short name of what answers, or the requested name
    model_id: str  # under which the service lists it
    path: Path  # of split weights the first part
    demo: bool = False  # the built-in demo weights
    note: str = ""  # a remark for users
    stands_in_for: str = ""  # the requested model, if this is not it

    @property
    def is_stand_in(self) -> bool:
        """Whether these are not the requested model's own weights."""
        return bool(self.stands_in_for) or (self.demo and self.model != DEMO_MODEL)

    @property
    def listed_as(self) -> str:
        return self.stands_in_for or self.model

    @property
    def label(self) -> str:
        """What answers, for readers: ``SmolLM2-135M-Instruct Q4_1``."""
        if self.demo:
            return _DEMO_LABEL
        name = unsplit_name(self.path.name).removesuffix(".gguf")
        return _QUANTIZATION.sub(" ", name)

    @property
    def sampling(self) -> dict[str, tuple[float, str]]:
        """Default parameters with their sources; ConfigurationError for a bad file."""
        source = "recommended for " + ("the demo weights" if self.demo else self.model)
        recommended = {n: (value, source) for n, value in self.recommended.items()}
        in_file = read_header(self.path).sampling
        return recommended | {n: (v, "the model's file") for n, v in in_file.items()}

    @property
    def recommended(self) -> Mapping[str, float]:
        if self.demo:
            return DEMO_SAMPLING
        entry = find_model(self.model)
        return entry.sampling if entry else {}

    @property
    def system(self) -> str:
        entry = None if self.demo else find_model(self.model)
        return entry.system if entry else ""

    @property
    def size(self) -> int:
        """In bytes, without missing parts."""
        parts = filter(os.path.exists, part_paths(self.path))
        return sum(part.stat().st_size for part in parts)

    @property
    def source(self) -> dict[str, Any]:
        """What answers, as the server's responses say it."""
        stands_in = {"stands_in_for": self.stands_in_for} if self.stands_in_for else {}
        demo = self.demo and self.is_stand_in
        return {"model": self.model, "weights": self.label, "demo": demo, **stands_in}


def find_weights(name: str, memory: int | None = None) -> Weights | None:
    """Return the weights that answer for `name`; None for an unknown model.

    `name` is a short name or service id of the catalogue, ``owner/repository`` or
    ``owner/repository:file.gguf`` in the hub's cache, the absolute path of a GGUF file,
    or ``default``: the best real weights, else those of the default model. `memory` is
    the limit for all models together, in bytes; None for a share of the machine's.
    """
    if name == DEFAULT:
        return best_real(memory) or _of_entry(MODELS[DEFAULT_MODEL], lambda: None)
    entry = find_model(name)
    if entry is not None:
        return _of_entry(entry, lambda: best_real(memory))
    repository, _, file = name.partition(":")
    path = best_cached(repository, (file,) if file else PREFERRED) or local_file(name)
    return Weights(name, name, path) if path else None


def unknown_model(name: str) -> str:
    hint = unreadable() or did_you_mean(name, MODELS)
    return invalid_path(name) or f"unknown model {name!r}: {hint}"


def local_file(name: str) -> Path | None:
    """Return the GGUF file that `name` is the absolute path of, or None."""
    path = _path(name)  # a relative one would be the server's, not the notebook's
    found = path.is_absolute() and is_gguf(path.name) and os.path.isfile(path)
    return path if found else None


def invalid_path(name: str) -> str | None:
    """Return why the path `name` is not a GGUF file's; None if it is not a path."""
    path = _path(name)
    if path.is_absolute():
        if not os.path.isfile(path):
            return f"no such file {str(path)!r}: check the path"
        return f"expected a GGUF file with the extension .gguf, got {str(path)!r}"
    # In `owner/repository:file.gguf` the file is one of the hub's.
    if is_gguf(path.name) and ":" not in name:
        return (
            f"cannot use the relative path {name!r}, since the server's folder is not "
            "the notebook's: give an absolute path"
        )
    return None


def _path(name: str) -> Path:
    # Unlike `Path.expanduser`, this accepts an unknown user's home.
    return Path(os.path.expanduser(name))


def best_real(memory: int | None = None) -> Weights | None:
    """Return the largest real weights here that fit into memory, or None.

    Only chat models count: those of the catalogue, or with a chat template.
    """
    known = (entry for entry in MODELS.values() if entry.name != DEMO_MODEL)
    found = [w for w in map(_own, known) if w is not None]
    taken = {weights.path for weights in found}
    found += [Weights(n, n, path) for n, path in cached_models() if path not in taken]
    budget = default_memory() if memory is None else memory
    # Largest first, so that the headers of smaller ones are not read.
    for weights in sorted(found, key=lambda w: w.size, reverse=True):
        try:
            plan_memory(weights.path, 1, budget)
            template = read_header(weights.path).chat_template
        except ConfigurationError:  # too large, or not a chat model
            continue
        if template is not None or weights.path in taken:
            return weights
    return None


def known_weights(memory: int | None = None) -> list[Weights]:
    """Return the weights for each model of the catalogue, then other cached models."""
    best = cache_result(lambda: best_real(memory))
    listed = [_of_entry(entry, best) for entry in MODELS.values()]
    taken = {weights.path for weights in listed if not weights.stands_in_for}
    others = {
        name: Weights(name, name, path)
        for name, path in cached_models()
        if path not in taken and _can_answer(path)
    }
    return [*listed, *others.values()]


def _can_answer(path: Path) -> bool:
    try:
        return not read_header(path).encoder
    except ConfigurationError:
        return False


def is_immutable(path: Path) -> bool:
    """Whether open files stay valid: it may be replaced, but is never written to."""
    absolute = Path(os.path.abspath(path))  # unlike `resolve`, follows no links
    return any(absolute.is_relative_to(folder) for folder in (cache(), BUILT_IN))


def projector_of(path: Path) -> Path | None:
    """Return the projector for images beside a model's file, if there is one."""
    return min(path.parent.glob("mmproj*.gguf"), default=None)


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
    source, demo = entry.source, isinstance(entry.source, BuiltIn)
    if isinstance(source, BuiltIn):
        path: Path | None = BUILT_IN / source.file
    else:
        path = best_cached(source.repository, (source.pattern,))
    if path is None:
        return None
    return Weights(entry.name, entry.service_id, path, demo, entry.note)
