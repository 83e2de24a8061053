"""A small JSON file of entries by name, readable by this user only.

It is written atomically, under a lock that other kernels respect. A damaged file is
never lost: it is renamed, and its valid entries are kept.
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

from h2o_magic.config.folders import is_news, make_private
from h2o_magic.errors import ConfigurationError, did_you_mean

#: A name that a user gives to an entry.
NAME = r"[A-Za-z0-9][\w.-]{0,39}"

_VERSION = 1
#: Seconds to wait for another kernel that is writing the file.
_LOCK_TIMEOUT = 10.0
#: What `load` raises for an invalid value.
_INVALID = (AttributeError, KeyError, TypeError, ValueError, ConfigurationError)

T = TypeVar("T")


class PrivateFile(Generic[T]):
    """Entries by name, in a file, or in memory where `path` is None.

    `what` the entries are is for messages: ``"aliases"``. `load` makes an entry of its
    name and JSON value, `dump` its JSON value. `say` is called with warnings.
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
        """Return the valid entries in their order, and warn of what cannot be read."""
        if self._path is None:
            return dict(self._kept)
        try:
            entries, problem = self._parse(self._path.read_bytes())
        except (FileNotFoundError, NotADirectoryError):
            return {}
        except OSError as error:
            self._tell("read", self._path, error)
            return {}
        try:
            return self._repair(self._path) if problem else entries
        except ConfigurationError as error:
            self._say(f"{error} ({problem})")
        except OSError as error:
            self._tell(f"repaired: {problem}", self._path, error)
        return entries

    def change(self, edit: Callable[[dict[str, T]], Mapping[str, T]]) -> None:
        """Replace the entries by what `edit` returns, under the file's lock.

        This, and :meth:`remove`, raise ConfigurationError if another kernel holds that.
        If the file cannot be written, the entries are in memory from now on.
        """
        entries = self.read()  # which repairs it
        if self._path is not None:
            try:
                with self._locked(self._path):
                    self._write(self._path, edit(self._entries(self._path)[0]))
                return
            except OSError as error:
                self._tell("written", self._path, error)
                self._path = None
        self._kept = dict(edit(entries))

    def remove(self, name: str, what: str) -> T:
        """Remove an entry, and return it, or raise; `what` it is, for the message."""
        removed: list[T] = []

        def without(entries: dict[str, T]) -> dict[str, T]:
            if name not in entries:
                known = did_you_mean(name, entries) if entries else "there are none"
                raise ConfigurationError(f"unknown {what} {name!r:.60}: {known}")
            removed.append(entries.pop(name))
            return entries

        self.change(without)
        return removed[-1]

    def _repair(self, path: Path) -> dict[str, T]:
        """Rename a damaged file, and write its valid entries to a new one."""
        with self._locked(path):
            entries, problem = self._entries(path)
            if not problem:
                return entries  # another kernel has repaired it
            aside = path.with_name(f"{path.name}.damaged-{secrets.token_hex(4)}")
            os.replace(path, aside)
            if entries:
                self._write(path, entries)
        self._say(
            f"{self._what}: {path} is damaged ({problem}) and was renamed to "
            f"{aside.name}; valid entries kept: {len(entries)}"
        )
        return entries

    def _entries(self, path: Path) -> tuple[dict[str, T], str]:
        try:
            return self._parse(path.read_bytes())
        except FileNotFoundError:
            return {}, ""

    def _parse(self, data: bytes) -> tuple[dict[str, T], str]:
        """Return the valid entries, and what is wrong with the file."""
        try:
            document = json.loads(data)
        except (ValueError, RecursionError):
            return {}, "not valid JSON"
        version = document.get("version") if isinstance(document, dict) else None
        found = document.get("entries") if isinstance(document, dict) else None
        if version != _VERSION or not isinstance(found, dict):
            return {}, "written by another version"
        entries: dict[str, T] = {}
        for name, value in found.items():
            with suppress(*_INVALID):
                entries[name] = self._load(name, value)
        invalid = len(found) - len(entries)
        return entries, f"invalid entries: {invalid}" if invalid else ""

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
    def _locked(self, path: Path) -> Iterator[None]:
        try:
            make_private(path.parent)
            mutex = path.with_name(f"{path.name}.mutex")
            with FileLock(mutex, timeout=_LOCK_TIMEOUT, mode=0o600):
                yield
        except Timeout:
            raise ConfigurationError(
                f"{self._what}: another kernel has locked {path} for "
                f"{_LOCK_TIMEOUT:.0f} s: try again"
            ) from None

    def _tell(self, done: str, path: Path, error: OSError) -> None:
        if is_news(path):
            self._say(
                f"{self._what}: {path} cannot be {done} "
                f"({error.strerror or type(error).__name__}), so what would be saved "
                "there is in memory until the kernel ends: set H2O_MAGIC_HOME to a "
                "folder that you can write to, and restart the kernel"
            )
