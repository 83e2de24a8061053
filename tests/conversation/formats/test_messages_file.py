"""``.json``: messages that other programs understand, and those they write."""

from __future__ import annotations

import json
from typing import Any

import pytest

from h2o_magic.chat.turns import Thread, Turn
from h2o_magic.conversation.formats.json import read, write
from h2o_magic.errors import ConfigurationError
from tests.conversation.formats.conversations import CONVERSATION, MAIN_THREAD


def ask(text: Any) -> dict[str, Any]:
    return {"role": "user", "content": text}


def answer(text: Any) -> dict[str, Any]:
    return {"role": "assistant", "content": text}


def instruct(text: Any, role: str = "system") -> dict[str, Any]:
    return {"role": role, "content": text}


def plain(thread: Thread) -> list[tuple[str, str]]:
    messages = json.loads(write((thread,)))["messages"]
    return [(m["role"], m["content"]) for m in messages]


# Writing


def test_one_thread_is_an_object_with_messages_and_metadata() -> None:
    data = json.loads(write((Thread("side", (Turn("A?", "B."),)),)))
    assert list(data) == ["messages", "metadata"]
    assert data["metadata"] == {
        "format": "h2o_magic.conversation.threads",
        "version": 1,
        "thread": "side",
    }
    assert data["messages"][1] == {
        "role": "assistant",
        "content": "B.",
        "metadata": {"status": "complete", "model": "", "facts": {}},
    }


def test_several_threads_are_the_same_objects_in_a_list() -> None:
    data = json.loads(write(CONVERSATION))
    assert data["metadata"] == {
        "format": "h2o_magic.conversation.threads",
        "version": 1,
    }
    assert data["threads"] == [json.loads(write((thread,))) for thread in CONVERSATION]


def test_the_system_text_stands_before_what_it_applies_to() -> None:
    thread = Thread(
        "main",
        (
            Turn("1", "a", system="S"),
            Turn("2", "b", system="S"),
            Turn("3", "c", system="T"),
            Turn("4", "d"),
        ),
    )
    assert [m for m in plain(thread) if m[0] != "assistant"] == [
        ("system", "S"),
        ("user", "1"),
        ("user", "2"),
        ("system", "T"),
        ("user", "3"),
        ("system", ""),
        ("user", "4"),
    ]


def test_places_in_the_store_are_not_written() -> None:
    text = write((Thread("main", (Turn("A?", "B.", number=77, sequence=78, id=79),)),))
    assert "77" not in text
    assert "78" not in text
    assert "79" not in text


# Files of other programs


FOREIGN: list[tuple[list[dict[str, Any]], tuple[Turn, ...]]] = [
    ([ask("A?"), answer("B.")], (Turn("A?", "B."),)),
    (
        [instruct("S"), ask("A?"), answer("B."), ask("C?"), answer("D.")],
        (Turn("A?", "B.", system="S"), Turn("C?", "D.", system="S")),
    ),
    (
        [instruct("S"), instruct("T", "developer"), ask("A?"), answer("B.")],
        (Turn("A?", "B.", system="S\n\nT"),),
    ),
    (
        [ask("A?"), answer("B."), instruct("S"), ask("C?"), answer("D.")],
        (Turn("A?", "B."), Turn("C?", "D.", system="S")),
    ),
    (
        [
            ask([{"type": "text", "text": "A"}, {"type": "text", "text": "?"}]),
            answer(""),
        ],
        (Turn("A?", ""),),
    ),
    (
        [ask("A?"), answer("B."), ask("C?")],
        (Turn("A?", "B."), Turn("C?", "", "incomplete")),
    ),
    ([ask("A?")], (Turn("A?", "", "incomplete"),)),
    (
        [ask("A?"), {**answer("B"), "metadata": {"status": "stopped"}}],
        (Turn("A?", "B", "stopped"),),
    ),
    ([{**ask("A?"), "name": "x", "metadata": 5}, answer("B.")], (Turn("A?", "B."),)),
]


@pytest.mark.parametrize(("messages", "turns"), FOREIGN)
def test_messages_of_other_programs_become_turns(
    messages: list[dict[str, Any]], turns: tuple[Turn, ...]
) -> None:
    expected = (Thread("main", turns),)
    assert read(json.dumps(messages)) == expected
    assert read(json.dumps({"messages": messages})) == expected
    assert read(json.dumps({"messages": messages, "metadata": {"a": 1}})) == expected


def test_a_byte_order_mark_is_passed_over() -> None:
    assert read("\ufeff" + write((MAIN_THREAD,))) == (MAIN_THREAD,)


def test_what_later_versions_add_beside_is_passed_over() -> None:
    data = json.loads(write((MAIN_THREAD,)))
    data["metadata"]["more"] = data["more"] = 1
    data["messages"][0]["metadata"]["more"] = 1
    assert read(json.dumps(data)) == (MAIN_THREAD,)


# Errors say where


@pytest.mark.parametrize(
    ("messages", "said"),
    [
        (
            [ask("A?"), ask("B?")],
            (
                "message 2: expected the assistant's answer to the message before it, "
                "got another user message: remove one of them, or join them"
            ),
        ),
        (
            [ask("A?"), answer("B."), {"role": "tool", "content": "x"}],
            (
                "message 3: expected role 'system', 'user' or 'assistant', got the "
                "text 'tool': remove other messages"
            ),
        ),
        (
            [answer("B.")],
            "message 1: expected a user message before it, got none: remove it",
        ),
        (
            [ask([{"type": "image_url"}])],
            (
                'message 1: expected parts of type "text" in "content", got the text '
                "'image_url': remove other parts"
            ),
        ),
        (
            [ask("A?"), answer(None)],
            'message 2: expected a text as "content", got null',
        ),
    ],
)
def test_an_error_names_the_message_and_what_to_do(
    messages: list[dict[str, Any]], said: str
) -> None:
    with pytest.raises(ConfigurationError) as caught:
        read(json.dumps(messages))
    assert str(caught.value) == said


def test_an_error_in_one_of_several_threads_names_the_thread() -> None:
    data = json.loads(write(CONVERSATION))
    data["threads"][1]["messages"][1]["metadata"]["status"] = "done"
    with pytest.raises(ConfigurationError) as caught:
        read(json.dumps(data))
    assert str(caught.value) == (
        "thread 2, message 1, its answer: expected one of 'complete', 'stopped', "
        "'failed', 'incomplete' as \"status\", got the text 'done'"
    )


def test_an_answer_whose_status_is_missing_does_not_pass_for_complete() -> None:
    data = json.loads(write((MAIN_THREAD,)))
    del data["messages"][3]["metadata"]["status"]
    with pytest.raises(ConfigurationError, match='expected "status" in its metadata'):
        read(json.dumps(data))
