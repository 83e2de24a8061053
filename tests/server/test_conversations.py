"""Memory for conversations is bounded; a turn can be replaced."""

from __future__ import annotations

import asyncio

import pytest

from h2o_magic.chat.messages import assistant, user
from h2o_magic.server.gptgm.conversations import Conversation, Conversations


def test_past_the_limit_the_longest_unused_conversation_is_forgotten() -> None:
    conversations = Conversations(most=2)
    first, second, third = (Conversation("m") for _ in range(3))
    conversations.add(first)
    conversations.add(second)
    assert conversations.find(first.id) is first
    conversations.add(third)
    assert conversations.find(second.id) is None
    assert conversations.find(first.id) is first
    assert conversations.find(third.id) is third


def test_what_was_brought_along_stays_before_the_turns() -> None:
    conversation = Conversation("m", brought=(user("old"), assistant("older")))
    conversation.store("1", "one", "first")
    conversation.store("2", "two", "second")
    conversation.store("1", "again", "better", "1")
    told = (user("old"), assistant("older"), user("again"), assistant("better"))
    assert conversation.history() == told
    assert conversation.history("1") == told[:2]
    assert conversation.history("unknown") == told


def test_deleting_twice_is_no_error() -> None:
    conversations, conversation = Conversations(), Conversation("m")
    conversations.add(conversation)
    conversations.delete(conversation)
    conversations.delete(conversation)


def test_only_a_task_can_be_stopped() -> None:
    async def run() -> None:
        conversation = Conversation("m")
        with conversation.stopping.stoppable():
            conversation.stopping.stop()
            await asyncio.sleep(1)

    with pytest.raises(asyncio.CancelledError):
        asyncio.run(run())
