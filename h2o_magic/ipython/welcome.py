"""What is said when a notebook's conversation is back."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import PurePath

from h2o_magic.chat.turns import MAIN, ThreadInfo

__all__ = ["welcome"]


def welcome(
    threads: Sequence[ThreadInfo],
    *,
    current: str = MAIN,
    copied_from: str = "",
    incomplete: bool = False,
) -> str:
    """Return one line that says what is back; empty if nothing is.

    Parameters
    ----------
    threads
        The threads that have turns.
    current
        The thread that is asked next.
    copied_from
        Path of the notebook that this one is a copy of; empty if it is none.
    incomplete
        True if the current thread's last answer has no end: its kernel died, or is
        still writing it.
    """
    count = sum(thread.turns for thread in threads)
    if not count:
        return ""
    turns = f"{count:,} {'turn' if count == 1 else 'turns'}"
    if copied_from:
        came = f"came along from `{PurePath(copied_from).name}`"
    else:
        came = f"of this notebook's conversation {'is' if count == 1 else 'are'} back"
    if len(threads) > 1:
        came += f" in {len(threads)} threads"
    if current != MAIN:
        came += f", thread `{current}` goes on"
    cut = (
        "The last answer is not whole, unless another kernel is still writing it: "
        "`%h2o retry` asks it again. "
        if incomplete
        else ""
    )
    return f"{turns} {came}. {cut}`%h2o history` shows them, `%h2o reset` forgets them."
