"""The user's code that calls a magic."""

from __future__ import annotations

import sys
from types import FrameType

_NOT_THE_USER = ("IPython.", "h2o_magic.", "traitlets.", "decorator")


def calling_frame() -> FrameType | None:
    """Return the innermost frame that is neither IPython's nor this package's."""
    frame: FrameType | None = sys._getframe(1)
    while frame is not None:
        name = f"{frame.f_globals.get('__name__', '')}."
        if not name.startswith(_NOT_THE_USER):
            return frame
        frame = frame.f_back
    return None
