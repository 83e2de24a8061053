"""``.json``: chat messages as most programs know them, with metadata.

One thread is ``{"messages": [...], "metadata": {...}}``; several are ``{"threads":
[...], "metadata": {...}}`` with the same objects in the list. A system message stands
before the first question that it applies to, and again where the system text changes;
an empty one says that there is none from here on. Every turn is a user message and an
assistant message, each with the turn's other facts in its ``metadata``.

Files of other programs are read too: messages alone, as a list or under "messages".
They become one thread with the name that a notebook begins with. A question without an
answer at their end, be it all there is, is an incomplete turn: ``%h2o retry`` asks it.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any

from h2o_magic.chat.turns import Thread, Turn
from h2o_magic.config.definitions import MAIN
from h2o_magic.conversation.formats.checks import (
    as_list,
    as_object,
    kind_of,
    within,
    wrong,
)
from h2o_magic.conversation.formats.fields import (
    ANSWER_FIELDS,
    FORMAT,
    QUESTION_FIELDS,
    describe,
    is_own,
    read_fields,
    read_name,
    signature,
)
from h2o_magic.conversation.formats.json_text import parse, write_json
from h2o_magic.conversation.formats.messages import Pair, foreign_turns, read_pairs


def write(threads: Sequence[Thread]) -> str:
    """Return `threads` as the text of a ``.json`` file.

    Raises
    ------
    ConfigurationError
        If facts are not JSON values.
    """
    objects = [_thread_object(thread) for thread in threads]
    if len(objects) == 1:
        return write_json(objects[0], indent=2) + "\n"
    several = {"metadata": signature(), "threads": objects}
    return write_json(several, indent=2) + "\n"


def read(text: str) -> tuple[Thread, ...]:
    """Return the threads of a ``.json`` file.

    Raises
    ------
    ConfigurationError
        If `text` is not one, not whole, or of a newer version.
    """
    data = parse(text)
    if isinstance(data, list):
        return (Thread(MAIN, tuple(foreign_turns(data, ""))),)
    if not isinstance(data, dict) or not {"messages", "threads"} & data.keys():
        raise wrong("", f"{_EXPECTED}, got {_kind(data)}")
    if is_own(data.get("metadata"), ""):
        return _own_threads(data)
    if "messages" not in data:
        raise wrong(
            "", f'expected "format": "{FORMAT}" in the metadata of "threads", got none'
        )
    messages = as_list(data["messages"], "", '"messages"')
    return (Thread(MAIN, tuple(foreign_turns(messages, ""))),)


_EXPECTED = 'expected a list of messages, or an object with "messages" or "threads"'


def _kind(data: object) -> str:
    if not isinstance(data, dict):
        return kind_of(data)
    names = ", ".join(repr(name[:20]) for name in list(data)[:5])
    return f"an object with {names}" if names else "an empty object"


def _thread_object(thread: Thread) -> dict[str, Any]:
    return {
        "messages": list(_messages(thread.turns)),
        "metadata": {**signature(), "thread": thread.name},
    }


def _messages(turns: Sequence[Turn]) -> Iterator[dict[str, Any]]:
    system = ""
    for turn in turns:
        if turn.system != system:
            system = turn.system
            yield {"role": "system", "content": system}
        yield _message("user", turn.question, describe(turn, *QUESTION_FIELDS))
        yield _message("assistant", turn.answer, describe(turn, *ANSWER_FIELDS))


def _message(role: str, content: str, metadata: dict[str, Any]) -> dict[str, Any]:
    return {"role": role, "content": content, "metadata": metadata}


def _own_threads(data: dict[str, Any]) -> tuple[Thread, ...]:
    if "threads" not in data:
        return (_own_thread(data, ""),)
    if "messages" in data:
        raise wrong("", 'expected "messages" or "threads", got both: take one out')
    threads = as_list(data["threads"], "", '"threads"')
    return tuple(_own_thread(item, f"thread {n}") for n, item in enumerate(threads, 1))


def _own_thread(value: object, where: str) -> Thread:
    data = as_object(value, where, "a thread")
    metadata = as_object(data.get("metadata"), where, '"metadata"')
    if not is_own(metadata, where):
        raise wrong(where, f'expected "format": "{FORMAT}" in its metadata, got none')
    messages = as_list(data.get("messages"), where, '"messages"')
    turns = [_own_turn(pair) for pair in read_pairs(messages, where)]
    return Thread(read_name(metadata, where), tuple(turns))


def _own_turn(pair: Pair) -> Turn:
    if pair.answer is None:
        raise wrong(pair.where, "expected an answer after the question, got none")
    answer = within(pair.where, "its answer")
    return Turn(
        pair.question,
        pair.answer,
        system=pair.system,
        **read_fields(pair.question_metadata, QUESTION_FIELDS, pair.where),
        **read_fields(pair.answer_metadata, ANSWER_FIELDS, answer),
    )
