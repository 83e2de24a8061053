"""Turns and threads as rows of a table, and one turn as a whole.

Questions and answers in a table are `Verbatim`: on one line, and never mark-up.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from datetime import datetime

from h2o_magic.chat.images import Image, data_uri
from h2o_magic.chat.kept_facts import facts_of
from h2o_magic.chat.turns import Hit, ThreadInfo, Turn
from h2o_magic.rendering import footer
from h2o_magic.rendering.excess import LONGEST_RUN, cut_fences
from h2o_magic.rendering.fences import fenced
from h2o_magic.rendering.literal import alternative, literal, printable
from h2o_magic.rendering.tables import Verbatim, shorten

#: Characters of a model's name in a table; the path of a weights file may be long.
_NAME_WIDTH = 30

#: Bold text and code on one line, and what begins a heading.
_MARKED = re.compile(
    r"(?<!\w)\*\*(\S[^*\n]*)\*\*(?!\w)|`([^`\n]+)`|^#{1,6} ", re.MULTILINE
)

TURN_HEAD = ["", "question", "answer", "model", "asked", "note"]
THREAD_HEAD = ["thread", "turns", "last asked", "title"]
HIT_HEAD = ["thread", "turn", "asked", "found"]

_OUTDATED = "asked before an earlier answer changed"


def turn_rows(turns: Sequence[Turn], now: datetime) -> list[list[str]]:
    """Return a row for each turn, under `TURN_HEAD`; `now` is local time."""
    return [
        [
            str(turn.number),
            shorten(turn.question),
            shorten(_without_marks(turn.answer)),
            shorten(turn.model, _NAME_WIDTH),
            short_time(turn.asked_at, now),
            ", ".join(_notes(turn)),
        ]
        for turn in turns
    ]


def thread_rows(
    threads: Sequence[ThreadInfo], current: ThreadInfo, now: datetime
) -> list[list[str]]:
    """Return rows under `THREAD_HEAD`, the `current` one's too; `now` is local time."""
    if all(info.name != current.name for info in threads):
        threads = [*threads, current]
    return [
        [
            Verbatim(f"{info.name} ✓" if info.name == current.name else info.name),
            f"{info.turns:,}",
            short_time(info.last_asked, now),
            shorten(info.title),
        ]
        for info in threads
    ]


def hit_rows(hits: Sequence[Hit], now: datetime) -> list[list[str]]:
    """Return a row for each turn that was found, under `HIT_HEAD`."""
    return [
        [
            Verbatim(hit.thread),
            str(hit.turn.number),
            short_time(hit.turn.asked_at, now),
            Verbatim("".join(hit.snippet)),
        ]
        for hit in hits
    ]


def turn_markdown(turn: Turn, *, sent: bool = True, pictures: bool = True) -> str:
    """Return a whole turn as Markdown: its question quoted, its answer sanitized.

    What was `sent` with the question is folded away. Without `pictures`, its images
    are only named.
    """
    title = " · ".join([f"**Turn {turn.number}**", *map(literal, _details(turn))])
    question = "> " + "<br>".join(map(_quoted, turn.question.splitlines()))
    facts = facts_of(turn)
    empty = facts.error or footer.EMPTY
    answer = footer.answer_markdown(turn.answer, facts, empty=empty)
    images = [_picture(image, pictures) for image in turn.images]
    folded = [_sent(turn.sent)] if sent and turn.sent else []
    parts = [title, question, " ".join(images), *folded, answer]
    return "\n\n".join(filter(None, parts))


def turn_plain(turn: Turn, show: Callable[[str], str] = str) -> str:
    """Return a whole turn as plain text; `show` makes the Markdown of its answer so."""
    title = ", ".join([f"Turn {turn.number}", *_details(turn)])
    question = "\n".join(f"> {line}".rstrip() for line in turn.question.splitlines())
    with_it = [f"`{image.name}`" for image in turn.images]
    if turn.sent:
        with_it.append(f"values, {len(turn.sent):,} characters in all")
    sent = [f"(sent with {', '.join(with_it)})"] if with_it else []
    answer = printable(turn.answer).rstrip()
    facts = facts_of(turn)
    empty = facts.error or footer.EMPTY
    footed = printable(footer.answer_plain(turn.answer, facts, empty=empty))
    asked = printable("\n\n".join([title, question, *sent]))
    return f"{asked}\n\n{show(answer)}{footed.removeprefix(answer)}"


def _picture(image: Image, shown: bool) -> str:
    name = alternative(image.name)
    if shown and image.thumbnail:
        return f"![{name}]({data_uri(image.thumbnail)})"
    return f"*(image {name})*"


def _sent(text: str) -> str:
    block = fenced(cut_fences(text), "text")
    return (
        f"<details><summary>Sent with the question</summary>\n\n{block}\n\n</details>"
    )


def short_time(seconds: float, now: datetime) -> str:
    """Return a local time, of seconds since 1970 (UTC): today's hour, else the date."""
    then = _local(seconds)
    if then is None:
        return ""
    return f"{then:%H:%M}" if then.date() == now.date() else then.date().isoformat()


def _local(seconds: float) -> datetime | None:
    try:
        return datetime.fromtimestamp(seconds) if seconds else None
    except (OverflowError, OSError, ValueError):  # a file may say anything
        return None


def _without_marks(answer: str) -> str:
    """Return the beginning of an answer without the marks of the commonest Markdown."""
    return _MARKED.sub(lambda found: found[1] or found[2] or "", answer.lstrip()[:480])


def _notes(turn: Turn) -> list[str]:
    notes = [
        "new" if turn.begins else "",
        _OUTDATED if turn.outdated else "",
        turn.status if turn.status != "complete" else "",
    ]
    return [note for note in notes if note]


def _details(turn: Turn) -> list[str]:
    """Return how a turn was asked, beside what the footer of its answer says."""
    asked = _local(turn.asked_at)
    phrases = [
        f"asked {asked:%Y-%m-%d %H:%M}" if asked else "",
        "starts a new conversation" if turn.begins else "",
        _OUTDATED if turn.outdated else "",
        f"system text: {shorten(turn.system)}" if turn.system else "",
    ]
    return [phrase for phrase in phrases if phrase]


def _quoted(line: str) -> str:
    wide = line.expandtabs(4)
    indent = len(wide) - len(wide.lstrip())
    return "&nbsp;" * min(indent, LONGEST_RUN) + literal(wide)
