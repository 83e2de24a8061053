"""Which cell runs, and under which keys its questions are kept."""

from __future__ import annotations

import threading
import uuid
from collections import Counter
from collections.abc import Callable
from typing import Any

from h2o_magic.ipython.identity import cell_key


class RunningCell:
    """The cell that runs in a shell, and the turns that it has asked for."""

    def __init__(self, shell: Any) -> None:
        kernel = getattr(shell, "kernel", None)
        self._get_parent: Callable[[], Any] = getattr(kernel, "get_parent", dict)
        self._kernel = uuid.uuid4().hex
        self._request = ""
        self._id: str | None = None
        self._open = 0  # how many cells run, one within the other
        self._numbers: Counter[str] = Counter()

    @property
    def id(self) -> str | None:
        """The id that the front end gave; None where it gives none."""
        self._look()
        return self._id

    @property
    def key(self) -> str | None:
        """The key of the cell's first turn in a thread; None without an id."""
        return cell_key(self.id, self._kernel)

    @property
    def threads(self) -> frozenset[str]:
        """The threads in which the cell has asked since it runs, also outside."""
        self._look()
        return frozenset(self._numbers)

    @property
    def asked(self) -> frozenset[tuple[str, str]]:
        """Thread and key of each turn that the cell has asked for since it runs."""
        key = self.key or ""
        return frozenset(
            (thread, _numbered(key, number))
            for thread, count in self._numbers.items()
            for number in range(1, count + 1)
        )

    def next_key(self, thread: str, history: bool = True) -> str | None:
        """Return the key of the cell's next turn in a thread.

        Further questions of a cell are numbered. What other threads of the program ask
        belongs to no cell.
        """
        key = self.key
        if key is None or threading.current_thread() is not threading.main_thread():
            return None
        if not history:
            self._numbers[thread] += 0  # it has asked in the thread all the same
            return None
        self._numbers[thread] += 1
        return _numbered(key, self._numbers[thread])

    def coming_key(self, thread: str, history: bool = True) -> str | None:
        """Return what :meth:`next_key` would, and count nothing."""
        key = self.key
        main = threading.current_thread() is threading.main_thread()
        if key is None or not history or not main:
            return None
        return _numbered(key, self._numbers[thread] + 1)

    def begin(self, cell: str | None) -> None:
        """Note which cell begins to run, as IPython's ``pre_run_cell`` event says.

        A cell that runs within another, by ``run_cell`` or ``%run``, is a part of it.
        """
        self._look()
        self._open += 1
        if self._open > 1 and self._request and cell is None:
            return
        if cell is not None or not self._request:
            self._id = cell
        self._open = 1
        self._numbers.clear()

    def end(self) -> bool:
        """Note that a cell has ended; return whether it was the outermost."""
        self._look()
        self._open = max(self._open - 1, 0)
        return self._open == 0

    def _look(self) -> None:
        """Read from the request that is served which cell runs."""
        parent = self._get_parent() or {}
        request = parent.get("header", {}).get("msg_id", "")
        if request != self._request:
            self._request = request
            cell = parent.get("metadata", {}).get("cellId")
            self._id = cell if isinstance(cell, str) else None
            self._open = 0
            self._numbers.clear()


def _numbered(key: str, number: int) -> str:
    return key if number == 1 else f"{key}#{number}"
