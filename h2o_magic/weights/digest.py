"""A digest of weights, by which the same name stands for the same file, or not."""

from __future__ import annotations

import hashlib
from contextlib import suppress
from functools import lru_cache
from pathlib import Path

from h2o_magic.errors import ConfigurationError
from h2o_magic.weights.files import find_weights
from h2o_magic.weights.names import FileState, file_state, part_paths

#: Bytes of a sample, and how many are read of each file: all of one takes seconds.
_SAMPLE, _SAMPLES = 64 * 1024, 64


def weights_digest(model: str) -> str:
    """Return the digest of the weights that would answer for a model on this machine.

    It is of the files' sizes and of samples of them, in hexadecimal; empty if the
    model's own weights are not here, or cannot be read.
    """
    with suppress(ConfigurationError, OSError):
        weights = find_weights(model)
        if weights is not None and not weights.is_stand_in:
            return _digest(file_state(weights.path))
    return ""


@lru_cache(maxsize=16)
def _digest(state: FileState) -> str:
    path, _ = state
    digest = hashlib.sha256()
    for part in part_paths(path):
        _add(part, digest)
    return digest.hexdigest()


def _add(path: Path, digest: hashlib._Hash) -> None:
    with path.open("rb") as file:
        size = file.seek(0, 2)
        digest.update(size.to_bytes(8, "big"))
        last = max(size - _SAMPLE, 0)
        for place in sorted({last * n // (_SAMPLES - 1) for n in range(_SAMPLES)}):
            file.seek(place)
            digest.update(file.read(_SAMPLE))
