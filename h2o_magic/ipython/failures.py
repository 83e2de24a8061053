"""The last cell that failed, as text: what ``%h2o fix`` asks about."""

from __future__ import annotations

import sys
import weakref
from typing import TYPE_CHECKING, Any

from IPython.core.error import UsageError

from h2o_magic.errors import H2OMagicError

if TYPE_CHECKING:
    from IPython.core.interactiveshell import ExecutionResult, InteractiveShell

    from h2o_magic.ipython.failed_cell import Failure

#: How many tracebacks are kept for ``Err``.
_KEPT = 100


class Failures:
    """What has failed in one shell.

    An interrupt is no failure, nor is what this package itself refuses. A cell that
    succeeds clears nothing.
    """

    def __init__(self, shell: InteractiveShell) -> None:
        self.last: Failure | None = None
        self.tracebacks: dict[int, str] = {}
        self._shell = weakref.ref(shell)
        # Python keeps the last error that was shown, so this holds on to nothing more.
        self._last_shown: object = getattr(sys, "last_value", None)
        before = getattr(shell, "last_execution_result", None)
        if before is not None:
            self.note(before)

    def note(self, result: ExecutionResult) -> None:
        """Remember a cell that failed, by IPython's ``post_run_cell`` event."""
        shown = self._shown()
        error = result.error_before_exec or result.error_in_exec or shown
        shell = self._shell()
        if shell is None or not isinstance(error, Exception) or _is_ours(error):
            return
        from h2o_magic.ipython.failed_cell import failure_of  # noqa: PLC0415 - most succeed

        self.last = failure = failure_of(shell, result, error)
        if failure.number is not None:
            self.tracebacks[failure.number] = failure.traceback
            while len(self.tracebacks) > _KEPT:
                del self.tracebacks[next(iter(self.tracebacks))]

    def _shown(self) -> object:
        """Return the error that was shown since the last call, if one was.

        A value whose repr fails makes a cell red, though the cell did not fail.
        """
        before, self._last_shown = self._last_shown, getattr(sys, "last_value", None)
        return None if self._last_shown is before else self._last_shown


_failures: weakref.WeakKeyDictionary[Any, Failures] = weakref.WeakKeyDictionary()


def of(shell: InteractiveShell) -> Failures:
    """Return what has failed in `shell`; the first call begins to look."""
    if shell not in _failures:
        _failures[shell] = Failures(shell)
    return _failures[shell]


def end(shell: InteractiveShell) -> None:
    """Forget what has failed in `shell`."""
    _failures.pop(shell, None)


def _is_ours(error: Exception) -> bool:
    """Tell whether a magic of this package refused what it was given."""
    return isinstance(error, UsageError) and isinstance(error.__cause__, H2OMagicError)
