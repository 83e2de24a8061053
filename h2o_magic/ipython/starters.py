"""Questions to begin with, chosen from what is in the notebook."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from itertools import islice
from typing import Any

from h2o_magic.ipython.failures import get_failures
from h2o_magic.ipython.namespace import user_names
from h2o_magic.prompts.glance import code_kind, glance, is_figure, is_frame
from h2o_magic.prompts.secrets.names import secrecy

#: Starters that are offered.
_MOST = 3
_WORD = re.compile(r"\w+")
#: Cells that are searched for the variable used last.
_RECENT = 50


def starters(shell: Any, *, sees: bool) -> list[tuple[str, str]]:
    """Return what the panel offers to ask: labels, and the questions in full.

    `sees` is True if the model takes images.
    """
    cells: Sequence[str] = list(shell.history_manager.input_hist_raw)
    found = [*_about_an_error(shell, cells), *_about_values(shell, cells, sees=sees)]
    return [*found[: _MOST - 1], ("What can I ask here?", "What can I ask here?")]


def _about_an_error(shell: Any, cells: Sequence[str]) -> Iterator[tuple[str, str]]:
    failure = get_failures(shell).last
    if failure is None or failure.number is None:
        return
    after = (cell.strip() for cell in cells[failure.number + 1 :])
    if all(not cell or cell.startswith("%") for cell in after):
        question = (
            f"Explain my last error, and how to fix it: {{Err[{failure.number}]}}"
        )
        yield "Explain my last error", question


def _about_values(
    shell: Any, cells: Sequence[str], *, sees: bool
) -> Iterator[tuple[str, str]]:
    values = {
        name: value
        for name, value in user_names(shell).items()
        if not name.startswith("_") and secrecy(name) == "no" and not code_kind(value)
    }
    frames = {name: value for name, value in values.items() if is_frame(value)}
    if frames:
        name = _newest(frames, cells)
        yield f"What stands out in {name}?", f"What stands out in {{{name}}}?"
        yield f"Summarise {name}", f"Summarise {{{name}}}."
        return
    figures = {name: v for name, v in values.items() if sees and is_figure(v)}
    sized = {name: v for name, v in values.items() if " · " in glance(v)}
    if figures:
        name = _newest(figures, cells)
        yield f"What does {name} show?", f"What does {{{name}}} show?"
    elif sized:
        name = _newest(sized, cells)
        yield f"What is in {name}?", f"What is in {{{name}}}?"


def _newest(values: dict[str, object], cells: Sequence[str]) -> str:
    """Return the name that a cell has used last, or else the one that was made last."""
    for cell in islice(reversed(cells), _RECENT):
        words: list[str] = [word for word in _WORD.findall(cell) if word in values]
        if words:
            return words[-1]
    return next(reversed(values))
