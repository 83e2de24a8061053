"""A small file of this user's: JSON entries by name, for this user's eyes only.

It is written whole or not at all, under a lock that other kernels respect. A damaged
one is never lost: it is kept aside, and its good entries stay.
"""

from __future__ import annotations

import json
import os
import secrets
import warnings
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any, Generic, TypeVar

from filelock import FileLock, Timeout

from h2o_magic.errors import ConfigurationError

_VERSION = 1
#: Seconds to wait for another kernel that is writing the file.
_PATIENCE = 10.0

_SENSELESS = (AttributeError, KeyError, TypeError, ValueError, ConfigurationError)

T = TypeVar("T")


class PrivateFile(Generic[T]):
    """Entries by name, in a file or, without one, in memory.

    Parameters
    ----------
    path
        The file; None keeps the entries in memory.
    what
        What the entries are, in words, for messages.
    load
        Makes an entry of its name and its JSON value; what it raises of a value that
        makes no sense (`_SENSELESS`) means that the file is damaged.
    dump
        Returns an entry's JSON value.
    say
        Takes one line that the user must read.
    """

    def __init__(
        self,
        path: Path | None,
        *,
        what: str,
        load: Callable[[str, Any], T],
        dump: Callable[[T], object],
        say: Callable[[str], None] = warnings.warn,
    ) -> None:
        self._path = path
        self._what = what
        self._load = load
        self._dump = dump
        self._say = say
        self._kept: dict[str, T] = {}

    def read(self) -> dict[str, T]:
        """Return the entries in their order; a file that is not there has none.

        Of a file that cannot be read, or is damaged, the good ones; then a line says
        so.
        """
        if self._path is None:
            return dict(self._kept)
        try:
            entries, problem = self._parse(self._path.read_bytes())
        except (FileNotFoundError, NotADirectoryError):
            return {}
        except OSError as error:
            self._say(f"{self._what}: {self._path} cannot be read: {error.strerror}")
            return {}
        if problem:
            try:
                return self._mend(self._path)
            except ConfigurationError as error:
                self._say(f"{error} ({problem})")
        return entries

    def change(self, edit: Callable[[dict[str, T]], Mapping[str, T]]) -> None:
        """Replace the entries by what `edit` makes of them.

        Nobody else writes the file meanwhile.

        Raises
        ------
        ConfigurationError
            If the file cannot be written.
        """
        if self._path is None:
            self._kept = dict(edit(dict(self._kept)))
            return
        self.read()  # which mends it
        with self._writing(self._path):
            self._write(self._path, edit(self._entries(self._path)[0]))

    def _mend(self, path: Path) -> dict[str, T]:
        """Put a damaged file aside, write its good entries anew, and say so."""
        with self._writing(path):
            entries, problem = self._entries(path)
            if not problem:
                return entries  # another kernel has done it
            aside = path.with_name(f"{path.name}.damaged-{secrets.token_hex(4)}")
            os.replace(path, aside)
            if entries:
                self._write(path, entries)
        rest = f"; {len(entries)} of its entries are whole and stay" if entries else ""
        self._say(
            f"{self._what}: {path} is damaged ({problem}) and is kept as "
            f"{aside.name}{rest}"
        )
        return entries

    def _entries(self, path: Path) -> tuple[dict[str, T], str]:
        try:
            return self._parse(path.read_bytes())
        except FileNotFoundError:
            return {}, ""

    def _parse(self, data: bytes) -> tuple[dict[str, T], str]:
        """Return the good entries, and what is wrong with the file."""
        try:
            document = json.loads(data)
        except (ValueError, RecursionError):
            return {}, "it is no JSON"
        version = document.get("version") if isinstance(document, dict) else None
        found = document.get("entries") if isinstance(document, dict) else None
        if version != _VERSION or not isinstance(found, dict):
            return {}, "it is none of this version's"
        entries: dict[str, T] = {}
        for name, value in found.items():
            with suppress(*_SENSELESS):
                entries[name] = self._load(name, value)
        bad = len(found) - len(entries)
        return entries, f"entries that make no sense: {bad}" if bad else ""

    def _write(self, path: Path, entries: Mapping[str, T]) -> None:
        document = {
            "version": _VERSION,
            "entries": {name: self._dump(entry) for name, entry in entries.items()},
        }
        text = json.dumps(document, ensure_ascii=False, indent=1)
        temporary = path.with_name(f".{path.name}.{secrets.token_hex(8)}")
        flags = os.O_WRONLY | os.O_CREAT | os.O_EXCL
        try:
            with os.fdopen(os.open(temporary, flags, 0o600), "wb") as file:
                file.write(text.encode("utf-8", "replace"))
                file.flush()
                os.fsync(file.fileno())
            os.replace(temporary, path)
        except BaseException:
            temporary.unlink(missing_ok=True)
            raise

    @contextmanager
    def _writing(self, path: Path) -> Iterator[None]:
        """Hold the lock under which the file is written."""
        try:
            if not path.parent.exists():
                path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
                path.parent.chmod(0o700)  # whatever the umask is
            with FileLock(path.with_name(f"{path.name}.mutex"), timeout=_PATIENCE):
                yield
        except Timeout:
            raise ConfigurationError(
                f"{self._what}: another kernel has held {path} for {_PATIENCE:.0f} s: "
                "try again"
            ) from None
        except OSError as error:
            raise ConfigurationError(
                f"{self._what}: {path} cannot be written "
                f"({error.strerror or type(error).__name__}): set H2O_MAGIC_HOME to a "
                "folder of yours"
            ) from error
