"""A folder of answers, meant to be committed: one small file each, found by its key.

``KEY[:2]/KEY.json`` holds one line of JSON. It is written beside its place and renamed,
so that a process that is killed leaves no half of one. Where git has merged two of them
line by line (``merge=union``), the first line counts. One that an editor has formatted
is read, too. Links are not followed: a cloned
repository may hold one that leads anywhere.
"""

from __future__ import annotations

import errno
import json
import os
import re
import secrets
import stat
import time
from collections.abc import Iterator, Mapping
from contextlib import suppress
from pathlib import Path
from typing import Any

from h2o_magic.config.folders import make_private
from h2o_magic.config.units import size_in_words

#: For entries only: the folder may be one that holds other files, too.
_FOR_GIT = {
    ".gitattributes": b"/[0-9a-f][0-9a-f]/*.json merge=union -text\n",
    ".gitignore": b"/[0-9a-f][0-9a-f]/*.tmp\n",
}
#: Bytes of an entry: far more than an answer has, and read in a moment.
_LARGEST = 64 * 1000**2
_KEY = re.compile(r"[0-9a-f]{64}")
_SHARD = re.compile(r"[0-9a-f]{2}")


class DamagedEntryError(ValueError):
    """A file of the folder holds no entry."""


class AnswerFolder:
    """Entries, as JSON objects, by keys of 64 hexadecimal digits.

    Nothing is read or made before the first use. `private` is for this user only.
    """

    def __init__(self, path: Path, *, private: bool = False) -> None:
        self.path = path
        self.private = private
        self._made = False

    def read(self, key: str) -> dict[str, Any] | None:
        """Return an entry; None if there is none; a DamagedEntryError, an OSError."""
        file = self.file(key)
        if file.parent.is_symlink():
            raise DamagedEntryError("expected a folder around it, got a link")
        try:
            return parse(content_of(file))
        except (FileNotFoundError, NotADirectoryError):
            return None

    def write(self, key: str, entry: Mapping[str, Any]) -> None:
        """Keep an entry in place of any other of its key; raises an OSError."""
        self._make()
        place = self.file(key)
        place.parent.mkdir(exist_ok=True)
        if place.parent.is_symlink():
            raise NotADirectoryError(
                errno.ENOTDIR, "expected a folder, got a link", str(place.parent)
            )
        self._put(place, line(entry))

    def remove(self, path: Path) -> None:
        """Remove one of the files; raises an OSError, also if it is gone."""
        path.unlink()
        with suppress(OSError):  # others are in it
            path.parent.rmdir()

    def file(self, key: str) -> Path:
        if not is_key(key):
            raise ValueError(
                f"expected a key of 64 hexadecimal digits, got {key!r:.80}"
            )
        return self.path / key[:2] / f"{key}.json"

    def keys(self, prefix: str = "") -> Iterator[str]:
        """Yield the keys that begin so, sorted; none if there is no folder."""
        for path in self.files(prefix[:2]):
            if path.stem.startswith(prefix) and self.holds(path):
                yield path.stem

    def holds(self, path: Path) -> bool:
        """Return whether a file has the name and the place of an entry."""
        return is_key(path.stem) and path == self.file(path.stem)

    def files(self, prefix: str = "") -> Iterator[Path]:
        """Yield the files below folders of entries, whatever they are, by name."""
        for shard in _listed(self.path):
            shown = shard.name.startswith(prefix) and not shard.is_symlink()
            if shown and _SHARD.fullmatch(shard.name):
                yield from _listed(shard)

    def strays(self) -> Iterator[Path]:
        """Yield what lies beside the folders of entries and is not hidden."""
        for path in _listed(self.path):
            is_folder = path.is_dir() and not path.is_symlink()
            if not ((is_folder and _SHARD.fullmatch(path.name)) or path.name[0] == "."):
                yield path

    def _make(self) -> None:
        if self._made and self.path.is_dir():
            return
        if self.path.is_file():
            said = "expected a folder, got a file"
            raise NotADirectoryError(errno.ENOTDIR, said, str(self.path))
        if self.private:
            make_private(self.path)
        else:
            self.path.mkdir(parents=True, exist_ok=True)
        for name, content in _FOR_GIT.items():
            if not os.path.lexists(self.path / name):
                self._put(self.path / name, content)
        self._made = True

    def _put(self, place: Path, content: bytes) -> None:
        """Write a file, so that it is there in one piece or not at all."""
        beside = place.with_name(f"{place.name[:16]}-{secrets.token_hex(8)}.tmp")
        flags = os.O_WRONLY | os.O_CREAT | os.O_EXCL | getattr(os, "O_BINARY", 0)
        mode = 0o600 if self.private else 0o666
        try:
            with os.fdopen(os.open(beside, flags, mode), "wb") as file:
                file.write(content)
            _rename(beside, place)
        except BaseException:
            with suppress(OSError):
                beside.unlink()
            raise


def is_key(text: str) -> bool:
    return _KEY.fullmatch(text) is not None


def content_of(file: Path) -> bytes:
    """Return a file's content; a DamagedEntryError or an OSError."""
    status = file.lstat()
    if not stat.S_ISREG(status.st_mode):
        raise DamagedEntryError("not a plain file")
    if status.st_size > _LARGEST:
        size, most = size_in_words(status.st_size), size_in_words(_LARGEST)
        raise DamagedEntryError(f"too large: {size}, expected at most {most}")
    return file.read_bytes()


def line(entry: Mapping[str, Any]) -> bytes:
    """Return an entry as one line of JSON, with the characters that users read."""
    text = json.dumps(entry, ensure_ascii=False, allow_nan=False)
    # Half a character, which only an escape can express.
    return text.encode(errors="backslashreplace") + b"\n"


def parse(content: bytes) -> dict[str, Any]:
    """Return the entry of a file's first line, of all lines if it was formatted.

    A DamagedEntryError if there is none.
    """
    with suppress(DamagedEntryError):
        return object_of(content.split(b"\n", 1)[0])
    return object_of(content)


def object_of(text: bytes) -> dict[str, Any]:
    """Return a JSON object; a DamagedEntryError if it is none."""
    try:
        entry = json.loads(text)
    except (ValueError, RecursionError) as error:
        raise DamagedEntryError(f"not valid JSON: {error}") from None
    if not isinstance(entry, dict):
        raise DamagedEntryError("not a JSON object")
    return entry


def _listed(folder: Path) -> Iterator[Path]:
    """Yield what a folder holds, by name; it may be removed meanwhile."""
    with suppress(FileNotFoundError, NotADirectoryError):
        yield from (folder / name for name in sorted(os.listdir(folder)))


def _rename(source: Path, target: Path) -> None:
    for _ in range(10):
        with suppress(PermissionError):  # on Windows, while another reads the target
            os.replace(source, target)
            return
        time.sleep(0.02)
    os.replace(source, target)
