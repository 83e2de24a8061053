"""What is written can be read back, to the last mark."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import fields, replace
from typing import Any, get_args

import nbformat
import pytest
from hypothesis import given
from hypothesis import strategies as st

from h2o_magic.chat.turns import Thread, Turn, TurnStatus
from h2o_magic.conversation.formats import FORMATS
from h2o_magic.errors import ConfigurationError
from tests.conversation.formats.conversations import (
    CONVERSATION,
    FACTS,
    FIG,
    MAIN_THREAD,
    PHOTO,
)

READABLE = [suffix for suffix, entry in FORMATS.items() if entry.read is not None]

every_format = pytest.mark.parametrize("suffix", FORMATS)
every_readable_format = pytest.mark.parametrize("suffix", READABLE)


def reader(suffix: str) -> Callable[[str], tuple[Thread, ...]]:
    read = FORMATS[suffix].read
    assert read is not None
    return read


def there_and_back(threads: tuple[Thread, ...], suffix: str) -> tuple[Thread, ...]:
    text = FORMATS[suffix].write(threads)
    assert text.endswith("\n")
    # What a file holds is bytes, and its reader may have other ideas of a line's end.
    return reader(suffix)(text.encode("utf-8").decode("utf-8"))


odd = st.sampled_from(
    ["```", "%%h2o", "--new", "\r\n", "\r", "\u2028", "\x85", "\x00", "<sub>", "> # "]
)


def joined(text: str) -> str:
    """Return `text` with both halves of a character, next to each other, made one."""
    return text.encode("utf-16", "surrogatepass").decode("utf-16", "surrogatepass")


texts = st.one_of(
    st.text(st.characters(exclude_categories=()), max_size=30).map(joined),
    st.lists(st.one_of(odd, st.text(max_size=5)), max_size=6).map("".join),
)
json_values = st.recursive(
    st.one_of(
        st.none(),
        st.booleans(),
        st.integers(),
        st.floats(allow_nan=False, allow_infinity=False),
        st.text(max_size=10),
    ),
    lambda inner: st.one_of(
        st.lists(inner, max_size=3),
        st.dictionaries(st.text(max_size=5), inner, max_size=3),
    ),
    max_leaves=8,
)
some_facts = st.one_of(
    st.just(FACTS),
    st.dictionaries(
        st.one_of(st.sampled_from(sorted(FACTS)), st.text(max_size=5)),
        json_values,
        max_size=6,
    ),
)
turns = st.builds(
    Turn,
    question=texts,
    answer=texts,
    status=st.sampled_from(get_args(TurnStatus)),
    cell=st.one_of(st.none(), st.sampled_from(["a", "b", "h2o-1", "c#2"]), texts),
    system=st.one_of(st.just(""), st.just("Be brief."), texts),
    model=st.one_of(st.sampled_from(["", "llama-13b", "-odd name"]), texts),
    begins=st.booleans(),
    outdated=st.booleans(),
    asked_at=st.floats(allow_nan=False, allow_infinity=False),
    facts=some_facts,
    sent=st.one_of(st.just(""), texts),
    images=st.lists(st.sampled_from([FIG, PHOTO]), max_size=3).map(tuple),
    number=st.integers(0, 9),
    sequence=st.integers(0, 9),
    id=st.integers(0, 9),
)
conversations = st.lists(
    st.builds(
        Thread,
        st.one_of(st.sampled_from(["main", "side line"]), st.text(min_size=1)),
        st.lists(turns, max_size=6).map(tuple),
    ),
    max_size=4,
    unique_by=lambda thread: thread.name,
).map(tuple)


@given(threads=conversations)
@every_readable_format
def test_reading_gives_back_what_was_written(
    suffix: str, threads: tuple[Thread, ...]
) -> None:
    assert there_and_back(threads, suffix) == threads


@given(threads=conversations)
@every_format
def test_anything_can_be_written_as_utf8(
    suffix: str, threads: tuple[Thread, ...]
) -> None:
    text = FORMATS[suffix].write(threads)
    assert text.endswith("\n")
    assert text.encode("utf-8")


@given(threads=conversations)
def test_every_exported_notebook_is_valid(threads: tuple[Thread, ...]) -> None:
    nbformat.validate(json.loads(FORMATS[".ipynb"].write(threads)))


@given(threads=conversations)
def test_a_notebook_that_jupyter_saved_again_is_the_same(
    threads: tuple[Thread, ...],
) -> None:
    text = FORMATS[".ipynb"].write(threads)
    saved: str = nbformat.writes(nbformat.reads(text, as_version=4))  # type: ignore[no-untyped-call]
    assert reader(".ipynb")(saved) == threads


@every_readable_format
@pytest.mark.parametrize(
    "threads",
    [
        (),
        (Thread("main"),),
        (Thread("a"), Thread("b")),
        (MAIN_THREAD,),
        CONVERSATION,
        tuple(reversed(CONVERSATION)),
    ],
)
def test_conversations_of_every_size_come_back(
    suffix: str, threads: tuple[Thread, ...]
) -> None:
    assert there_and_back(threads, suffix) == threads


CHANGED: list[tuple[str, Any]] = [
    ("question", "Another?"),
    ("answer", "Another."),
    ("status", "failed"),
    ("cell", "another"),
    ("system", "Another"),
    ("model", "another"),
    ("begins", True),
    ("outdated", True),
    ("asked_at", 5.0),
    ("facts", {"a": [{"b": None}]}),
    ("sent", "With a table?"),
    ("images", (FIG, PHOTO)),
]


@every_readable_format
@pytest.mark.parametrize(("name", "value"), CHANGED)
def test_every_part_of_a_turn_is_kept(suffix: str, name: str, value: Any) -> None:
    turn = replace(Turn("Q?", "A."), **{name: value})
    ((_, (kept,)),) = [
        (t.name, t.turns) for t in there_and_back((Thread("t", (turn,)),), suffix)
    ]
    assert getattr(kept, name) == value
    assert [i.data for i in kept.images] == [i.data for i in turn.images]


def test_the_parts_of_a_turn_are_all_tried_above() -> None:
    compared = {field.name for field in fields(Turn) if field.compare}
    assert compared == {name for name, _ in CHANGED}


@every_readable_format
def test_lone_surrogates_survive(suffix: str) -> None:
    threads = (Thread("t", (Turn("\ud800?", "\udfff."),)),)
    assert there_and_back(threads, suffix) == threads


@every_readable_format
def test_two_halves_of_one_character_become_that_character(suffix: str) -> None:
    threads = (Thread("t", (Turn("Q?", "\ud83c\udf89"),)),)
    assert there_and_back(threads, suffix)[0].turns[0].answer == "🎉"


def test_a_transcript_writes_a_lone_surrogate_as_its_number() -> None:
    text = FORMATS[".md"].write((Thread("t", (Turn("Q?", "\ud800"),)),))
    assert "\\ud800" in text


@every_readable_format
def test_letters_of_all_scripts_stand_as_they_are(suffix: str) -> None:
    assert "日本語, 🎉" in FORMATS[suffix].write(CONVERSATION)


@every_readable_format
def test_facts_that_are_no_json_are_refused(suffix: str) -> None:
    for facts in ({"a": {1, 2}}, {"a": float("nan")}):
        with pytest.raises(
            ConfigurationError, match="expected metadata of JSON values"
        ):
            FORMATS[suffix].write((Thread("t", (Turn("Q?", "A.", facts=facts),)),))


@every_readable_format
def test_facts_that_are_nested_too_deep_to_be_read_are_not_written(suffix: str) -> None:
    facts: dict[str, Any] = {}
    for _ in range(100_000):
        facts = {"a": facts}
    with pytest.raises(ConfigurationError, match="at most 100 levels of nested"):
        FORMATS[suffix].write((Thread("t", (Turn("Q?", "A.", facts=facts),)),))
