"""The names that a prompt can use, as Python sees them where the magic is called.

A function's local values count first, then those of the functions around it, then the
globals of its module, then the notebook's variables.
"""

from __future__ import annotations

import builtins
import ctypes
import inspect
import sys
from collections import ChainMap
from collections.abc import Callable, Iterator, Mapping
from types import CodeType, FrameType
from typing import Any

from h2o_magic.ipython.namespace import is_ipython_value

_CONVERSIONS: Mapping[str, Callable[[object], str]] = {
    "!r": repr,
    "!s": str,
    "!a": ascii,
}


class Scope:
    """The names at a place of the user's code; `errors` is what ``Err`` means."""

    def __init__(
        self,
        shell: Any,
        frame: FrameType | None = None,
        errors: Mapping[int, str] | None = None,
    ) -> None:
        self.shell = shell
        self._frame = frame
        self._errors = errors or {}
        spaces = [] if frame is None else list(_spaces(frame))
        self._user_ns = {} if shell is None else shell.user_ns
        self.variables = ChainMap(*map(dict, spaces), self._user_ns)

    def lookup(self, name: str) -> object:
        """Return the value of a name; raise KeyError for one that is not a variable.

        Python's builtins and IPython's own (``exit``, ``get_ipython``) are not names of
        a prompt, which may well say ``{id}``.
        """
        if name == "Err" and name not in self.variables:
            return self._errors
        value = self.variables[name]
        ours = value is self._user_ns.get(name, self)
        ours = ours and name not in ("In", "Out", "_")
        if ours and is_ipython_value(self.shell, name):
            raise KeyError(name)
        return value

    def evaluate(self, source: str) -> object:
        """Return the value of an expression."""
        # Globals, since a comprehension's body does not see the locals of `eval`.
        names = {**self.variables, "__builtins__": builtins}
        return eval(source, names)  # noqa: S307 - by `--eval`

    def assign(self, name: str, value: object) -> None:
        """Set a variable: a function's own if it has one so named, else a global."""
        frame = self._frame
        if frame is not None and _is_function(frame.f_code):
            code = frame.f_code
            if name in (*code.co_varnames, *code.co_cellvars, *code.co_freevars):
                _set_local(frame, name, value)
                return
        space = self._user_ns if frame is None else frame.f_globals
        space[name] = value


def formatted(value: object, format_: str) -> object:
    """Return a value as an f-string would write it: ``!r:>20``; itself without one."""
    conversion, colon, format_spec = format_.partition(":")
    if conversion:
        value = _CONVERSIONS[conversion](value)
    return format(value, format_spec) if colon else value


def _spaces(frame: FrameType) -> Iterator[Mapping[str, Any]]:
    yield frame.f_locals
    inner, outer = frame.f_code, frame.f_back
    # A function that is only named in a string captures nothing: its callers are asked.
    while outer is not None:
        if inner in outer.f_code.co_consts:
            inner = outer.f_code
            if _is_function(inner):
                yield outer.f_locals
        outer = outer.f_back
    yield frame.f_globals


def _is_function(code: CodeType) -> bool:
    return bool(code.co_flags & inspect.CO_OPTIMIZED)


def _set_local(frame: FrameType, name: str, value: object) -> None:
    frame.f_locals[name] = value
    if sys.version_info < (3, 13):  # PEP 667: later, that is enough
        ctypes.pythonapi.PyFrame_LocalsToFast(ctypes.py_object(frame), ctypes.c_int(0))
