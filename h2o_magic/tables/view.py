"""What a run shows at its end: its counts, its first rows, and why rows failed."""

from __future__ import annotations

import json
from collections.abc import Callable, Sequence
from typing import NamedTuple, Protocol

from h2o_magic.config.units import counted
from h2o_magic.rendering import tables
from h2o_magic.rendering.literal import literal, one_line, phrase, without_marks
from h2o_magic.rendering.tables import Verbatim, shorten
from h2o_magic.tables.cells import Unreadable, is_missing
from h2o_magic.tables.running.progress import Progress

#: Rows, and reasons of errors, that are shown.
ROWS, _REASONS = 5, 2
#: Characters of a table's line; each column has a share of them, and at least so many.
_LINE, _LEAST = 150, 24
_LONGEST_REASON = 200
#: Characters of a cell that are searched for secrets: more than are shown.
_SEARCHED = 2000


class Form(NamedTuple):
    """Writes words of this package, words of others, a table, and an item's mark."""

    words: Callable[[str], str]
    foreign: Callable[[str], str]
    table: Callable[[Sequence[str], Sequence[Sequence[str]]], str]
    item: str


MARKDOWN = Form(phrase, literal, tables.as_markdown, "- ")
PLAIN = Form(without_marks, one_line, tables.as_text, "  ")


class EndedRun(Protocol):
    """What is shown of a run: see :class:`~h2o_magic.tables.mapped.MappedTable`."""

    progress: Progress
    name: str
    rows: int
    notes: tuple[str, ...]
    is_file: bool

    @property
    def table(self) -> object: ...
    def mask(self, text: str) -> str: ...
    def head(self, count: int) -> tuple[list[str], list[tuple[object, ...]]]: ...
    def __len__(self) -> int: ...


def run_markdown(mapped: EndedRun, *, told: bool = False) -> str:
    """Return the end of a run as Markdown.

    `told` if the reason why it failed is told below.
    """
    return "\n\n".join(_parts(mapped, MARKDOWN, told))


def run_plain(mapped: EndedRun, *, told: bool = False) -> str:
    """Return the end of a run as plain text; `told` as for Markdown."""
    return "\n\n".join(_parts(mapped, PLAIN, told))


def _parts(mapped: EndedRun, form: Form, told: bool) -> list[str]:
    words = form.words
    progress, name = mapped.progress, mapped.name or "_"
    parts = [words(progress.line())]
    if progress.reason and not (told and progress.state == "failed"):
        parts.append(words(f"{progress.reason[:1].upper()}{progress.reason[1:]}."))
    elif progress.state == "stopped":
        parts.append(words("Run it again to go on: rows with an answer are not asked."))
    columns, rows = mapped.head(ROWS) if progress.done else ([], [])
    if rows:
        head = [Verbatim(name) for name in columns]
        parts.append(form.table(head, _cells(rows, mapped.mask)))
    more = mapped.rows - len(rows)
    if mapped.is_file and progress.state == "done":
        parts.append(words(f"{counted(len(mapped), 'row')} in `{mapped.table}`"))
    elif mapped.is_file and progress.done:
        parts.append(words(f"No file was written: `{name}.table` writes the answers."))
    elif more > 0 and progress.done:
        parts.append(words(f"…and {counted(more, 'more row')} in `{name}.table`"))
    parts += [words(f"Note: {note}.") for note in mapped.notes]
    parts += _errors(progress, name, form)
    return parts


def _cells(
    rows: Sequence[Sequence[object]], mask: Callable[[str], str]
) -> list[list[str]]:
    width = max(_LINE // len(rows[0]), _LEAST)
    return [
        [shorten(mask(_as_shown(value)[:_SEARCHED]), width) for value in row]
        for row in rows
    ]


def _as_shown(value: object) -> str:
    if isinstance(value, Unreadable) or is_missing(value):
        return ""
    if isinstance(value, dict | list | tuple):
        return json.dumps(value, ensure_ascii=False, default=str)
    return str(value)


def _errors(progress: Progress, name: str, form: Form) -> list[str]:
    """Return why rows failed: the most frequent reasons, and what to do."""
    if not progress.errors:
        return []
    reasons = progress.most_frequent(_REASONS)
    lines = [
        f"{form.item}{rows:,}: {form.foreign(shorten(reason, _LONGEST_REASON))}"
        for reason, rows in reasons
    ]
    rest = progress.errors - sum(rows for _, rows in reasons)
    if rest > 0:
        lines.append(f"{form.item}{rest:,}: other reasons")
    verb = "has" if progress.errors == 1 else "have"
    told = f"{counted(progress.errors, 'row')} {verb} an error"
    in_vain = progress.errors - progress.unasked
    if in_vain:
        them = "it" if progress.errors == 1 else "them"
        if progress.unasked:
            them = f"the {in_vain:,} that were asked"
        told += f"; `{name}.again(failed=True)` asks {them} again"
    return ["\n\n".join([form.words(f"{told}:"), "\n".join(lines)])]
