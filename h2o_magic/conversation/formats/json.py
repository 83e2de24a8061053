"""``.json``: chat messages as most programs know them, with metadata.

One thread is ``{"messages": [...], "metadata": {...}}``; several are ``{"threads":
[...], "metadata": {...}}`` with the same objects in the list. A system message precedes
the first question that it applies to, and each one where the system text changes; an
empty one ends it. Every turn is a user message and an assistant message, each with the
turn's other facts in its ``metadata``: of a question also what was ``sent`` in place of
it, and its ``images``.

Files of other programs can be read: messages alone, as a list or under "messages". They
become one thread with the default name. A last question without an answer becomes an
incomplete turn, which ``%h2o retry`` asks.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any

from h2o_magic.chat.turns import Thread, Turn
from h2o_magic.config.definitions import MAIN
from h2o_magic.conversation.formats import fields
from h2o_magic.conversation.formats.fields import ANSWER_FIELDS, QUESTION_FIELDS, wrong
from h2o_magic.conversation.formats.json_text import parse, write_json
from h2o_magic.conversation.formats.messages import Pair, foreign_turns, read_pairs


def write(threads: Sequence[Thread]) -> str:
    objects = [_thread_object(thread) for thread in threads]
    if len(objects) == 1:
        return write_json(objects[0], indent=2) + "\n"
    several = {"metadata": fields.signature(), "threads": objects}
    return write_json(several, indent=2) + "\n"


def read(text: str) -> tuple[Thread, ...]:
    data = parse(text)
    if isinstance(data, list):
        return (Thread(MAIN, tuple(foreign_turns(data, ""))),)
    if not isinstance(data, dict) or not {"messages", "threads"} & data.keys():
        raise wrong(
            "",
            'expected a list of messages, or an object with "messages" or "threads", '
            f"got {_kind(data)}",
        )
    if fields.is_own(data.get("metadata"), ""):
        return _own_threads(data)
    if "messages" not in data:
        raise wrong(
            "",
            f'expected "format": "{fields.FORMAT}" in the metadata of "threads", got '
            "none",
        )
    messages = fields.as_list(data["messages"], "", '"messages"')
    return (Thread(MAIN, tuple(foreign_turns(messages, ""))),)


def _kind(data: object) -> str:
    if not isinstance(data, dict):
        return fields.kind_of(data)
    names = ", ".join(repr(name[:20]) for name in list(data)[:5])
    return f"an object with {names}" if names else "an empty object"


def _thread_object(thread: Thread) -> dict[str, Any]:
    return {
        "messages": list(_messages(thread.turns)),
        "metadata": {
            **fields.signature(),
            "thread": thread.name,
            **fields.describe_title(thread),
        },
    }


def _messages(turns: Sequence[Turn]) -> Iterator[dict[str, Any]]:
    system = ""
    for turn in turns:
        if turn.system != system:
            system = turn.system
            yield {"role": "system", "content": system}
        for role, content, names in (
            ("user", turn.question, QUESTION_FIELDS),
            ("assistant", turn.answer, ANSWER_FIELDS),
        ):
            metadata = fields.describe(turn, *names)
            yield {"role": role, "content": content, "metadata": metadata}


def _own_threads(data: dict[str, Any]) -> tuple[Thread, ...]:
    if "threads" not in data:
        return (_own_thread(data, ""),)
    if "messages" in data:
        raise wrong("", 'expected "messages" or "threads", got both: remove one')
    threads = fields.as_list(data["threads"], "", '"threads"')
    return tuple(_own_thread(item, f"thread {n}") for n, item in enumerate(threads, 1))


def _own_thread(value: object, where: str) -> Thread:
    data = fields.as_object(value, where, "a thread")
    metadata = fields.as_object(data.get("metadata"), where, '"metadata"')
    if not fields.is_own(metadata, where):
        raise wrong(
            where, f'expected "format": "{fields.FORMAT}" in its metadata, got none'
        )
    messages = fields.as_list(data.get("messages"), where, '"messages"')
    turns = [_own_turn(pair) for pair in read_pairs(messages, where)]
    name, title = fields.read_name(metadata, where), fields.read_title(metadata, where)
    return Thread(name, tuple(turns), title)


def _own_turn(pair: Pair) -> Turn:
    if pair.answer is None:
        raise wrong(pair.where, "expected an answer after the question, got none")
    answer = fields.within(pair.where, "its answer")
    return Turn(
        pair.question,
        pair.answer,
        system=pair.system,
        **fields.read_fields(pair.question_metadata, QUESTION_FIELDS, pair.where),
        **fields.read_fields(pair.answer_metadata, ANSWER_FIELDS, answer),
    )
