"""What goes along with a question: files and values, as images or as text."""

from __future__ import annotations

import os
from collections.abc import Iterable
from itertools import islice
from pathlib import Path

from h2o_magic.errors import ConfigurationError, did_you_mean, nearest
from h2o_magic.prompts import encoding
from h2o_magic.prompts.documents import document
from h2o_magic.prompts.images import as_image
from h2o_magic.prompts.prompt import ALL, Appended, Attached
from h2o_magic.prompts.secrets.guard import Guard

#: Bytes of the largest file that is read.
LARGEST = 50_000_000

_MOST_NAMES, _FEW = 1000, 3


def attachment(item: object, *, keys: Iterable[str] = ()) -> Attached | Appended:
    """Return what is sent of a file (its path, or its name and bytes) or of an image.

    What a file is, its bytes say; its name only tells a table or a notebook from other
    text. A ConfigurationError says why it cannot be sent, such as for one of the `keys`
    of servers in it.
    """
    if isinstance(item, str | os.PathLike):
        path = Path(os.fsdecode(item))
        return _attached(path.name, _read(path), keys)
    if isinstance(item, tuple):
        called, data = item
        return _attached(called, data, keys)
    name = type(item).__name__
    image = as_image(item, name)
    if image is None:
        raise ConfigurationError(
            f"expected a file's path or an image to attach, got {name}: name other "
            "values in braces in the question"
        )
    return Attached(image)


def _attached(name: str, data: bytes, keys: Iterable[str]) -> Attached | Appended:
    if len(data) > LARGEST:
        raise too_large(name)
    if (image := encoding.from_bytes(data, name)) is not None:
        return Attached(image)
    found = document(data, name)
    Guard(name, os.environ, {}, keys).file(name, found.text(ALL))
    return Appended(name, found)


def _read(path: Path) -> bytes:
    try:
        file = path.expanduser()
        if not file.exists():
            raise _missing(path, file)
        if not file.is_file():
            kind = "a folder" if file.is_dir() else "no file"
            raise ConfigurationError(f"expected a file to attach, {path} is {kind}")
        if file.stat().st_size > LARGEST:
            raise too_large(str(path))
        return file.read_bytes()
    except (OSError, RuntimeError, ValueError) as error:  # ``~nobody``, NUL
        why = getattr(error, "strerror", None) or error
        raise ConfigurationError(f"{path} cannot be read: {why}") from error


def _missing(path: Path, file: Path) -> ConfigurationError:
    if str(path).partition(":")[0] in {"http", "https"}:
        return ConfigurationError(
            f"expected a file to attach, got an address: {path}; nothing is fetched, "
            "download it first"
        )
    if not file.parent.is_dir():
        return ConfigurationError(f"there is no file {path}, nor its folder")
    with os.scandir(file.parent) as entries:
        names = [entry.name for entry in islice(entries, _MOST_NAMES)]
    if not file.name.startswith("."):
        names = [name for name in names if not name.startswith(".")]
    if not names:
        return ConfigurationError(f"there is no file {path}: its folder is empty")
    if len(names) <= _FEW or nearest(file.name, names):
        hint = did_you_mean(file.name, names)
        return ConfigurationError(f"there is no file {path}: {hint}")
    return ConfigurationError(f"there is no file {path}, nor one with a name like it")


def too_large(name: str) -> ConfigurationError:
    return ConfigurationError(
        f"expected a file of at most {LARGEST // 10**6} MB, got {name}, which is larger"
    )
