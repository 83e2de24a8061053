"""What is told of a question that is not stored: the nearest one, and what differs."""

from __future__ import annotations

import random
import re
from collections.abc import Callable
from dataclasses import replace
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from h2o_magic.backends.base import ChatRequest
from h2o_magic.backends.replay.differences import difference_of_prompts, differences
from h2o_magic.backends.replay.nearest import is_near, nearest
from h2o_magic.backends.replay.summary import Summary, summary
from h2o_magic.chat.images import Image
from h2o_magic.chat.messages import assistant, system, user
from tests.backends.replay.questions import QUESTIONS
from tests.backends.replay.requests import png

WORDS = (
    "The table has the sales of a shop by day and by product, in euros, without tax. "
    "Rows with a negative amount are returns, and belong to the day of the purchase. "
)
LONG = "".join(f"{n}: {WORDS}\n" for n in range(120))  # 20,000 characters
SCHEMA = {
    "type": "object",
    "properties": {"name": {"type": "string"}, "age": {"type": "integer"}},
}


def asked(text: str = "Why?", **fields: Any) -> ChatRequest:
    return ChatRequest("llama", (system("Be brief."), user(text)), **fields)


def told(before: ChatRequest, now: ChatRequest, server: str = "lab") -> list[str]:
    """Return what differs between a stored request and another one."""
    stored = summary(before, "lab", str)
    found = differences(stored, summary(now, server, str, whole=True))
    assert len("; ".join(found)) <= 200
    assert all(each.isprintable() for each in found)
    return found


def changed(old: str, new: str, text: str = LONG) -> list[str]:
    assert text.count(old) == 1
    return told(asked(text), asked(text.replace(old, new)))


NUMBER = {
    "type": "object",
    "properties": {"name": {"type": "string"}, "age": {"type": "number"}},
}


# A prompt


@pytest.mark.parametrize(
    ("old", "new", "said"),
    [
        ("Why?", "Why not?", "(was “Why?”, now “Why not?”)"),
        ("Hi 2025", "Hi 2026", "(was “Hi 2025”, now “Hi 2026”)"),
        ("", "Why?", "(was nothing, now “Why?”)"),
        ("Why?", "", "(was “Why?”, now nothing)"),
        ("Explain", "Explain it now", "(was “Explain”, now “Explain it now”)"),
        ("one\ntwo", "one\nthree", "(was “one two”, now “one three”)"),
        ("Why?", "Why?\n", "(white space or invisible characters, in “Why?”)"),
        ("a\tb", "a b", "(white space or invisible characters, in “a b”)"),
        ("a\r\nb", "a\nb", "(white space or invisible characters, in “a b”)"),
        ("ab", "a\u200bb", "(was “ab”, now “a b”)"),
        ("Caf\u00e9", "Cafe\u0301", "(characters that look alike, in “Cafe\u0301”)"),
        ("\x1b[31mred", "\x1b[32mred", "(was “[31mred”, now “[32mred”)"),
    ],
)
def test_a_prompt_is_quoted_as_it_was_and_as_it_is(
    old: str, new: str, said: str
) -> None:
    assert told(asked(old), asked(new)) == [f"the prompt {said}"]


def test_a_number_in_the_midst_of_a_prompt_is_quoted_with_whole_words_around() -> None:
    text = f"{WORDS}What was sold in 2025, and what was returned? {WORDS}"
    (said,) = changed("in 2025,", "in 2026,", text)
    assert said == (
        "the prompt (was “…was sold in 2025, and what was returned? The…”, "
        "now “…was sold in 2026, and what was returned? The…”)"
    )


@pytest.mark.parametrize("line", [3, 12, 13, 40, 119])
def test_a_number_deep_in_a_long_prompt_is_found(line: int) -> None:
    (said,) = changed(f"\n{line}: The table", f"\n{line}7: The table")
    if line <= 12:  # in what is kept of it
        assert f"{line}: The table" in said
        assert f"{line}7: The table" in said
    else:
        assert said == (
            f"the prompt (line {line + 1}, now “{line}7: The table has the sales of a "
            "shop by day…”)"
        )


def test_a_prompt_that_is_longer_or_shorter_says_where() -> None:
    more = f"{LONG}And by week?"
    assert told(asked(LONG), asked(more)) == [
        "the prompt (line 121, now “And by week?”)"
    ]
    assert told(asked(more), asked(LONG)) == ["the prompt (it was longer)"]
    huge = LONG * 10
    assert told(asked(f"{huge}a"), asked(f"{huge}b"))[0].startswith(
        "the prompt (behind line "
    )
    row = "1234567890" * 2000
    (said,) = told(asked(row), asked(f"{row[:9000]}x{row[9001:]}"))
    assert re.fullmatch("the prompt [(]line 1, now “[0-9x]+…”[)]", said)


LETTERS = st.text(st.sampled_from("ab é\n\t😀1"), max_size=80)


@given(LETTERS, LETTERS, LETTERS, LETTERS)
def test_any_change_of_a_prompt_is_told_in_few_characters(
    start: str, old: str, new: str, end: str
) -> None:
    before, now = asked(start * 40 + old + end), asked(start * 40 + new + end)
    if before != now:
        (said,) = told(before, now)
        assert said.startswith("the prompt (")


# Everything else


def pictured(*images: Image) -> ChatRequest:
    return ChatRequest("llama", (user("What is it?", images),))


def talked(*texts: str) -> ChatRequest:
    turns = [(assistant if n % 2 else user)(text) for n, text in enumerate(texts)]
    return ChatRequest("llama", tuple(turns))


RED, BLUE = png(bytes([255, 0, 0] * 4)), png(bytes([0, 0, 255] * 4))


@pytest.mark.parametrize(
    ("before", "now", "said"),
    [
        (asked(), replace(asked(), model="phi"), "the model (was llama, now phi)"),
        (
            asked(),
            replace(asked(), messages=(system("Be kind."), user("Why?"))),
            "the system prompt (was “Be brief.”, now “Be kind.”)",
        ),
        (
            asked(parameters={"temperature": 0.2}),
            asked(parameters={"temperature": 0.7}),
            "temperature (was 0.2, now 0.7)",
        ),
        (asked(), asked(parameters={"seed": 5}), "seed (was not set, now 5)"),
        (asked(parameters={"seed": 1}), asked(), "seed (was 1, now not set)"),
        (
            asked(parameters={"extra": {"top": {"k": [1, 2], "on": True}}}),
            asked(parameters={"extra": {"top": {"k": [1, 3], "on": True}}}),
            "extra.top.k (was [1, 2], now [1, 3])",
        ),
        (
            asked(parameters={"stop": ("a",)}),
            asked(parameters={"stop": ("b",)}),
            'stop (was ["a"], now ["b"])',
        ),
        (
            asked(schema=SCHEMA),
            asked(schema=NUMBER),
            'schema.properties.age.type (was "integer", now "number")',
        ),
        (
            asked(schema=SCHEMA),
            asked(schema=dict(reversed(SCHEMA.items()))),
            "the order of names in schema",
        ),
        (asked(schema={"a": 1}), asked(), 'schema (was {"a": 1}, now not set)'),
        (
            asked(schema={"a": "x" * 5000}),
            asked(schema={"a": "y" * 5000}),
            "the schema",
        ),
        (asked(), asked(strict=True), "`strict`"),
        (pictured(RED), pictured(BLUE), "the image fig (its pixels)"),
        (
            pictured(RED),
            pictured(replace(png(bytes(24)), width=2, height=4)),
            "the image fig (was 2 x 2, now 2 x 4)",
        ),
        (pictured(RED), pictured(RED, BLUE), "the images (1 before, now 2)"),
        (
            talked("Why?", "So.", "And?"),
            talked("Why?", "Thus.", "And?"),
            "an earlier answer (was “So.”, now “Thus.”)",
        ),
        (
            talked("Why?", "So.", "And?"),
            talked("Why not?", "So.", "And?"),
            "an earlier question (was “Why?”, now “Why not?”)",
        ),
        (
            talked("Why?", "word " * 20, "And?"),
            talked("Why?", "word " * 21, "And?"),
            f"an earlier answer (behind “{'word ' * 8}word…”)",
        ),
        (
            talked("Why?", "So.", "And?"),
            talked("And?"),
            "the conversation (2 earlier messages, now 0)",
        ),
        (
            replace(asked(), messages=(system("a"), system("b"), user("Why?"))),
            replace(asked(), messages=(system("a\n\nb"), user("Why?"))),
            "a part that is not kept readable",
        ),
    ],
)
def test_what_differs_is_named(
    before: ChatRequest, now: ChatRequest, said: str
) -> None:
    assert "; ".join(told(before, now)) == said


def test_of_questions_with_little_in_common_only_the_prompt_is_told() -> None:
    stored = summary(asked("Hello", parameters={"seed": 1}), "lab", str)
    now = summary(replace(asked(), model="phi"), "other", str, whole=True)
    said = difference_of_prompts(stored, now)
    assert said == "the prompt (was “Hello”, now “Why?”)"
    assert difference_of_prompts({}, {**now, "question": ""}) == "the prompt"


def test_another_server_is_named_first_and_no_more_than_fits() -> None:
    many = [{f"name_{n}": c * 30 for n in range(20)} for c in "xy"]
    before = asked("Why?", parameters={"extra": many[0]})
    now = asked("Why not?", parameters={"extra": many[1]})
    said = told(before, now, server="other")
    assert said[:2] == [
        "the server (was lab, now other)",
        "the prompt (was “Why?”, now “Why not?”)",
    ]
    assert said[-1] == f"{22 - len(said) + 1} more"
    long = replace(asked("y" * 9999), model="m" * 999)
    assert told(asked("x" * 9999), long)


def test_a_field_that_is_added_later_is_named() -> None:
    stored = summary(asked(), "lab", str)
    now = summary(asked(), "lab", str, whole=True)
    assert differences(stored, {**now, "tools": "1234"}) == ["`tools`"]


# The nearest


def a_word_less(text: str, dice: random.Random) -> str:
    words = text.split(" ")
    del words[dice.randrange(len(words))]
    return " ".join(words) or text


def misspelled(text: str, dice: random.Random) -> str:
    place = dice.randrange(len(text))
    return f"{text[:place]}q{text[place + 1 :]}"


def more(text: str, dice: random.Random) -> str:
    return f"{text} {dice.choice(['Briefly.', 'In German.', 'Show the code as well.'])}"


@pytest.mark.parametrize("edit", [a_word_less, misspelled, more])
def test_the_nearest_is_the_question_before_it_was_edited(
    edit: Callable[[str, random.Random], str],
) -> None:
    dice = random.Random(1)
    assert len(set(QUESTIONS)) >= 50
    stored = [summary(asked(text), "lab", str) for text in QUESTIONS]
    for n, text in enumerate(QUESTIONS):
        now = asked(edit(text, dice))
        assert nearest(summary(now, "lab", str, whole=True), stored) is stored[n]


def test_the_nearest_is_found_behind_what_all_prompts_begin_with() -> None:
    stored = [summary(asked(WORDS * 9 + text), "lab", str) for text in QUESTIONS]
    for n in range(0, len(QUESTIONS), 9):
        now = asked(f"{WORDS * 9}{QUESTIONS[n][:-1]}, please?")
        assert nearest(summary(now, "lab", str, whole=True), stored) is stored[n]


def test_of_one_question_the_nearest_has_most_of_the_rest_the_same() -> None:
    earlier = (user("a"), assistant("b"), user("c"), assistant("d"))
    base = ChatRequest("llama", (system("s"), *earlier, user("And?")), {"seed": 1})
    others = [
        replace(base, model="other"),
        replace(base, parameters={"seed": 2}),
        replace(base, messages=base.messages[-1:]),
        replace(base, messages=(*base.messages[:4], assistant("x"), user("And?"))),
    ]
    stored = [summary(each, "lab", str) for each in others]
    for n, each in enumerate(others):
        assert nearest(summary(each, "lab", str), stored) is stored[n]
    now = replace(base, messages=(*base.messages[:4], assistant("y"), user("And?")))
    assert nearest(summary(now, "lab", str), stored) is stored[3]


def test_there_is_no_nearest_of_none() -> None:
    assert nearest(summary(asked(), "lab", str), []) is None


def test_few_of_many_are_compared_word_by_word(monkeypatch: pytest.MonkeyPatch) -> None:
    from difflib import SequenceMatcher  # noqa: PLC0415

    counted: list[None] = []
    ratio = SequenceMatcher.ratio
    monkeypatch.setattr(
        SequenceMatcher, "ratio", lambda self: counted.append(None) or ratio(self)
    )
    texts = [f"{text} {n}" for text in QUESTIONS for n in range(40)]
    stored = [summary(asked(text), "lab", str) for text in texts]
    now = summary(asked(f"{QUESTIONS[7]} 21"), "lab", str)
    assert nearest(now, stored) == now
    assert len(counted) <= 12


@pytest.mark.parametrize(
    ("old", "new", "near"),
    [
        ("What was sold in 2025?", "What was sold in 2026?", True),
        ("What was sold in 2025?", "What was sold in 2025? Briefly.", True),
        ("What was sold in 2025?", "Who has sold it?", False),
        (LONG, f"{LONG}x", True),
        (LONG, "Why?", False),
        ("", "", True),
        ("", "Why?", False),
    ],
)
def test_a_question_that_begins_in_the_same_way_is_near(
    old: str, new: str, near: bool
) -> None:
    now = summary(asked(new), "lab", str, whole=True)
    assert is_near(summary(asked(old), "lab", str), now) is near


# Stored summaries may hold anything

ANY = st.sampled_from(
    [None, 0, True, "", "x", [], ["x"], [[]], {}, {"a": 1}, [{"a": 1}]]
)


@given(st.data())
def test_a_stored_summary_may_hold_anything(data: Any) -> None:
    full = replace(asked(LONG, schema=SCHEMA), messages=talked("a", "b", "c").messages)
    whole: dict[str, Any] = summary(full, "lab", str)
    names = st.sampled_from([*whole, "schema", "question_behind", "images", "x"])
    before: Summary = {**whole, **data.draw(st.dictionaries(names, ANY, max_size=4))}
    now = summary(pictured(RED), "lab", str, whole=True)
    assert len("; ".join(differences(before, now))) <= 200
    assert nearest(now, [before]) is before
    assert is_near(before, now) in (True, False)
