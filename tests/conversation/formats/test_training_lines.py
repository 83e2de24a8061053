"""``.jsonl``: lines that a trainer takes, and nothing lost."""

from __future__ import annotations

import json
from typing import Any

import pytest
from hypothesis import given

from h2o_magic.chat.turns import Thread, Turn
from h2o_magic.conversation.formats.jsonl import read, write
from h2o_magic.errors import ConfigurationError
from tests.conversation.formats.conversations import CONVERSATION, MAIN_THREAD
from tests.conversation.formats.test_round_trip import conversations


def lines(*threads: Thread) -> list[list[tuple[str, str]]]:
    """Return the messages of each line."""
    parsed = [json.loads(line) for line in write(threads).splitlines()]
    return [[(m["role"], m["content"]) for m in line["messages"]] for line in parsed]


def thread(*turns: Turn, name: str = "main") -> Thread:
    return Thread(name, turns)


def test_a_conversation_is_a_line() -> None:
    assert lines(thread(Turn("A?", "B."), Turn("C?", "D."))) == [
        [("user", "A?"), ("assistant", "B."), ("user", "C?"), ("assistant", "D.")]
    ]


def test_a_new_line_begins_with_a_new_conversation() -> None:
    found = lines(thread(Turn("A?", "B."), Turn("C?", "D.", begins=True)))
    assert found == [
        [("user", "A?"), ("assistant", "B.")],
        [("user", "C?"), ("assistant", "D.")],
    ]


def test_a_new_line_begins_where_the_system_text_changes() -> None:
    found = lines(
        thread(Turn("A?", "B.", system="S"), Turn("C?", "D.", system="T")),
        thread(Turn("E?", "F.", system="T"), Turn("G?", "H."), name="side"),
    )
    assert [line[0] for line in found] == [
        ("system", "S"),
        ("system", "T"),
        ("system", "T"),
        ("user", "G?"),
    ]


@pytest.mark.parametrize("status", ["stopped", "failed", "incomplete"])
def test_an_answer_that_is_not_whole_is_no_example(status: Any) -> None:
    turns = Turn("A?", "B."), Turn("C?", "D", status), Turn("E?", "F.")
    assert lines(thread(*turns)) == [
        [("user", "A?"), ("assistant", "B."), ("user", "E?"), ("assistant", "F.")]
    ]


@pytest.mark.parametrize("turn", [Turn("A?", ""), Turn("A?", " \n"), Turn(" ", "B.")])
def test_an_empty_text_is_no_example(turn: Turn) -> None:
    assert lines(thread(turn, Turn("C?", "D."))) == [
        [("user", "C?"), ("assistant", "D.")]
    ]


def test_a_conversation_begins_even_if_its_first_answer_is_not_whole() -> None:
    turns = Turn("A?", "B."), Turn("C?", "D", "stopped", begins=True), Turn("E?", "F.")
    assert len(lines(thread(*turns))) == 2


def test_a_thread_without_whole_answers_makes_no_line_of_its_own() -> None:
    broken = thread(Turn("A?", "", "failed"), name="broken")
    whole = thread(Turn("B?", "C."))
    assert len(lines(broken, whole)) == len(lines(whole, broken)) == 1


def test_only_without_any_whole_answer_is_there_a_line_without_messages() -> None:
    assert lines(thread(Turn("A?", "", "failed")), Thread("side")) == [[]]


def test_messages_have_role_and_content_only() -> None:
    for line in write(CONVERSATION).splitlines():
        for message in json.loads(line)["messages"]:
            assert set(message) == {"role", "content"}


@given(threads=conversations)
def test_every_line_is_what_chat_fine_tuning_wants(threads: tuple[Thread, ...]) -> None:
    parsed = [json.loads(line) for line in write(threads).splitlines()]
    whole = any(
        turn.status == "complete"
        and turn.answer.strip()
        and (turn.sent or turn.question).strip()
        for thread in threads
        for turn in thread.turns
    )
    for line in parsed:
        roles = [message["role"] for message in line["messages"]]
        pairs = roles[1:] if roles[:1] == ["system"] else roles
        assert pairs == ["user", "assistant"] * (len(pairs) // 2)
        assert bool(pairs) == whole
        assert all(message["content"] for message in line["messages"])


# A part does not pass for the whole


def test_a_file_that_ends_after_a_line_is_refused() -> None:
    whole = write(CONVERSATION).splitlines(keepends=True)
    assert len(whole) > 2
    for count in range(1, len(whole)):
        with pytest.raises(ConfigurationError) as caught:
            read("".join(whole[:count]))
        assert str(caught.value) == (
            f"line 1: expected line 1 of {count}, got line 1 of {len(whole)}: the file "
            "is incomplete, or several in one; take another copy of it"
        )


def test_a_file_that_lost_its_beginning_is_refused() -> None:
    _, *rest = write(CONVERSATION).splitlines(keepends=True)
    with pytest.raises(ConfigurationError, match="the file is incomplete"):
        read("".join(rest))


def test_two_files_in_one_are_refused() -> None:
    with pytest.raises(ConfigurationError, match="several in one"):
        read(write(CONVERSATION) * 2)


def test_blank_lines_and_other_line_ends_do_not_count() -> None:
    text = write(CONVERSATION).replace("\n", "\r\n\r\n")
    assert read("\ufeff" + text) == CONVERSATION


# Files of other programs


def foreign(*texts: str, system: str = "") -> str:
    head = [{"role": "system", "content": system}] if system else []
    roles = "user", "assistant"
    body = [{"role": roles[n % 2], "content": t} for n, t in enumerate(texts)]
    return json.dumps({"messages": head + body})


def test_lines_of_other_programs_are_conversations_of_one_thread() -> None:
    text = f"{foreign('A?', 'B.', 'C?', 'D.', system='S')}\n{foreign('E?', 'F.')}\n"
    assert read(text) == (
        thread(
            Turn("A?", "B.", system="S"),
            Turn("C?", "D.", system="S"),
            Turn("E?", "F.", begins=True),
        ),
    )


def test_a_line_may_be_a_bare_list_of_messages() -> None:
    text = json.dumps(json.loads(foreign("A?", "B."))["messages"])
    assert read(text) == (thread(Turn("A?", "B.")),)


def test_an_error_names_line_and_message() -> None:
    with pytest.raises(ConfigurationError) as caught:
        read(f"{foreign('A?', 'B.')}\n\n{foreign('A?', 'B.', '')}\n")
    assert str(caught.value) == (
        "line 3, message 3: expected a question, got an empty message"
    )


def test_lines_of_both_kinds_in_one_file_are_refused() -> None:
    own = write((MAIN_THREAD,))
    for text in (own + foreign("A?", "B."), foreign("A?", "B.") + "\n" + own):
        with pytest.raises(ConfigurationError, match="got one of another file"):
            read(text)
