"""``.jsonl``: one conversation on each line, ready for fine-tuning.

A line is ``{"messages": [...], "metadata": {...}}``. Its messages have only role and
content: an optional system text, then questions as they were sent and complete answers
in turn. Images are in the metadata. A new
line begins with each thread, with each new conversation in it, and where the system
text changes.

Incomplete answers, and blank questions or answers, are not for training. They are in
the metadata of the line before them, or of the first line; only without any complete
answer is there a line without messages. So nothing is lost, and a trainer can use every
line, as long as there is something to train on.

Every line has its number and how many there are, so a part of a file is not mistaken
for all of it. In files of other programs, each line begins a new conversation of one
thread.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

from h2o_magic.chat.turns import Thread, Turn
from h2o_magic.config.definitions import MAIN
from h2o_magic.conversation.formats import fields
from h2o_magic.conversation.formats.fields import within, wrong
from h2o_magic.conversation.formats.json_text import parse, write_json
from h2o_magic.conversation.formats.messages import Pair, foreign_turns, read_pairs

_FIELDS = (*fields.QUESTION_FIELDS, *fields.ANSWER_FIELDS)
# What a turn also needs if it is not in the line's messages.
_TEXTS = ("question", "answer", "system")
# The question as the user typed it, where more was sent: that is in the messages.
_TYPED = "typed"
_OTHER_FILE = "expected a line like those before it, got one of another file"


def write(threads: Sequence[Thread]) -> str:
    lines, text = _lines(threads), ""
    for number, line in enumerate(lines, 1):
        place = {"line": number, "lines": len(lines)}
        metadata = {**fields.signature(), **place, "threads": line.threads}
        text += write_json({"messages": line.messages, "metadata": metadata}) + "\n"
    return text


def read(text: str) -> tuple[Thread, ...]:
    # Only this character ends a line: JSON escapes it inside texts, and no other.
    lines = [
        (f"line {number}", parse(line, f"line {number}"))
        for number, line in enumerate(text.removeprefix("\ufeff").split("\n"), 1)
        if line.strip()
    ]
    if not lines:
        raise wrong("", "expected lines of JSON, got nothing: the file is empty")
    where, first = lines[0]
    if isinstance(first, dict) and fields.is_own(first.get("metadata"), where):
        return _own_threads(lines)
    turns: list[Turn] = []
    for where, data in lines:
        conversation = foreign_turns(_foreign_messages(data, where), where)
        start = replace(conversation[0], begins=bool(turns))
        turns += [start, *conversation[1:]]
    return (Thread(MAIN, tuple(turns)),)


@dataclass(slots=True)
class _Line:
    system: str = ""
    messages: list[dict[str, str]] = field(default_factory=list)
    threads: list[dict[str, Any]] = field(default_factory=list)

    def turns_of(self, thread: Thread) -> list[dict[str, Any]]:
        """Return the list for a thread's turns, added if it is not the last."""
        if not self.threads or self.threads[-1]["thread"] != thread.name:
            title = fields.describe_title(thread)
            self.threads.append({"thread": thread.name, **title, "turns": []})
        turns: list[dict[str, Any]] = self.threads[-1]["turns"]
        return turns

    def add(self, thread: Thread, turn: Turn) -> None:
        if not self.messages and turn.system:
            self.messages.append({"role": "system", "content": turn.system})
        self.system = turn.system
        content = turn.sent or turn.question
        self.messages.append({"role": "user", "content": content})
        self.messages.append({"role": "assistant", "content": turn.answer})
        described = fields.describe(turn, *_FIELDS)
        if described.pop("sent", ""):
            described[_TYPED] = turn.question
        self.turns_of(thread).append(described)


def _lines(threads: Sequence[Thread]) -> list[_Line]:
    lines = [_Line()]
    for thread in threads:
        if not thread.turns:
            lines[-1].turns_of(thread)
        anew = True
        for turn in thread.turns:
            anew = anew or turn.begins
            has_text = (turn.sent or turn.question).strip() and turn.answer.strip()
            if not has_text or turn.status != "complete":
                aside = fields.describe(turn, *_TEXTS, *_FIELDS)
                lines[-1].turns_of(thread).append(aside)
                continue
            if lines[-1].messages and (anew or turn.system != lines[-1].system):
                lines.append(_Line())
            lines[-1].add(thread, turn)
            anew = False
    return lines


def _foreign_messages(data: object, where: str) -> list[Any]:
    if isinstance(data, list):
        return data
    if not isinstance(data, dict) or "messages" not in data:
        raise wrong(
            where,
            'expected an object with "messages" on every line, got '
            f"{fields.kind_of(data)}",
        )
    if fields.is_own(data.get("metadata"), where):
        raise wrong(where, _OTHER_FILE)
    return fields.as_list(data["messages"], where, '"messages"')


def _own_threads(lines: list[tuple[str, Any]]) -> tuple[Thread, ...]:
    found: dict[str, list[Turn]] = {}
    titles: dict[str, str] = {}
    described = [_own_metadata(data, where) for where, data in lines]
    for number, (where, data) in enumerate(lines, 1):
        metadata = described[number - 1]
        _check_place(metadata, number, len(lines), where)
        messages = fields.as_list(data.get("messages"), where, '"messages"')
        for name, title, turn in _line_turns(metadata, messages, where):
            titles[name] = title
            turns = found.setdefault(name, [])
            turns += [] if turn is None else [turn]
    return tuple(
        Thread(name, tuple(turns), titles[name]) for name, turns in found.items()
    )


def _own_metadata(value: object, where: str) -> dict[str, Any]:
    metadata = fields.as_object(value, where, "a line").get("metadata")
    if not fields.is_own(metadata, where):
        raise wrong(where, _OTHER_FILE)
    return fields.as_object(metadata, where, '"metadata"')


def _check_place(metadata: dict[str, Any], number: int, count: int, where: str) -> None:
    said = metadata.get("line"), metadata.get("lines")
    if any(isinstance(n, bool) or not isinstance(n, int) for n in said):
        raise wrong(where, 'expected "line" and "lines" as whole numbers in metadata')
    if said != (number, count):
        raise wrong(
            where,
            f"expected line {number} of {count}, got line {said[0]} of {said[1]}: the "
            "file is incomplete, or several in one; take another copy of it",
        )


def _line_turns(
    metadata: dict[str, Any], messages: list[Any], where: str
) -> Iterator[tuple[str, str, Turn | None]]:
    """Yield a line's turns, each with its thread's name and title; None without one."""
    pairs = read_pairs(messages, where)
    unread = iter(pairs)
    for item in fields.as_list(metadata.get("threads"), where, '"threads"'):
        thread = fields.as_object(item, where, "a thread")
        name, title = fields.read_name(thread, where), fields.read_title(thread, where)
        turns = fields.as_list(thread.get("turns"), where, '"turns"')
        if not turns:
            yield name, title, None
        for number, turn in enumerate(turns, 1):
            place = within(where, f"turn {number} of thread {name[:40]!r}")
            yield name, title, _own_turn(turn, unread, place)
    if next(unread, None) is not None:
        raise wrong(
            where,
            "expected as many questions in its messages as its metadata has, got more: "
            f"{len(pairs)}",
        )


def _own_turn(value: object, unread: Iterator[Pair], where: str) -> Turn:
    entry = fields.as_object(value, where, "a turn")
    if "question" in entry:
        return Turn(**fields.read_fields(entry, (*_TEXTS, *_FIELDS), where))
    pair = next(unread, None)
    if pair is None or pair.answer is None:
        raise wrong(
            where,
            "expected a question with its answer in the line's messages, got none",
        )
    metadata = fields.read_fields(entry, _FIELDS, where)
    question = pair.question
    if _TYPED in entry:
        question = fields.as_text(entry[_TYPED], where, f'"{_TYPED}"')
        metadata["sent"] = pair.question
    return Turn(question, pair.answer, system=pair.system, **metadata)
