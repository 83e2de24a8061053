"""Turns and threads as they are listed: as rows of a table, and one turn whole.

Questions and answers in a table are `Verbatim`: cut to one line, and never mark-up.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from datetime import datetime
from typing import Any, get_args

from h2o_magic.chat.events import FinishReason
from h2o_magic.chat.facts import Facts
from h2o_magic.chat.turns import ThreadInfo, Turn
from h2o_magic.rendering import footer
from h2o_magic.rendering.tables import Verbatim, literal, one_line, printable

#: Characters of a question or an answer in a table.
_WIDTH = 60
#: Characters of a name in a table; the path of a weights file may be long.
_NAME_WIDTH = 30

#: Bold text and code on one line, and what begins a heading.
_MARKED = re.compile(
    r"(?<!\w)\*\*(\S[^*\n]*)\*\*(?!\w)|`([^`\n]+)`|^#{1,6} ", re.MULTILINE
)

TURN_HEAD = ["", "question", "answer", "model", "asked", "note"]
THREAD_HEAD = ["thread", "turns", "last asked", "began with"]


def turn_rows(turns: Sequence[Turn], now: datetime) -> list[list[str]]:
    """Return one row of a table for each turn, under `TURN_HEAD`.

    Parameters
    ----------
    turns
        Numbered and marked.
    now
        Local time: what was asked today shows the hour, else the date.
    """
    return [
        [
            str(turn.number),
            cut(turn.question),
            cut(_unmarked(turn.answer)),
            cut(turn.model, _NAME_WIDTH),
            when(turn.asked_at, now),
            ", ".join(_notes(turn)),
        ]
        for turn in turns
    ]


def thread_rows(
    threads: Sequence[ThreadInfo], current: str, now: datetime
) -> list[list[str]]:
    """Return one row of a table for each thread, under `THREAD_HEAD`.

    Parameters
    ----------
    threads
        Those that have turns.
    current
        Name of the thread that is marked; it has a row even if it has no turn.
    now
        Local time.
    """
    if all(info.name != current for info in threads):
        threads = [*threads, ThreadInfo(current, 0)]
    return [
        [
            Verbatim(f"{info.name} ✓" if info.name == current else info.name),
            f"{info.turns:,}",
            when(info.last_asked, now),
            cut(info.first_question),
        ]
        for info in threads
    ]


def turn_markdown(turn: Turn) -> str:
    """Return one turn whole, as Markdown: its question quoted, its answer as it is."""
    title = " · ".join([f"**Turn {turn.number}**", *map(literal, _circumstances(turn))])
    answer = footer.answer_markdown(turn.answer, _facts(turn))
    return f"{title}\n\n{_quoted(turn.question)}\n\n{answer}"


def turn_plain(turn: Turn) -> str:
    """Return one turn whole, as plain text."""
    title = ", ".join([f"Turn {turn.number}", *_circumstances(turn)])
    question = "\n".join(f"> {line}".rstrip() for line in turn.question.splitlines())
    answer = footer.answer_plain(turn.answer, _facts(turn))
    return printable(f"{title}\n\n{question}\n\n{answer}")


def _unmarked(answer: str) -> str:
    """Return the beginning of an answer without the marks of the commonest Markdown."""
    beginning = answer.lstrip()[: 8 * _WIDTH]
    return _MARKED.sub(lambda found: found[1] or found[2] or "", beginning)


def cut(text: str, width: int = _WIDTH) -> Verbatim:
    """Return the beginning of `text` on one line, at most `width` characters of it."""
    beginning = text.lstrip()[: 4 * width]  # the rest of a long text is not looked at
    line = one_line(beginning)
    if len(line) <= width and len(beginning) == len(text.lstrip()):
        return Verbatim(line)
    return Verbatim(line[: width - 1].rstrip() + "…")


def when(seconds: float, now: datetime) -> str:
    """Return a local time, short: of today the hour, else the date; empty if unknown.

    Parameters
    ----------
    seconds
        Since 1970 (UTC); 0 if unknown.
    now
        Local time.
    """
    then = _local(seconds)
    if then is None:
        return ""
    return f"{then:%H:%M}" if then.date() == now.date() else then.date().isoformat()


def _local(seconds: float) -> datetime | None:
    try:
        return datetime.fromtimestamp(seconds) if seconds else None
    except (OverflowError, OSError, ValueError):  # a file may say anything
        return None


def _notes(turn: Turn) -> list[str]:
    """Return what is to be known about a turn, in words fit for a table."""
    ending = {"stopped": "stopped", "failed": "broken off", "incomplete": "incomplete"}
    notes = [
        "new" if turn.begins else "",
        "asked before an earlier answer changed" if turn.outdated else "",
        ending.get(turn.status, ""),
    ]
    return [note for note in notes if note]


def _circumstances(turn: Turn) -> list[str]:
    """Return how a turn was asked, beside what the footer of its answer says."""
    asked = _local(turn.asked_at)
    phrases = [
        f"asked {asked:%Y-%m-%d %H:%M}" if asked else "",
        "a new conversation begins here" if turn.begins else "",
        "asked before an earlier answer changed" if turn.outdated else "",
        f"system text: {cut(turn.system)}" if turn.system else "",
    ]
    return [phrase for phrase in phrases if phrase]


def _quoted(text: str) -> str:
    """Return `text` as a quotation that shows its lines as they stand."""
    return "> " + "<br>".join(map(_line, text.splitlines()))


def _line(text: str) -> str:
    wide = text.expandtabs(4)
    indent = len(wide) - len(wide.lstrip())
    return "&nbsp;" * indent + literal(wide)


#: The facts that a footer says, and of what kind they are.
_KINDS = {
    "weights": str,
    "demo": bool,
    "stands_in_for": str,
    "server": str,
    "completion_tokens": int,
    "dropped_turns": int,
    "cut_tokens": int,
    "sent_turns": int,
    "earlier_turns": int,
    "unfinished_turns": int,
    "seconds": float,
}
#: Counts and seconds are below this, or they are none.
_MOST = 1e15


def _facts(turn: Turn) -> Facts:
    """Return what is known about an answer; what came from a file may be anything."""
    said = turn.facts
    known: dict[str, Any] = {
        name: said[name]
        for name, kind in _KINDS.items()
        if _is_of_kind(said.get(name), kind)
    }
    if said.get("finish_reason") in get_args(FinishReason):
        known["finish_reason"] = said["finish_reason"]
    model = said.get("model")
    return Facts(
        str(model) if model else turn.model or "model unknown",
        status=turn.status,
        **known,
    )


def _is_of_kind(value: object, kind: type) -> bool:
    if kind in (str, bool):
        return isinstance(value, kind)
    if isinstance(value, bool) or not isinstance(value, int | float):
        return False
    return isinstance(value, kind | int) and 0 <= value < _MOST
