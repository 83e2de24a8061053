"""Which models a server offers."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field

from h2o_magic.config.models import find_model
from h2o_magic.errors import ConfigurationError, did_you_mean
from h2o_magic.server.loading import real_name
from h2o_magic.weights.files import (
    DEFAULT,
    Weights,
    find_weights,
    known_weights,
    local_file,
    unknown_model,
)


@dataclass(frozen=True, slots=True)
class Offer:
    """The models that can be requested. Everything here blocks: it reads files.

    `names` are the only ones; None for all that are known. With `paths` a client may
    also name any GGUF file by its path, for the user's own programs only; from then on
    its stem is enough. `memory` is for all models together, in bytes; None for a share
    of the machine's.
    """

    names: tuple[str, ...] | None = None
    paths: bool = True
    memory: int | None = None
    _by_stem: dict[str, str] = field(default_factory=dict, compare=False, repr=False)

    @classmethod
    def of_names(cls, names: Sequence[str], memory: int | None = None) -> Offer:
        for name in names:
            if not name:
                raise ConfigurationError(
                    "expected --models to be a comma-separated list of names, got an "
                    "empty name"
                )
            if find_weights(name) is None:
                raise ConfigurationError(f"--models: {unknown_model(name)}")
        offer = cls(tuple(_plain(name) for name in names), paths=False, memory=memory)
        for name in names:
            offer.find(name)
        return offer

    def find(self, name: str) -> Weights | None:
        found = self._find(name) or self._find(self._by_stem.get(name, name))
        if found is not None and str(found.path) == name:
            self._by_stem[real_name(found)] = name
        return found

    def _find(self, name: str) -> Weights | None:
        if self.names is not None and name == DEFAULT:
            return max(self.listed(), key=_own_first, default=None)
        if self.names is not None:
            offered = _plain(name) in self.names
            return find_weights(_plain(name), self.memory) if offered else None
        if self.paths or name == DEFAULT or self._is_known(name):
            return find_weights(name, self.memory)
        return None

    def unknown_model(self, name: str) -> str:
        if self.names is None and self.paths:
            return unknown_model(name)
        listed = [weights.listed_as for weights in self.listed()]
        return f"unknown model {name[:200]!r}: {did_you_mean(name, listed)}"

    def listed(self) -> list[Weights]:
        if self.names is None:
            return known_weights(self.memory)
        found = (find_weights(name, self.memory) for name in self.names)
        return [weights for weights in found if weights is not None]

    def _is_known(self, name: str) -> bool:
        if find_model(name) is not None:
            return True
        found = find_weights(name)
        known = {weights.path for weights in known_weights()}
        in_cache = found is not None and found.path in known
        return in_cache and local_file(name) is None


def _plain(name: str) -> str:
    entry = find_model(name)
    return entry.name if entry else name


def _own_first(weights: Weights) -> tuple[bool, bool, int]:
    return (not weights.demo, not weights.stands_in_for, weights.size)
