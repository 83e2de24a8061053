"""Looking after a folder of answers: its entries are read, found and checked.

One file is read after the other, since there may be a million of them.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from itertools import islice
from pathlib import Path
from typing import Any

from h2o_magic.backends.replay.entry import Learned, StoredAnswer
from h2o_magic.backends.replay.folder import (
    AnswerFolder,
    DamagedEntryError,
    content_of,
    object_of,
    parse,
)
from h2o_magic.backends.replay.key import digest
from h2o_magic.config.units import counted
from h2o_magic.errors import ConfigurationError

_SHOWN = 12  # digits of a key that tell it from all others


def existing(path: Path) -> AnswerFolder:
    """Return the folder at a path; a ConfigurationError if there is none."""
    if path.is_dir():
        return AnswerFolder(path)
    came = f"the file {path}" if path.exists() else f"{path}, which does not exist"
    raise ConfigurationError(f"expected a folder of answers, got {came}")


def load(path: Path) -> StoredAnswer | Learned:
    """Return what a file holds; a DamagedEntryError or an OSError if it is no entry."""
    return _read(parse(content_of(path)), path.stem)


def answers(folder: AnswerFolder) -> Iterator[tuple[str, StoredAnswer | None]]:
    """Yield each answer with its key; None for one that cannot be read."""
    for path in filter(folder.holds, folder.files()):
        try:
            entry = load(path)
        except (DamagedEntryError, OSError):
            yield path.stem, None
        else:
            if isinstance(entry, StoredAnswer):
                yield path.stem, entry


def find(folder: AnswerFolder, prefix: str) -> str:
    """Return the one key that begins so, or a ConfigurationError that says why not."""
    found = list(islice(folder.keys(prefix.lower()), 3)) if prefix else []
    if len(found) == 1:
        return found[0]
    if not found:
        raise ConfigurationError(f"no key in {folder.path} begins with {prefix!r:.80}")
    several = ", ".join(key[: max(_SHOWN, len(prefix) + 4)] for key in found[:2])
    raise ConfigurationError(
        f"several keys begin with {prefix!r}: {several}{', ...' * (len(found) > 2)}; "
        "give more of its digits"
    )


@dataclass(frozen=True, slots=True)
class Checked:
    """A file: whether it is an ``answer`` or ``learned``, and what is to be said of it.

    `wrong` means that it must be put right; otherwise `said` is only a note.
    """

    name: str
    kind: str = ""
    said: str = ""
    wrong: bool = False


def checked(folder: AnswerFolder) -> Iterator[Checked]:
    """Read every file of a folder, and yield what it is."""
    if not (folder.path / ".gitattributes").is_file():
        said = (
            "missing, so git may report conflicts; the next answer stored restores it"
        )
        yield Checked(".gitattributes", said=said, wrong=True)
    for path in folder.strays():
        yield Checked(path.name, said="not an entry", wrong=True)
    for path in folder.files():
        if not path.name.startswith("."):
            yield _checked(folder, path)


def _checked(folder: AnswerFolder, path: Path) -> Checked:
    name = f"{path.parent.name}/{path.name}"
    if path.suffix == ".tmp":
        said = "left by a write that did not end; `h2o-magic replay prune` removes it"
        return Checked(name, said=said)
    if not folder.holds(path):
        return Checked(name, said="not an entry", wrong=True)
    try:
        content = content_of(path)
        entry = _read(parse(content), path.stem)
    except (DamagedEntryError, OSError) as error:
        return Checked(name, said=str(error), wrong=True)
    kind = "answer" if isinstance(entry, StoredAnswer) else "learned"
    return Checked(name, kind, _of_lines(content))


def _of_lines(content: bytes) -> str:
    """Return what is to be said of an entry that has more than its one line."""
    others = content.strip().count(b"\n")
    if not others:
        return ""
    try:
        object_of(content.split(b"\n", 1)[0])
    except DamagedEntryError:
        return "was formatted: expected one line"
    return (
        f"{counted(others, 'more line')} behind the first, as git merges leave; unused"
    )


def _read(entry: Mapping[str, Any], key: str) -> StoredAnswer | Learned:
    if entry.get("kind") != "learned":
        return StoredAnswer.of_json(entry, key)
    fact = Learned.of_json(entry, key)
    if digest(replace(fact, value=None)) != key:
        raise DamagedEntryError("its key is not the one of its server and model")
    return fact
