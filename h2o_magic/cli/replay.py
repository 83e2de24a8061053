"""``h2o-magic replay``: looks after a folder of stored answers."""

from __future__ import annotations

import argparse
import heapq
import shlex
import sys
from collections import Counter
from collections.abc import Iterator
from typing import Any

from h2o_magic.backends.replay.entry import StoredAnswer
from h2o_magic.backends.replay.folder import AnswerFolder, DamagedEntryError
from h2o_magic.backends.replay.maintenance import answers, checked, existing, find, load
from h2o_magic.backends.replay.pruning import Unused, check_silent, unused, uses_of
from h2o_magic.cli.output import put
from h2o_magic.cli.stored_answer import as_text, asked_model, asked_text
from h2o_magic.config.units import counted, size_in_words
from h2o_magic.errors import ConfigurationError
from h2o_magic.rendering import tables
from h2o_magic.rendering.literal import one_line
from h2o_magic.rendering.streams import write

_HEAD = ("key", "day", "model", "tokens", "question")
_KEY = 12  # digits that are shown


def ls(options: argparse.Namespace) -> int:
    """List answers, the newest first."""
    seen: Counter[str] = Counter()
    rows = _rows(existing(options.folder), seen)
    last = options.last
    shown = heapq.nlargest(last, rows) if last else sorted(rows, reverse=True)
    table = tables.as_text(_HEAD, [row[1:] for row in shown])
    status = put(f"{table}\n" if shown else f"no answers in {options.folder}\n")
    if len(shown) < seen["answers"]:
        _say(f"{len(shown):,} of {seen['answers']:,} answers; --last 0 lists all")
    if seen["damaged"]:
        found = counted(seen["damaged"], "damaged file")
        _say(f"{found}: run h2o-magic replay verify {shlex.quote(str(options.folder))}")
    return status


def show(options: argparse.Namespace) -> int:
    """Show what was asked, and the whole answer."""
    folder = existing(options.folder)
    key = find(folder, options.key)
    try:
        entry = load(folder.file(key))
    except (DamagedEntryError, OSError) as error:
        raise ConfigurationError(f"{folder.file(key)} is damaged: {error}") from None
    return put(as_text(key, entry))


def verify(options: argparse.Namespace) -> int:
    """Read every file, and say what is wrong; 1 if anything is."""
    counts: Counter[str] = Counter()
    status = 0
    for each in checked(existing(options.folder)):
        counts[each.kind] += 1
        if each.said:
            counts["problem" if each.wrong else "note"] += 1
            note = "" if each.wrong else "note: "
            status = put(f"{one_line(each.name)}: {note}{one_line(each.said)}\n")
        if status:
            return status
    entries = f"{counted(counts['answer'], 'answer')}, {_facts(counts['learned'])}"
    found = [
        counted(counts[each], each) for each in ("problem", "note") if counts[each]
    ]
    status = put(f"{entries}: {', '.join(found) or 'no problems'}\n")
    return status or int(counts["problem"] > 0)


def prune(options: argparse.Namespace) -> int:
    """Remove what no cell of the notebooks uses."""
    folder = existing(options.folder)
    used, silent = uses_of(options.notebooks)
    if not any(folder.file(key).exists() for key in used):
        raise ConfigurationError(
            f"the notebooks show no answer that is in {folder.path}: expected those "
            "that were run with this folder"
        )
    check_silent(folder, used, silent, every=options.all)
    kept, gone = Counter[str](), Counter[str]()
    for each in unused(folder, used, kept, every=options.all):
        gone[each.kind] += 1
        gone["bytes"] += _remove(folder, each, dry=options.dry_run)
    if missing := len(used) - kept["used"]:
        _say(f"{counted(missing, 'answer')} of the notebooks: not in {folder.path}")
    verb = "would remove" if options.dry_run else "removed"
    return put(f"{verb} {_removed(gone)}; kept {_kept(kept)}\n")


def _rows(folder: AnswerFolder, seen: Counter[str]) -> Iterator[tuple[Any, ...]]:
    """Yield a row for each answer, with the moment by which rows are sorted."""
    for key, answer in answers(folder):
        seen["damaged" if answer is None else "answers"] += 1
        if answer is not None:
            row = (key[:_KEY], answer.day, *_of_answer(answer))
            yield (answer.answered, *row)


def _of_answer(answer: StoredAnswer) -> tuple[str, str, str]:
    tokens = answer.usage and answer.usage.completion_tokens
    return (
        tables.shorten(asked_model(answer), 30),
        "?" if tokens is None else str(tokens),
        tables.shorten(asked_text(answer, "question")),
    )


def _remove(folder: AnswerFolder, each: Unused, *, dry: bool) -> int:
    """Say that a file goes, remove it unless `dry`, and return its size."""
    what = f"{each.path.stem[:_KEY]}  {tables.shorten(each.question)}"
    if each.kind != "answer":
        what = f"{each.path.parent.name}/{each.path.name}"
    put(f"{'would remove' if dry else 'removing'} {what}\n")
    try:
        size = each.path.stat().st_size
        if not dry:
            folder.remove(each.path)
    except OSError as error:
        why = f"{each.path} cannot be removed: {error.strerror}"
        raise ConfigurationError(why) from error
    return size


def _removed(gone: Counter[str]) -> str:
    parts = [counted(gone["answer"], "answer")]
    if gone["fact"]:
        parts.append(_facts(gone["fact"]))
    if gone["leftover"]:
        parts.append(counted(gone["leftover"], "leftover file"))
    return f"{', '.join(parts)} ({size_in_words(gone['bytes'])})"


def _kept(kept: Counter[str]) -> str:
    parts = [counted(kept["used"], "answer")]
    if kept["other"]:
        parts.append(f"{kept['other']:,} that no %%h2o cell asked (--all removes them)")
    if kept["unreadable"]:
        parts.append(counted(kept["unreadable"], "damaged file"))
    return ", ".join(parts)


def _facts(number: int) -> str:
    return f"{counted(number, 'fact')} about servers"


def _say(text: str) -> None:
    write(f"{one_line(text)}\n", sys.stderr)
