"""What is said when a notebook's conversation is back."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import PurePath

from h2o_magic.chat.turns import ThreadInfo
from h2o_magic.config.definitions import MAIN


def welcome(
    threads: Sequence[ThreadInfo],
    *,
    current: str = MAIN,
    copied_from: str = "",
    incomplete: bool = False,
) -> str:
    """Return one line that says what is back; empty if nothing is."""
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
