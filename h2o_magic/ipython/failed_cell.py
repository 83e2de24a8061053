"""A cell that failed, as text: its error, its traceback, and the names in it."""

from __future__ import annotations

import io
import re
import tokenize
import traceback
from collections.abc import Iterator
from dataclasses import dataclass
from types import ModuleType
from typing import TYPE_CHECKING, Any

from h2o_magic.ipython.namespace import is_the_shells

if TYPE_CHECKING:
    from IPython.core.interactiveshell import ExecutionResult, InteractiveShell

#: Characters that are kept of a traceback, of a message, and of a cell.
_TRACEBACK = 6_000
_MESSAGE = 500
_SOURCE = 20_000

_COLOUR = re.compile(r"\x1b\[[0-9;]*[A-Za-z]")
_FILE = re.compile(r'File "([^"\n]+)", line')


@dataclass(frozen=True, slots=True)
class Failure:
    """A cell that failed. Only text: what the error held on to can be let go."""

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


def failure_of(
    shell: InteractiveShell, result: ExecutionResult, error: Exception
) -> Failure:
    """Return what is kept of a cell of `shell` that ended with `error`."""
    source = str(getattr(result.info, "raw_cell", "") or "")
    return Failure(
        number=result.execution_count,
        source=_cut(source, _SOURCE),
        error=type(error).__name__,
        message=_cut(_message(error), _MESSAGE),
        traceback=_traceback(shell, error, frames=result.error_before_exec is None),
        names=tuple(_names_in(shell, source[:_SOURCE])),
        whole=len(source) <= _SOURCE,
    )


def _message(error: Exception) -> str:
    try:
        return _COLOUR.sub("", " ".join(str(error).split()))
    except Exception:  # the user's own class may fail at this, too
        return ""


def _traceback(shell: InteractiveShell, error: Exception, *, frames: bool) -> str:
    """Return what Python would print; the shell's frames before the cell's left out."""
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
