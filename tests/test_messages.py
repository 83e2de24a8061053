import copy
from collections.abc import Mapping
from dataclasses import FrozenInstanceError
from typing import Any

import pytest

from h2o_magic.errors import MessagesError
from h2o_magic.messages import (
    Conversation,
    Message,
    Turn,
    assistant,
    parse_messages,
    system,
    user,
)


def test_the_builders_name_who_speaks() -> None:
    assert system("a") == Message("system", "a")
    assert user("a") == Message("user", "a")
    assert assistant("a") == Message("assistant", "a")


def test_a_message_cannot_be_changed() -> None:
    with pytest.raises(FrozenInstanceError):
        user("a").content = "b"  # type: ignore[misc]


# Conversation


def told(*answers: str) -> Conversation:
    """Return a conversation with a turn for each answer, in cells a, b, c, ..."""
    turns = (Turn(f"{a}?", a, cell=c) for a, c in zip(answers, "abcdef", strict=False))
    return Conversation(tuple(turns))


def test_a_question_of_a_new_cell_is_asked_after_all_turns() -> None:
    conversation = told("1", "2")
    assert conversation.before("new") == conversation


def test_a_question_without_a_cell_is_asked_after_all_turns() -> None:
    conversation = Conversation((Turn("1?", "1"), Turn("2?", "2")))
    assert conversation.before(None) == conversation


def test_a_cell_that_is_run_again_asks_from_its_own_place() -> None:
    conversation = told("1", "2", "3")
    assert conversation.before("b") == told("1")
    assert conversation.before("a") == Conversation()


def test_a_turn_of_a_new_cell_is_added_at_the_end() -> None:
    assert told("1").with_turn(Turn("2?", "2", cell="b")) == told("1", "2")


def test_a_turn_of_a_known_cell_takes_its_place() -> None:
    again = Turn("other?", "other", cell="b")
    before = told("1", "2", "3")
    assert before.with_turn(again).turns == (before.turns[0], again, before.turns[2])


def test_running_a_cell_twice_never_makes_two_turns() -> None:
    conversation = told("1", "2")
    for answer in ("again", "and again"):
        conversation = conversation.with_turn(Turn("1?", answer, cell="a"))
    assert [turn.answer for turn in conversation.turns] == ["and again", "2"]


def test_turns_without_a_cell_are_always_added() -> None:
    conversation = Conversation()
    for answer in ("1", "2", "2"):
        conversation = conversation.with_turn(Turn("same?", answer))
    assert [turn.answer for turn in conversation.turns] == ["1", "2", "2"]


def test_with_turn_leaves_the_conversation_it_was_called_on() -> None:
    conversation = told("1")
    conversation.with_turn(Turn("1?", "other", cell="a"))
    assert conversation == told("1")


def test_complete_turns_are_sent_as_alternating_messages() -> None:
    assert told("1", "2").messages() == (
        user("1?"),
        assistant("1"),
        user("2?"),
        assistant("2"),
    )


@pytest.mark.parametrize(
    "left_out",
    [
        Turn("q", "half an ans", "stopped"),
        Turn("q", "half an ans", "failed"),
        Turn("q", "", "failed"),
        Turn("q", "", "complete"),
    ],
)
def test_only_whole_answers_are_sent_as_context(left_out: Turn) -> None:
    conversation = Conversation((left_out, Turn("2?", "2")))
    assert conversation.messages() == (user("2?"), assistant("2"))


def test_a_turns_system_text_is_not_sent_as_a_message() -> None:
    conversation = Conversation((Turn("1?", "1", system="Be brief."),))
    assert conversation.messages() == (user("1?"), assistant("1"))


# parse_messages

NO_LIST = 'expected a list of messages like [{"role": "user", "content": "Hi"}], got '
NO_QUESTION = "expected the last message to be the user's question, got one of role "
TEXT_ONLY = ": this server takes text only"


def test_mappings_become_messages() -> None:
    given = [
        {"role": "system", "content": "Be brief."},
        {"role": "user", "content": "Hi"},
        {"role": "assistant", "content": "Hello."},
        {"role": "user", "content": "And?", "name": "Ann"},
    ]
    assert parse_messages(given) == (
        system("Be brief."),
        user("Hi"),
        assistant("Hello."),
        user("And?"),
    )


def test_messages_pass_as_they_are_also_from_an_iterator() -> None:
    assert parse_messages(iter([user("Hi")])) == (user("Hi"),)


def test_a_content_of_text_parts_is_joined() -> None:
    parts = [{"type": "text", "text": "What is "}, {"type": "text", "text": "this?"}]
    assert parse_messages([{"role": "user", "content": parts}]) == (
        user("What is this?"),
    )


def test_white_space_around_a_content_is_kept() -> None:
    assert parse_messages([{"role": "user", "content": " Hi\n"}]) == (user(" Hi\n"),)


def test_the_callers_messages_are_not_changed() -> None:
    given = [{"role": "user", "content": [{"type": "text", "text": "Hi"}]}]
    before = copy.deepcopy(given)
    parse_messages(given)
    assert given == before


@pytest.mark.parametrize(
    ("given", "said"),
    [
        ([], "expected at least one message, got an empty list"),
        (
            "Hi",
            NO_LIST + "str",
        ),
        (
            {"role": "user", "content": "Hi"},
            NO_LIST + "dict",
        ),
        (
            ["Hi"],
            "message 0: expected a mapping with 'role' and 'content', got str",
        ),
        (
            [{"role": "tool", "content": "Hi"}],
            "message 0: expected role system, user, assistant, got 'tool'",
        ),
        (
            [{"content": "Hi"}],
            "message 0: expected role system, user, assistant, got None",
        ),
        (
            [{"role": ["user"], "content": "Hi"}],
            "message 0: expected role system, user, assistant, got ['user']",
        ),
        (
            [{"role": "user", "content": "Hi"}, {"role": "user", "content": None}],
            "message 1: expected text as content, got NoneType",
        ),
        (
            [{"role": "user"}],
            "message 0: expected text as content, got NoneType",
        ),
        (
            [{"role": "user", "content": b"Hi"}],
            "message 0: expected text as content, got bytes",
        ),
        (
            [{"role": "user", "content": [{"type": "image_url", "image_url": {}}]}],
            "message 0: expected parts of type 'text', got 'image_url'" + TEXT_ONLY,
        ),
        (
            [{"role": "user", "content": ["Hi"]}],
            "message 0: expected parts of type 'text', got 'str'" + TEXT_ONLY,
        ),
        (
            [{"role": "user", "content": [{"type": "text", "text": None}]}],
            "message 0: expected parts of type 'text', got 'text'" + TEXT_ONLY,
        ),
        (
            [{"role": "system", "content": "Be brief."}],
            NO_QUESTION + "'system': add a user message",
        ),
        (
            [{"role": "user", "content": "Hi"}, {"role": "assistant", "content": "A"}],
            NO_QUESTION + "'assistant': add a user message",
        ),
        (
            [{"role": "user", "content": ""}],
            "expected a question, got an empty message: write one",
        ),
        (
            [{"role": "user", "content": " \n\t"}],
            "expected a question, got an empty message: write one",
        ),
        (
            [{"role": "user", "content": []}],
            "expected a question, got an empty message: write one",
        ),
    ],
)
def test_messages_that_no_server_takes_are_refused_in_words(
    given: list[Mapping[str, Any]], said: str
) -> None:
    with pytest.raises(MessagesError) as caught:
        parse_messages(given)
    assert str(caught.value) == said


def test_a_system_message_after_the_others_is_refused() -> None:
    with pytest.raises(MessagesError, match="system"):
        parse_messages(
            [user("Hi"), assistant("Hello."), system("Be brief."), user("?")]
        )
