"""An answer is a text that knows how it came about."""

from __future__ import annotations

import copy
import json
import pickle

import pytest
from hypothesis import given
from hypothesis import strategies as st

from h2o_magic.chat.facts import Facts
from h2o_magic.chat.messages import system, user
from h2o_magic.rendering.answer_text import AnswerText
from h2o_magic.rendering.json import AnswerFormatError

FACTS = Facts(
    "llama-13b",
    "built-in demo weights",
    demo=True,
    server="http://127.0.0.1:1",
    finish_reason="end",
    prompt_tokens=7,
    completion_tokens=3,
    thread="main",
    seconds=1.5,
    parameters={"stop": ("a", "b")},
)
MESSAGES = (system("Be short."), user("Hi"))


def answer(text: str = "Hello") -> AnswerText:
    return AnswerText(text, FACTS, MESSAGES)


@given(st.text(), st.text())
def test_it_is_a_text_wherever_one_is_wanted(text: str, other: str) -> None:
    value = answer(text)
    assert value == text
    assert hash(value) == hash(text)
    assert {value: 1}[text] == 1
    assert repr(value) == repr(text)
    assert json.dumps(value) == json.dumps(text)
    assert f"{value}" == text
    for part in (value[1:], value + other, other + value, value.strip(), str(value)):
        assert type(part) is str
    assert value[1:] == text[1:]


def test_it_knows_how_it_came_about() -> None:
    value = answer()
    assert (value.model, value.weights) == ("llama-13b", "built-in demo weights")
    assert (value.server, value.thread) == ("http://127.0.0.1:1", "main")
    assert (value.usage.prompt_tokens, value.usage.completion_tokens) == (7, 3)
    assert (value.seconds, value.finish_reason) == (1.5, "end")
    assert value.facts is FACTS
    assert value.messages == [
        {"role": "system", "content": "Be short."},
        {"role": "user", "content": "Hi"},
    ]
    assert (value.complete, value.error, value.reasoning) == (True, "", "")


def test_one_that_broke_off_says_why() -> None:
    facts = Facts("m", status="failed")
    value = AnswerText("half", facts, error="it broke off", reasoning="hm")
    assert value == "half"
    assert not value.complete
    assert (value.error, value.reasoning) == ("it broke off", "hm")


def test_copies_know_the_same() -> None:
    value = AnswerText("x", FACTS, MESSAGES, "why", "because")
    for same in (
        copy.copy(value),
        copy.deepcopy(value),
        *(pickle.loads(pickle.dumps(value, protocol)) for protocol in range(6)),
    ):
        assert type(same) is AnswerText
        assert same == value
        assert same.facts == FACTS
        assert same.messages == value.messages
        assert (same.error, same.reasoning) == ("why", "because")


def test_its_messages_belong_to_the_caller() -> None:
    value = answer()
    value.messages.clear()
    assert len(value.messages) == 2


def test_its_code_is_a_list_of_blocks_with_languages() -> None:
    value = answer("Run:\n```python\nprint(1)\n```\nor\n```sh\nls\n```")
    assert value.code == ["print(1)", "ls"]
    assert [block.language for block in value.code] == ["python", "sh"]
    assert answer("none").code == []


def test_its_json_is_a_value() -> None:
    assert answer('Sure: {"a": [1, 2]}').json() == {"a": [1, 2]}
    with pytest.raises(AnswerFormatError):
        answer("no").json()


def test_its_markdown_is_the_plain_text() -> None:
    assert type(answer("**x**").markdown) is str
    assert answer("**x**").markdown == "**x**"


def test_shown_in_a_notebook_it_can_do_nothing() -> None:
    shown = answer("**bold** <img src=x onerror=alert(1)>")._repr_markdown_()
    assert shown.startswith("**bold** ")
    assert "<img" not in shown
