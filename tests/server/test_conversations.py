"""Memory for conversations and sessions is bounded."""

from __future__ import annotations

import asyncio

import pytest

from h2o_magic.server.conversations import Conversations, Sessions
from h2o_magic.server.sampling import ValidationError, parse_sampling
from h2o_magic.server.settings_form import parse_form


def test_past_the_limit_the_longest_unused_conversation_is_forgotten() -> None:
    conversations = Conversations(most=2)
    first, second = (conversations.create("s", "m") for _ in range(2))
    assert conversations.find("s", first.id) is first
    third = conversations.create("s", "m")
    assert conversations.find("s", second.id) is None
    assert conversations.find("s", first.id) is first
    assert conversations.find("s", third.id) is third


def test_past_the_limit_the_longest_unused_session_is_forgotten() -> None:
    sessions = Sessions(most=2)
    for session in ("a", "b"):
        sessions.accept(session)
    assert sessions.has_accepted("a")
    sessions.accept("c")
    assert [sessions.has_accepted(s) for s in "abc"] == [True, False, True]


def test_deleting_twice_is_no_error() -> None:
    conversations = Conversations()
    conversation = conversations.create("s", "m")
    conversations.delete(conversation)
    conversations.delete(conversation)


def test_only_a_task_can_be_stopped() -> None:
    async def run() -> None:
        conversation = Conversations().create("s", "m")
        with conversation.stopping.stoppable():
            conversation.stopping.stop()
            await asyncio.sleep(1)

    with pytest.raises(asyncio.CancelledError):
        asyncio.run(run())


def test_a_form_may_hold_blank_and_foreign_fields() -> None:
    form = parse_form(b"a=1&b=&c=%C3%A9", "application/x-www-form-urlencoded; x=y")
    assert form == {"a": "1", "b": "", "c": "é"}


def test_what_is_no_form_is_refused() -> None:
    with pytest.raises(ValueError, match="expected a form"):
        parse_form(b"{}", "application/json")


def test_best_of_is_refused_without_a_stream_in_other_words() -> None:
    with pytest.raises(ValidationError, match=r"must be > 0 and <= 1\. Given: 2"):
        parse_sampling({"best_of": 2}, stream=False)
    assert parse_sampling({"decoder_input_details": True}, stream=False)
