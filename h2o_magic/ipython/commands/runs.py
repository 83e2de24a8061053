"""``%h2o runs``: the runs of prompts over tables, and forgetting their answers."""

from __future__ import annotations

import re
import time
from datetime import datetime
from typing import TYPE_CHECKING

from h2o_magic.config import paths
from h2o_magic.config.units import counted, size_in_words
from h2o_magic.errors import ConfigurationError
from h2o_magic.ipython.commands.base import CommandContext
from h2o_magic.ipython.commands.output import fill, reply, show_table
from h2o_magic.ipython.commands.usage import Arguments
from h2o_magic.rendering.history import short_time
from h2o_magic.rendering.tables import Verbatim, shorten

if TYPE_CHECKING:
    from h2o_magic.tables.store.history import History, PastRun

_HEAD = [
    *("run", "when", "table", "prompt", "model"),
    *("rows", "known", "errors", "tokens", "ended"),
]
#: Characters of a prompt, of a name, and of how a run ended.
_PROMPT, _NAME, _ENDED = 40, 24, 60


def runs(context: CommandContext, args: Arguments) -> None:
    """List the last runs over tables; --forget removes the answers of one, or all."""
    from h2o_magic.tables.store.history import History  # noqa: PLC0415 - few ask tables

    history = History(paths.ledger_file())
    if "--forget" in args:
        reply(context, _forget(history, args["--forget"], sure="--yes" in args))
        return
    found = history.runs()
    if not found:
        reply(context, "No run over a table is kept yet.")
        return
    size = size_in_words(history.size())
    sentence = f"{size} in {{path}}. `%h2o runs --forget N` removes a run's answers."
    below = fill(sentence, path=str(paths.ledger_file()))
    show_table(context, _HEAD, [_row(run) for run in found], below=[below])


def _forget(history: History, which: str, *, sure: bool) -> str:
    """Remove the answers of a run, or of all if that is `sure`; say what was done."""
    if which != "all":
        if not re.fullmatch(r"[1-9][0-9]{0,8}", which):
            raise ConfigurationError(
                "%h2o runs: expected the number of a run, or `all`, after --forget, "
                f"got {which!r:.80}"
            )
        return (
            f"Removed {counted(history.forget(int(which)), 'answer')} of run {which}."
        )
    answers, runs = history.answers()
    what = f"{counted(answers, 'answer')} of {counted(runs, 'run')}"
    if not sure:
        return (
            f"This would remove {what} for good, and asking again may cost money. "
            "`%h2o runs --forget all --yes` removes them."
        )
    history.forget(None)
    return f"Removed {what}."


def _row(run: PastRun) -> list[str]:
    total = f"{run.done:,}"
    if run.rows not in (None, run.done):
        total += f" of {run.rows:,}"
    return [
        str(run.id),
        short_time(run.at, datetime.now()),
        shorten(run.name, _NAME),
        shorten(run.prompt, _PROMPT),
        shorten(run.model, _NAME),
        total,
        f"{run.known:,}",
        f"{run.errors:,}",
        f"{run.tokens:,}",
        Verbatim(shorten(run.ending(time.time()), _ENDED)),
    ]
