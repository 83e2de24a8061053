"""A turn as the chat view shows it: JSON values, with its texts as HTML."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from h2o_magic.chat.turns import Turn
from h2o_magic.chat_panel.html import as_html
from h2o_magic.rendering.blocks import close_fence
from h2o_magic.rendering.footer import model_name, seconds_in_words
from h2o_magic.rendering.tables import one_line

_MARKS = {
    "stopped": "Stopped: the answer is not whole",
    "failed": "Broken off: the answer is not whole",
    "incomplete": "Incomplete: its end is missing",
}


def row_of(
    turn: Turn,
    *,
    live: bool = False,
    versions: tuple[int, int] = (1, 1),
    problem: str = "",
) -> dict[str, Any]:
    """Return what a view needs to show a turn.

    Parameters
    ----------
    turn
        Numbered and marked.
    live
        True while its answer is being written: then that comes in pieces.
    versions
        Which of its versions it is, from 1, and how many there are.
    problem
        Why its answer failed, where that is known.
    """
    return {
        "id": turn.id,
        "n": turn.number,
        "question": turn.question,
        "q": as_html(turn.question, breaks=True),
        "answer": "" if live else turn.answer,
        "a": "" if live else as_html(close_fence(turn.answer)),
        "s": turn.status,
        "m": "" if live else _mark(turn, problem),
        "f": "" if live else " · ".join(_facts(turn)),
        "v": versions,
        "cell": turn.cell is not None,
        "live": live,
    }


def _mark(turn: Turn, problem: str) -> str:
    """Return what is amiss with an answer, in words."""
    if turn.status == "failed" and problem:
        return f"Broken off: {one_line(problem)}"
    if turn.status in _MARKS:
        return _MARKS[turn.status]
    if turn.facts.get("finish_reason") == "length":
        return "Cut off by the token limit"
    if turn.facts.get("finish_reason") == "unknown":
        return "The server did not say why the answer ended"
    return "Asked before an earlier answer changed" if turn.outdated else ""


def _facts(turn: Turn) -> Iterator[str]:
    """Yield model, tokens and seconds, as the footer of a cell does."""
    facts = turn.facts
    told = map(facts.get, ("model", "weights", "stands_in_for"))
    model, weights, asked = (one_line(v) if isinstance(v, str) else "" for v in told)
    name = model_name(model or one_line(turn.model), weights)
    if name:
        demo = " (demo)" if facts.get("demo") is True else ""
        yield f"{name}{demo} for {asked}" if asked else f"{name}{demo}"
    tokens, seconds = facts.get("completion_tokens"), facts.get("seconds")
    if type(tokens) is int:
        yield f"{tokens:,} {'token' if tokens == 1 else 'tokens'}"
    if isinstance(seconds, int | float) and not isinstance(seconds, bool):
        yield seconds_in_words(seconds)
