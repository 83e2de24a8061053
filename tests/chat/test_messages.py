import copy
from collections.abc import Mapping
from dataclasses import FrozenInstanceError
from typing import Any

import pytest

from h2o_magic.chat.messages import (
    Message,
    assistant,
    parse_messages,
    system,
    user,
)
from h2o_magic.errors import MessagesError


def test_the_builders_name_who_speaks() -> None:
    assert system("a") == Message("system", "a")
    assert user("a") == Message("user", "a")
    assert assistant("a") == Message("assistant", "a")


def test_a_message_cannot_be_changed() -> None:
    with pytest.raises(FrozenInstanceError):
        user("a").content = "b"  # type: ignore[misc]


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
