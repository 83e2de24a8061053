"""The last cell that failed, as text: what ``%h2o fix`` asks about.

Its error, its traceback, and the user's names in it; nothing that the error refers to
is kept alive.
"""

from __future__ import annotations

import ast
import io
import re
import sys
import tokenize
import traceback
import weakref
from collections.abc import Callable, Iterator
from contextlib import suppress
from types import ModuleType
from typing import TYPE_CHECKING, Any, NamedTuple

from IPython.core.error import UsageError

from h2o_magic.errors import H2OMagicError
from h2o_magic.ipython.interrupts import ServerError
from h2o_magic.ipython.namespace import user_names

if TYPE_CHECKING:
    from IPython.core.interactiveshell import ExecutionResult, InteractiveShell

#: How many tracebacks are kept for ``Err``.
_KEPT = 100
#: Characters that are kept of a traceback, of a message, and of a cell.
_TRACEBACK = 6_000
_MESSAGE = 500
_SOURCE = 20_000

_COLOUR = re.compile(r"\x1b\[[0-9;]*[A-Za-z]")


class Failure(NamedTuple):  # sooner made than a dataclass: `%load_ext` waits
    """A cell that failed, as text."""

    number: int | None
    source: str
    error: str
    message: str
    traceback: str
    names: tuple[str, ...] = ()
    complete: bool = True

    @property
    def cell(self) -> str:
        """The cell's name: ``In[3]``."""
        return "the cell" if self.number is None else f"In[{self.number}]"


class Failures:
    """The failed cells of one shell.

    An interrupt is not a failure, nor is a usage error of this package. A cell that
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
        """Remember a cell that failed, for IPython's ``post_run_cell`` event."""
        # A value whose repr fails makes a cell red, though the cell did not fail.
        before, self._last_shown = self._last_shown, getattr(sys, "last_value", None)
        shown = None if self._last_shown is before else self._last_shown
        error = result.error_before_exec or result.error_in_exec or shown
        shell = self._shell()
        if shell is None or not isinstance(error, Exception):
            return
        if isinstance(error.__cause__, H2OMagicError) and isinstance(
            error, UsageError | ServerError
        ):
            return  # a magic of this package refused what it was given, or its server
        self.last = failure = _failure(shell, result, error)
        if failure.number is not None:
            self.tracebacks[failure.number] = failure.traceback
            while len(self.tracebacks) > _KEPT:
                del self.tracebacks[next(iter(self.tracebacks))]


_failures: weakref.WeakKeyDictionary[Any, Failures] = weakref.WeakKeyDictionary()


def get_failures(shell: InteractiveShell) -> Failures:
    """Return the failures of `shell`; the first call starts to record them."""
    if shell not in _failures:
        _failures[shell] = Failures(shell)
    return _failures[shell]


def clear_failures(shell: InteractiveShell) -> None:
    """Forget the failures of `shell`."""
    _failures.pop(shell, None)


def _failure(
    shell: InteractiveShell, result: ExecutionResult, error: Exception
) -> Failure:
    from h2o_magic.prompts import limits, stable, tracebacks  # noqa: PLC0415 - most succeed

    def is_cell(file: str) -> bool:
        return bool(shell.compile.format_code_name(file))

    source = str(getattr(result.info, "raw_cell", "") or "")
    try:
        message = _COLOUR.sub("", " ".join(str(error).split()))
    except Exception:  # the user's own class may fail at this, too
        message = ""
    told = _traceback(error, is_cell, frames=result.error_before_exec is None)
    return Failure(
        number=result.execution_count,
        source=limits.cut_middle(source, _SOURCE),
        error=type(error).__name__,
        message=limits.cut_middle(stable.stable(message), _MESSAGE),
        traceback=limits.cut_middle(
            tracebacks.stable_traceback(told, is_cell), _TRACEBACK
        ),
        names=tuple(_names_in(shell, source[:_SOURCE])),
        complete=len(source) <= _SOURCE,
    )


def _traceback(
    error: Exception, is_cell: Callable[[str], bool], *, frames: bool
) -> str:
    """Return what Python would print; the shell's frames before the cell's left out."""
    first: Any = error.__traceback__
    while first is not None and not is_cell(first.tb_frame.f_code.co_filename):
        first = first.tb_next
    if frames and error.__traceback__ is not None:
        first = first or error.__traceback__
        lines = traceback.format_exception(type(error), error, first)
    else:
        lines = traceback.format_exception_only(type(error), error)
    return _COLOUR.sub("", "".join(lines)).strip()


def _names_in(shell: InteractiveShell, source: str) -> Iterator[str]:
    """Yield the user's variables that a cell names, in its order."""
    variables = user_names(shell)
    for name in dict.fromkeys(_identifiers(source)):
        shown = name in variables and not name.startswith("_")
        if shown and not isinstance(variables[name], ModuleType):
            yield name


def _identifiers(source: str) -> Iterator[str]:
    """Yield the names in a cell that no dot stands before; the cell may be broken.

    Each line is read by itself, so that one that is not Python does not spoil others.
    """
    for line in source.splitlines():
        before = ""
        try:
            for token in tokenize.generate_tokens(io.StringIO(line.strip()).readline):
                if token.type == tokenize.NAME and before != ".":
                    yield token.string
                elif token.type == tokenize.STRING:
                    yield from _names_in_string(token.string)
                before = token.string
        except (tokenize.TokenError, SyntaxError):
            continue


def _names_in_string(text: str) -> Iterator[str]:
    """Yield the names in an f-string, which is one token before Python 3.12."""
    with suppress(SyntaxError, ValueError):
        found = [n for n in ast.walk(ast.parse(text)) if isinstance(n, ast.Name)]
        yield from (n.id for n in sorted(found, key=lambda n: n.col_offset))
