"""Which notebook a process works for, and which of its cells is running."""

from __future__ import annotations

import os.path
import threading
import uuid
from collections.abc import Callable, Mapping
from pathlib import Path, PurePath
from typing import Any, NamedTuple

from h2o_magic.config.forks import in_child


class Identity(NamedTuple):  # sooner made than a dataclass: `%load_ext` waits
    """The key that a conversation is stored under."""

    key: str
    file: Path | None = None
    cell: str | None = None


def identify(
    *,
    name: str = "",
    environ: Mapping[str, str],
    namespace: Mapping[str, object],
    cell: str | None,
    connection_file: str = "",
) -> Identity | None:
    """Return the notebook's identity; None for a process that has no notebook."""
    if name:
        return Identity(f"name:{name}")
    path = namespace.get("__vsc_ipynb_file__")
    if not (isinstance(path, str) and path):
        path = environ.get("JPY_SESSION_NAME", "")
        # A console's session has a title, without a suffix, in the place of a path.
        if cell is None or not PurePath(path).suffix:
            stem = PurePath(connection_file).stem
            return Identity(f"kernel:{stem}") if stem else None
    lasting = None if _is_temporary(cell) else cell
    if not os.path.isabs(path):
        return Identity(f"file:{path}", cell=lasting)
    path = os.path.normpath(path)
    return Identity(f"file:{path}", Path(path), lasting)


def cell_key(cell: str | None, kernel: str) -> str | None:
    """Return the key of a cell's turns."""
    return f"{cell}@{kernel}" if _is_temporary(cell) else cell


def _is_temporary(cell: str | None) -> bool:
    return cell is not None and cell.startswith("vscode-notebook-cell:")


class RunningCell:
    """The cell that runs in a shell, and the turns that it has asked for."""

    def __init__(self, shell: Any) -> None:
        kernel = getattr(shell, "kernel", None)
        self._get_parent: Callable[[], Any] = getattr(kernel, "get_parent", dict)
        self._kernel = uuid.uuid4().hex
        self._request = ""
        self._id: str | None = None
        self._source = ""  # what the outermost cell holds, until a question takes it
        self._depth = 0  # how many cells run, one within the other
        #: Thread and key of each question of this run.
        self._asked: set[tuple[str, str | None]] = set()
        self._in_fork = False
        in_child(self._renew)

    def _renew(self) -> None:
        self._in_fork = True

    @property
    def id(self) -> str | None:
        """The id that the front end gave; None where it gives none."""
        self._update()
        return self._id

    @property
    def key(self) -> str | None:
        """The key of the cell's first turn in a thread; None without an id."""
        return cell_key(self.id, self._kernel)

    @property
    def threads(self) -> frozenset[str]:
        """The threads that this run has used, with or without the conversation."""
        self._update()
        return frozenset(thread for thread, _ in self._asked)

    @property
    def asked(self) -> frozenset[tuple[str, str]]:
        """Thread and key of each turn of this run."""
        self._update()
        return frozenset((thread, key) for thread, key in self._asked if key)

    def next_key(self, thread: str, history: bool = True) -> str | None:
        """Return the key of the cell's next turn in a thread, numbered from the second.

        Questions from other threads and processes of the program belong to no cell.
        """
        key = self.coming_key(thread, history)
        if self._is_asking():
            self._asked.add((thread, key))
        return key

    def coming_key(self, thread: str, history: bool = True) -> str | None:
        """Return what :meth:`next_key` would, without counting a turn."""
        key = self.key
        if key is None or not history or not self._is_asking():
            return None
        number = 1 + sum(used == thread for used, known in self._asked if known)
        return key if number == 1 else f"{key}#{number}"

    def take(self) -> bool:
        """Return whether the outermost cell is one ``%%h2o``; only its first call is.

        Nothing else can have been shown in it.
        """
        self._update()
        source, self._source = self._source, ""
        lines = (line.strip() for line in source.splitlines())
        first = next((line for line in lines if line and line[0] != "#"), "")
        return first.partition(" ")[0] == "%%h2o"

    def begin(self, cell: str | None, source: str = "") -> None:
        """Note which cell starts to run, for IPython's ``pre_run_cell`` event.

        A cell that runs within another, by ``run_cell`` or ``%run``, is a part of it.
        """
        self._update()
        self._depth += 1
        if self._depth > 1 and self._request and cell is None:
            return
        if cell is not None or not self._request:
            self._id = cell
        self._source = source
        self._depth = 1
        self._asked.clear()

    def end(self) -> bool:
        """Note that a cell has ended; return whether it was the outermost."""
        self._update()
        self._depth = max(self._depth - 1, 0)
        return self._depth == 0

    def _is_asking(self) -> bool:
        main = threading.current_thread() is threading.main_thread()
        return main and self._id is not None and not self._in_fork

    def _update(self) -> None:
        """Read from the kernel's current request which cell runs."""
        parent = self._get_parent() or {}
        request = parent.get("header", {}).get("msg_id", "")
        if request != self._request:
            self._request = request
            cell = parent.get("metadata", {}).get("cellId")
            self._id = cell if isinstance(cell, str) else None
            self._source = ""
            self._depth = 0
            self._asked.clear()
