"""The code that called a magic, and whether it does something with the result."""

from __future__ import annotations

import dis
import sys
from types import FrameType

#: What lies between the code that uses a magic and the magic.
_BETWEEN = frozenset(["IPython", "decorator", "h2o_magic", "ipykernel", "traitlets"])
_PRINT = 1  # the argument of CALL_INTRINSIC_1 for what a cell shows


def calling_frame(frame: FrameType | None = None) -> FrameType | None:
    """Return the frame of the user's code that has called, at `frame` or outside it."""
    frame = frame or sys._getframe()
    while frame is not None and _package(frame) in _BETWEEN:
        frame = frame.f_back
    return frame


def result_is_used(frame: FrameType | None) -> bool:
    """Return whether the code of a frame uses what the call that it is in returns.

    A statement drops it; so does the last line of a cell, where IPython would show it.
    """
    if frame is None or (following := _following(frame)) is None:
        return True
    # An expression for `eval`, as of ``%time``.
    evaluated = frame.f_code.co_name == "<module>"
    if following.opname == "RETURN_VALUE" and evaluated:
        return result_is_used(calling_frame(frame.f_back))
    shown = following.opname == "CALL_INTRINSIC_1" and following.arg == _PRINT
    return not (shown or following.opname in ("POP_TOP", "PRINT_EXPR"))


def _following(frame: FrameType) -> dis.Instruction | None:
    later = (
        each
        for each in dis.get_instructions(frame.f_code)
        if each.offset > frame.f_lasti and each.opname not in ("CACHE", "EXTENDED_ARG")
    )
    return next(later, None)


def _package(frame: FrameType) -> str:
    return str(frame.f_globals.get("__name__", "")).partition(".")[0]
