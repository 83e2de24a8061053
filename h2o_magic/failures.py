"""The last cell that failed, as text: what ``%h2o fix`` asks about."""

from __future__ import annotations

import re
import sys
import weakref
from collections.abc import Iterator
from dataclasses import dataclass
from types import ModuleType
from typing import TYPE_CHECKING, Any

from IPython.core.error import UsageError

from h2o_magic.errors import H2OMagicError
from h2o_magic.names import is_the_shells

if TYPE_CHECKING:
    from IPython.core.interactiveshell import ExecutionResult, InteractiveShell

__all__ = ["Failure", "Failures", "end", "of"]

#: Characters that are kept of a traceback, of a message, and of a cell.
_TRACEBACK = 6_000
_MESSAGE = 500
_SOURCE = 20_000
#: How many tracebacks are kept for ``Err``.
_KEPT = 100

_COLOUR = re.compile(r"\x1b\[[0-9;]*[A-Za-z]")
_FILE = re.compile(r'File "([^"\n]+)", line')


@dataclass(frozen=True, slots=True)
class Failure:
    """A cell that failed. Only text: what the error held on to can be let go.

    Attributes
    ----------
    number : int or None
        The cell's execution number; None if it is in no history.
    source : str
        The cell.
    error, message : str
        The exception's type and its message.
    traceback : str
        What Python prints of it, without the shell's own part, cut in its middle.
    names : tuple of str
        The user's variables that the cell names.
    whole : bool
        False if the cell was too long to be kept whole.
    """

    number: int | None
    source: str
    error: str
    message: str
    traceback: str
    names: tuple[str, ...] = ()
    whole: bool = True

    @property
    def cell(self) -> str:
        """The cell's name: ``In[3]``."""
        return "the cell" if self.number is None else f"In[{self.number}]"


class Failures:
    """What has failed in one shell.

    An interrupt is no failure, nor is what this package itself refuses. A cell that
    succeeds clears nothing.

    Parameters
    ----------
    shell
        The shell; a cell of it that failed just before is noted, too.

    Attributes
    ----------
    last : Failure or None
        The last cell that failed.
    tracebacks : dict
        The last tracebacks by execution number, for ``Err[3]``.
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
        source = str(getattr(result.info, "raw_cell", "") or "")
        self.last = failure = Failure(
            number=result.execution_count,
            source=_cut(source, _SOURCE),
            error=type(error).__name__,
            message=_cut(_message(error), _MESSAGE),
            traceback=_traceback(shell, error, frames=result.error_before_exec is None),
            names=tuple(_names_in(shell, source[:_SOURCE])),
            whole=len(source) <= _SOURCE,
        )
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


def _message(error: Exception) -> str:
    try:
        return _COLOUR.sub("", " ".join(str(error).split()))
    except Exception:  # the user's own class may fail at this, too
        return ""


def _traceback(shell: InteractiveShell, error: Exception, *, frames: bool) -> str:
    """Return what Python would print; the shell's frames before the cell's left out."""
    import traceback  # noqa: PLC0415 - most cells do not fail

    if frames and error.__traceback__ is not None:
        first: Any = error.__traceback__
        while first is not None and not _is_cells(shell, first):
            first = first.tb_next
        first = first or error.__traceback__
        lines = traceback.format_exception(type(error), error, first)
    else:
        lines = traceback.format_exception_only(type(error), error)
    text = _COLOUR.sub("", "".join(lines)).strip()
    return _cut(_FILE.sub(lambda found: _place(shell, found), text), _TRACEBACK)


def _is_cells(shell: InteractiveShell, frame: Any) -> bool:
    return _cell_name(shell, frame.tb_frame.f_code.co_filename) is not None


def _place(shell: InteractiveShell, found: re.Match[str]) -> str:
    """Return a place in a cell by the cell's number; the file is only the shell's."""
    name = _cell_name(shell, found[1])
    return f"Cell {name}, line" if name else found[0]


def _cell_name(shell: InteractiveShell, file: str) -> str | None:
    label = shell.compile.format_code_name(file)
    return label[1] if label else None


def _names_in(shell: InteractiveShell, source: str) -> Iterator[str]:
    """Yield the user's variables that stand in a cell, in its order."""
    space = shell.user_ns
    for name in dict.fromkeys(_identifiers(source)):
        known = name in space and not is_the_shells(shell, name)
        shown = known and not name.startswith("_")
        if shown and not isinstance(space[name], ModuleType):
            yield name


def _identifiers(source: str) -> Iterator[str]:
    """Yield the names in a cell that no dot stands before; the cell may be broken.

    Each line is read for itself, so that one that is no Python spoils no other.
    """
    import io  # noqa: PLC0415 - most cells do not fail
    import tokenize  # noqa: PLC0415

    for line in source.splitlines():
        before = ""
        try:
            for token in tokenize.generate_tokens(io.StringIO(line.strip()).readline):
                if token.type == tokenize.NAME and before != ".":
                    yield token.string
                before = token.string
        except (tokenize.TokenError, SyntaxError):
            continue


def _cut(text: str, most: int) -> str:
    """Return a text without its middle where it is too long: both ends tell most."""
    if len(text) <= most:
        return text
    head = most // 3
    tail = most - head
    left_out = len(text) - most
    return f"{text[:head]}\n[… {left_out:,} characters left out …]\n{text[-tail:]}"
