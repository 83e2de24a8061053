"""A process that may do no more than its user's files allow, though root runs it."""

from __future__ import annotations

import ctypes
import os
import sys


def give_up_privileges() -> None:
    """Let modes of files hold for this process, where they do not hold for root."""
    if sys.platform == "linux" and os.geteuid() == 0:
        header = (ctypes.c_uint32 * 2)(0x20080522, 0)  # version 3, this thread
        assert ctypes.CDLL(None).capset(header, (ctypes.c_uint32 * 6)()) == 0
