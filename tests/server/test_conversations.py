"""Memory for conversations is bounded; a turn can be replaced."""

from __future__ import annotations

import asyncio

import pytest

from h2o_magic.chat.messages import assistant, user
from h2o_magic.server.gptgm.conversations import Conversation, Conversations
from h2o_magic.server.stopping import StoppedError


def large(size: int = 40_000) -> Conversation:
    return Conversation("m", brought=(user("x" * size),))


def test_past_the_limit_the_longest_unused_conversation_is_forgotten() -> None:
    conversations = Conversations(most=100_000)
    first, second, third = (large() for _ in range(3))
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


def test_turns_count_as_what_was_brought_along_does() -> None:
    conversations, first, second = Conversations(most=100_000), large(), large(0)
    conversations.add(first)
    conversations.add(second)
    second.store("1", "x" * 30_000, "y" * 30_000)
    conversations.note_change(second)
    assert conversations.find(first.id) is None
    assert conversations.find(second.id) is second


def test_many_small_texts_count_as_the_memory_they_take() -> None:
    conversations, one = Conversations(most=100_000), large(0)
    conversations.add(one)
    conversations.add(Conversation("m", brought=(user(""),) * 2000))
    assert conversations.find(one.id) is None


def test_texts_of_wide_characters_count_as_the_memory_they_take() -> None:
    conversations, one = Conversations(most=100_000), large(0)
    conversations.add(one)
    conversations.add(Conversation("m", brought=(user("☃" * 60_000),)))
    assert conversations.find(one.id) is None


def test_one_that_is_too_large_for_all_is_kept_while_it_is_the_only_one() -> None:
    conversations, one = Conversations(most=1000), large()
    conversations.add(one)
    assert conversations.find(one.id) is one
    conversations.add(large())
    assert conversations.find(one.id) is None


def test_an_unused_conversation_ends_after_a_while() -> None:
    conversations, old, new = Conversations(), large(0), large(0)
    conversations.add(old)
    old.used -= 3601
    conversations.add(new)
    assert conversations.find(old.id) is None
    assert conversations.find(new.id) is new


def test_what_is_deleted_is_stopped() -> None:
    async def run() -> None:
        conversations, conversation = Conversations(), Conversation("m")
        conversations.add(conversation)
        forever = asyncio.Event().wait()
        answering = asyncio.ensure_future(conversation.stopping.run(forever))
        await asyncio.sleep(0)
        conversations.delete(conversation)
        with pytest.raises(StoppedError):
            await answering

    asyncio.run(run())
