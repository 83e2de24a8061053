"""What a run shows at its end: its counts, its first rows, and why rows failed."""

from __future__ import annotations

import json
from collections.abc import Callable, Sequence
from typing import Protocol

from h2o_magic.config.units import counted
from h2o_magic.rendering import tables
from h2o_magic.rendering.literal import literal, one_line, phrase, without_marks
from h2o_magic.rendering.tables import Verbatim, shorten
from h2o_magic.tables.running.progress import Progress

#: Rows, and reasons of errors, that are shown.
ROWS, _REASONS = 5, 2
#: Characters of a table's line; each column has a share of them, and at least so many.
_LINE, _LEAST = 150, 24
_LONGEST_REASON = 200
#: Characters of a cell that are searched for secrets: more than are shown.
_SEARCHED = 2000

#: Writes words of this package, words of others, and a table.
_Form = tuple[
    Callable[[str], str],
    Callable[[str], str],
    Callable[[Sequence[str], Sequence[Sequence[str]]], str],
    str,
]
_MARKDOWN: _Form = (phrase, literal, tables.as_markdown, "- ")
_PLAIN: _Form = (without_marks, one_line, tables.as_text, "  ")


class Shown(Protocol):
    """What is shown of a table that was asked."""

    progress: Progress
    name: str
    notes: tuple[str, ...]
    is_file: bool

    @property
    def rows(self) -> int: ...
    @property
    def table(self) -> object: ...
    def mask(self, text: str) -> str: ...
    def head(self, count: int) -> tuple[list[str], list[tuple[object, ...]]]: ...
    def __len__(self) -> int: ...


def run_markdown(mapped: Shown, *, told: bool = False) -> str:
    """Return the end of a run as Markdown.

    `told` if the reason why it failed is told below.
    """
    return "\n\n".join(_parts(mapped, _MARKDOWN, told))


def run_plain(mapped: Shown, *, told: bool = False) -> str:
    """Return the end of a run as plain text; `told` as for Markdown."""
    return "\n\n".join(_parts(mapped, _PLAIN, told))


def _parts(mapped: Shown, form: _Form, told: bool) -> list[str]:
    words, _, table, _ = form
    progress, name = mapped.progress, mapped.name or "_"
    parts = [words(progress.line())]
    if progress.reason and not (told and progress.state == "failed"):
        parts.append(words(f"{progress.reason[:1].upper()}{progress.reason[1:]}."))
    elif progress.state == "stopped":
        parts.append(words("Run it again to go on: rows with an answer are not asked."))
    columns, rows = mapped.head(ROWS) if progress.done else ([], [])
    if rows:
        head = [Verbatim(name) for name in columns]
        parts.append(table(head, _cells(rows, mapped.mask)))
    more = mapped.rows - len(rows)
    if mapped.is_file and progress.done:
        parts.append(words(f"{counted(len(mapped), 'row')} in `{mapped.table}`"))
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
    if value is None:
        return ""
    if isinstance(value, dict | list | tuple):
        return json.dumps(value, ensure_ascii=False, default=str)
    return str(value)


def _errors(progress: Progress, name: str, form: _Form) -> list[str]:
    """Return why rows failed: the most frequent reasons, and what to do."""
    words, foreign, _, item = form
    if not progress.errors:
        return []
    reasons = progress.most_frequent(_REASONS)
    lines = [
        f"{item}{rows:,}: {foreign(shorten(reason, _LONGEST_REASON))}"
        for reason, rows in reasons
    ]
    rest = progress.errors - sum(rows for _, rows in reasons)
    if rest > 0:
        lines.append(f"{item}{rest:,}: other reasons")
    verb, them = ("has", "it") if progress.errors == 1 else ("have", "them")
    told = words(
        f"{counted(progress.errors, 'row')} {verb} an error; "
        f"`{name}.again(failed=True)` asks {them} again:"
    )
    return ["\n\n".join([told, "\n".join(lines)])]
