"""Tracebacks as text that is the same in each process, folder and installation.

A file keeps the name that an import of it has. Cells are told apart by letters, since
the numbers that they run under differ. A frame has one line of code: more of them, and
carets, are written by some versions of Python only.
"""

from __future__ import annotations

import os
import re
import sys
from collections.abc import Callable
from string import ascii_uppercase

from h2o_magic.prompts.stable import is_cell, stable

_FILE = re.compile(r'File "([^"\n]+)", line')
# Where a module is, at the end of an ImportError.
_LOCATION = re.compile(r"\(((?:/|[A-Za-z]:\\)[^()\n]+\.(?:py|pyd|so))\)$")
# A frame with more than one line below it; a syntax error's caret is in no frame.
_FRAME = re.compile(
    r'^(([ |]*)File "[^"\n]+", line \d+, in .*\n\2  .*)(?:\n\2  .*)+', re.MULTILINE
)
# A line of code, also in a group of errors: it is the user's.
_SOURCE = re.compile(r"(?:\s*\||(?!\s*\|))\s{4}")


def stable_traceback(
    text: str, named_by_kernel: Callable[[str], bool] = is_cell
) -> str:
    """Return a traceback as Python wrote it, without what is there by chance.

    ``Cell A, line 3`` stands for the first cell in it, ``The cell`` for an only one.
    """
    text = _FRAME.sub(r"\1", text)
    names = list(dict.fromkeys(_FILE.findall(text)))
    cells = [name for name in names if named_by_kernel(name)]
    places = {name: f'File "{_as_imported(name)}"' for name in names}
    places |= {name: _label(place) for place, name in enumerate(cells)}
    if len(cells) == 1:
        places[cells[0]] = "The cell"
    text = _FILE.sub(lambda found: f"{places[found[1]]}, line", text)
    lines = text.split("\n")
    return "\n".join(line if _SOURCE.match(line) else _said(line) for line in lines)


def _said(line: str) -> str:
    """Return a line that is no code: most are of an error's message."""
    return _LOCATION.sub(lambda found: f"({_as_imported(found[1])})", stable(line))


def _label(place: int) -> str:
    letters = len(ascii_uppercase)
    return f"Cell {ascii_uppercase[place % letters]}{place // letters or ''}"


def _as_imported(file: str) -> str:
    """Return a file's path below a folder that Python imports from, else its name."""
    if file.startswith("<"):  # ``<string>``, ``<frozen runpy>``
        return file
    path = os.path.abspath(file)
    folders = {os.path.join(os.path.abspath(each), "") for each in sys.path}
    for folder in sorted(folders, key=len, reverse=True):
        if path.startswith(folder) and os.path.dirname(folder) != folder:
            return path[len(folder) :].replace(os.sep, "/")
    return os.path.basename(path)
