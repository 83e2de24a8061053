"""What is not a whole file of its format is refused, in one line that says where."""

from __future__ import annotations

import copy
import json
import math
from collections.abc import Callable, Iterator
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from h2o_magic.chat.turns import Thread
from h2o_magic.conversation.formats import FORMATS
from h2o_magic.errors import ConfigurationError
from tests.conversation.formats.conversations import CONVERSATION, MAIN_THREAD

Change = Callable[[Any], object]


def reader(suffix: str) -> Callable[[str], tuple[Thread, ...]]:
    read = FORMATS[suffix].read
    assert read is not None
    return read


def refusal(suffix: str, text: str) -> str:
    with pytest.raises(ConfigurationError) as caught:
        reader(suffix)(text)
    said = str(caught.value)
    assert "\n" not in said
    assert "expected" in said
    assert len(said) < 400
    assert said.isprintable()
    return said


def read_or_refused(suffix: str, text: str) -> tuple[Thread, ...] | None:
    try:
        return reader(suffix)(text)
    except ConfigurationError as error:
        said = str(error)
    assert said.isprintable(), said
    return None


# No JSON, or not what programs agree on

NO_JSON = {
    "empty": "",
    "white space": " \n\t\r\n",
    "only a byte order mark": "\ufeff",
    "two byte order marks": "\ufeff\ufeff[]",
    "a word": "hello",
    "Markdown": "# Conversation\n\n> Hi\n",
    "HTML": "<!DOCTYPE html><html></html>",
    "Python": "[{'role': 'user'}]",
    "NUL": "\x00\x01\x02\x03",
    "binary": bytes(range(256)).decode("latin-1"),
    "a picture": "\x89PNG\r\n\x1a\n\x00\x00",
    "a zip file": "PK\x03\x04\x14\x00",
    "replacement characters": "\ufffd\ufffd\ufffd",
    "a comma too many": '{"messages": [],}',
    "a comment": '// x\n{"messages": []}',
    "an open list": "[",
    "an open object": '{"messages": [',
    "an open text": '{"mess',
    "a control character in a text": '{"messages": "a\nb"}',
    "NaN": '{"messages": NaN}',
    "infinity": '{"messages": Infinity}',
    "minus infinity": "[-Infinity]",
    "too large a float": '{"messages": 1e999}',
    "too large a whole number": f'{{"messages": {"9" * 5000}}}',
    "a name twice": '{"messages": [], "messages": []}',
    "deep lists": "[" * 200_000 + "]" * 200_000,
    "deep objects": '{"a":' * 200_000 + "1" + "}" * 200_000,
    "deep and open": "[" * 200_000,
    "deeper than anybody writes": "[" * 102 + "]" * 102,
    "two values": "[] []",
    "two objects": '{"messages": []} {"messages": []}',
}

# JSON of another kind

NO_CONVERSATION = {
    "null": "null",
    "true": "true",
    "a number": "17",
    "a text": '"hello"',
    "a long text": json.dumps("x" * 10_000),
    "an odd text": json.dumps("a\nb\u2028\ud800"),
    "an empty list": "[]",
    "an empty object": "{}",
    "a list of numbers": "[1, 2]",
    "a list of lists": "[[]]",
    "other names": '{"conversations": [{"from": "human", "value": "Hi"}]}',
    "many other names": json.dumps({f"{'n' * 50}{i}": i for i in range(99)}),
    "no messages in messages": '{"messages": null}',
    "messages in an object": '{"messages": {"role": "user"}}',
    "threads of nobody": '{"threads": []}',
    "a newer version": (
        '{"messages": [], "cells": [], "nbformat": 4, "metadata": {"format": '
        '"h2o_magic.conversation.threads", "version": 2, "h2o_magic": {"format": '
        '"h2o_magic.conversation.threads", "version": 2}}}'
    ),
}

BAD = NO_JSON | NO_CONVERSATION


@pytest.mark.parametrize("text", BAD.values(), ids=BAD.keys())
@pytest.mark.parametrize("suffix", [".json", ".jsonl", ".ipynb"])
def test_what_is_no_conversation_is_refused(suffix: str, text: str) -> None:
    refusal(suffix, text)


@pytest.mark.parametrize("text", BAD.values(), ids=BAD.keys())
def test_a_line_that_is_no_conversation_is_named(text: str) -> None:
    if text.strip() and "\n" not in text:
        good = '{"messages": [{"role": "user", "content": "Hi"}]}'
        assert refusal(".jsonl", f"{good}\n{text}\n").startswith("line 2")


def test_a_newer_version_asks_for_an_update() -> None:
    text = NO_CONVERSATION["a newer version"]
    for suffix in (".json", ".jsonl", ".ipynb"):
        said = refusal(suffix, text)
        assert "expected a file of version 1, got version 2: update h2o_magic" in said


def test_the_place_of_damage_is_named() -> None:
    assert refusal(".json", '{"messages": [\n  {"role" "user"}]}') == (
        "expected JSON, got something else at line 2, column 11 (expecting ':' "
        "delimiter): the file is damaged, cut short or of another kind; take another "
        "copy of it"
    )
    assert "column 15 (it ends too early)" in refusal(".json", '{"messages": [')


# Messages that cannot be kept

A: dict[str, Any] = {"role": "user", "content": "A?"}
B: dict[str, Any] = {"role": "assistant", "content": "B."}
S: dict[str, Any] = {"role": "system", "content": "S"}

BAD_MESSAGES: list[list[Any]] = [
    [],
    [None],
    ["A?"],
    [[A, B]],
    [{}],
    [{"role": "user"}],
    [{"content": "A?"}],
    [{"role": None, "content": "A?"}],
    [{"role": 1, "content": "A?"}],
    [{"role": ["user"], "content": "A?"}],
    [{"role": "User", "content": "A?"}],
    [{"role": "human", "content": "A?"}],
    [{"role": "", "content": "A?"}],
    [{"role": "user", "content": None}],
    [{"role": "user", "content": 5}],
    [{"role": "user", "content": {"text": "A?"}}],
    [{"role": "user", "content": ["A?"]}],
    [{"role": "user", "content": [{"type": "image_url", "image_url": {}}]}],
    [{"role": "user", "content": [{"type": "text", "text": 5}]}],
    [{"role": "user", "content": ""}],
    [{"role": "user", "content": " \n"}],
    [A, {"role": "assistant", "content": None, "tool_calls": []}],
    [A, B, {"role": "tool", "content": "x"}],
    [A, B, {"role": "function", "content": "x"}],
    [B],
    [S],
    [S, S],
    [S, B],
    [A, A],
    [A, S, B],
    [A, B, B],
    [A, B, S],
    [B, A],
    [A, B, None],
]


@pytest.mark.parametrize("messages", BAD_MESSAGES, ids=json.dumps)
@pytest.mark.parametrize("suffix", [".json", ".jsonl"])
def test_messages_that_cannot_be_kept_are_refused(
    suffix: str, messages: list[Any]
) -> None:
    place = "line 1" if suffix == ".jsonl" else "message"
    said = refusal(suffix, json.dumps({"messages": messages}))
    assert not messages or said.startswith(place)
    assert refusal(suffix, json.dumps(messages)) == said


# Good files, damaged

WRONG: tuple[Any, ...] = (None, True, -1, "x", [], {}, [None], {"a": 1})


def paths(value: Any, path: tuple[Any, ...] = ()) -> Iterator[tuple[Any, ...]]:
    """Yield the way to every value inside `value`, but for what is inside facts."""
    if path:
        yield path
    if path[-1:] in (("facts",), ("h2o_magic_answer",)):
        return
    entries = (
        value.items()
        if isinstance(value, dict)
        else enumerate(value)
        if isinstance(value, list)
        else ()
    )
    for name, inner in entries:
        yield from paths(inner, (*path, name))


def damaged(data: Any, path: tuple[Any, ...], value: object) -> Any:
    """Return a copy of `data` with `value` in the place of what was there."""
    result = copy.deepcopy(data)
    place = result
    for name in path[:-1]:
        place = place[name]
    place[path[-1]] = value
    return result


@pytest.mark.parametrize("wrong", WRONG, ids=json.dumps)
@pytest.mark.parametrize("suffix", [".json", ".jsonl", ".ipynb"])
def test_no_damage_makes_an_answer_whole_that_is_not(
    suffix: str, wrong: object
) -> None:
    thread = Thread("main", MAIN_THREAD.turns[:-1])  # its last question is empty
    text = FORMATS[suffix].write((thread,))
    first, end, rest = text.partition("\n") if suffix == ".jsonl" else (text, "", "")
    data = json.loads(first)
    assert read_or_refused(suffix, json.dumps(data) + end + rest) == (thread,)
    refused = 0
    for path in paths(data):
        bad = json.dumps(damaged(data, path, wrong)) + end + rest
        threads = read_or_refused(suffix, bad)
        refused += threads is None
        for turn in (turn for thread in threads or () for turn in thread.turns):
            assert (turn.status, turn.answer) != ("complete", "It sto")
    assert refused > 10


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("status", "done"),
        ("status", None),
        ("status", ["complete"]),
        ("cell", 5),
        ("cell", []),
        ("model", None),
        ("begins", 1),
        ("begins", "true"),
        ("outdated", None),
        ("asked_at", "now"),
        ("asked_at", True),
        ("asked_at", None),
        ("asked_at", 10**400),
        ("facts", None),
        ("facts", []),
        ("facts", "x"),
    ],
)
@pytest.mark.parametrize("suffix", [".json", ".jsonl"])
def test_every_field_of_a_turn_is_checked(
    suffix: str, name: str, value: object
) -> None:
    text = FORMATS[suffix].write((MAIN_THREAD,))
    lines = text.splitlines() if suffix == ".jsonl" else [text]
    data = json.loads(lines[0])
    path = next(path for path in paths(data) if path[-1] == name)
    lines[0] = json.dumps(damaged(data, path, value))
    assert f'"{name}"' in refusal(suffix, "\n".join(lines))


@pytest.mark.parametrize(
    "metadata",
    [
        {"version": "1"},
        {"version": 1.0},
        {"version": True},
        {"version": 0},
        {"version": None},
        {"version": 99},
        {"format": "h2o_magic.something"},
        {"thread": None},
        {"thread": ""},
        {"thread": 5},
        {"line": 2},
        {"line": "1"},
        {"lines": 1},
        {"lines": None},
        {"threads": None},
        {"threads": [5]},
        {"threads": [{"thread": "main"}]},
        {"threads": [{"turns": []}]},
        {"threads": []},
        {"threads": [{"thread": "main", "turns": [5]}]},
    ],
    ids=json.dumps,
)
def test_what_a_file_says_of_itself_is_checked(metadata: dict[str, Any]) -> None:
    is_of_lines = metadata.keys() & {"line", "lines", "threads"}
    suffix = ".jsonl" if is_of_lines else ".json"
    thread = Thread("main", MAIN_THREAD.turns[:-1])  # its last question is empty
    text = FORMATS[suffix].write((thread,))
    first, end, rest = text.partition("\n") if is_of_lines else (text, "", "")
    data = json.loads(first)
    data["metadata"].update(metadata)
    refusal(suffix, json.dumps(data) + end + rest)


BAD_NOTEBOOKS: dict[str, Change] = {
    "no nbformat": lambda n: n.pop("nbformat"),
    "nbformat 3": lambda n: n.update(nbformat=3, worksheets=[]),
    "nbformat 5": lambda n: n.update(nbformat=5),
    "nbformat is a text": lambda n: n.update(nbformat="4"),
    "no cells": lambda n: n.pop("cells"),
    "cells are an object": lambda n: n.update(cells={}),
    "a cell is a text": lambda n: n["cells"].append("x"),
    "a cell is null": lambda n: n["cells"].insert(0, None),
    "a cell without a type": lambda n: n["cells"][0].pop("cell_type"),
    "a cell's type is a number": lambda n: n["cells"][0].update(cell_type=5),
    "a cell without a source": lambda n: n["cells"][1].pop("source"),
    "a source is null": lambda n: n["cells"][1].update(source=None),
    "a source has a number": lambda n: n["cells"][1].update(source=["%%h2o\n", 5]),
    "no outputs": lambda n: n["cells"][1].pop("outputs"),
    "outputs are a text": lambda n: n["cells"][1].update(outputs="x"),
    "an output is null": lambda n: n["cells"][1].update(outputs=[None]),
    "an output's data is a list": lambda n: n["cells"][1]["outputs"][0].update(data=[]),
    "an output's text is a number": (
        lambda n: n["cells"][1]["outputs"][0]["data"].update({"text/markdown": 5})
    ),
    "an output's metadata is null": (
        lambda n: n["cells"][1]["outputs"][0].update(metadata=None)
    ),
    "an exact answer is a number": (
        lambda n: n["cells"][1]["outputs"][0]["metadata"].update(h2o_magic_answer=5)
    ),
    "a cell's metadata is a list": lambda n: n["cells"][1].update(metadata=[]),
    "a turn is a text": lambda n: n["cells"][1]["metadata"].update(h2o_magic="x"),
    "a turn without a status": (
        lambda n: n["cells"][1]["metadata"]["h2o_magic"].pop("status")
    ),
    "a turn without a question": (
        lambda n: n["cells"][1]["metadata"]["h2o_magic"].pop("question")
    ),
    "a turn without a thread": (
        lambda n: n["cells"][1]["metadata"]["h2o_magic"].pop("thread")
    ),
    "a turn's mark is a number": (
        lambda n: n["cells"][1]["metadata"]["h2o_magic"].update(begins=1)
    ),
    "the metadata is a list": lambda n: n.update(metadata=[]),
    "threads are a number": lambda n: n["metadata"]["h2o_magic"].update(threads=5),
    "a thread is a number": lambda n: n["metadata"]["h2o_magic"].update(threads=[5]),
    "a newer version": lambda n: n["metadata"]["h2o_magic"].update(version=2),
    "no cell that asks": lambda n: n.update(cells=[], metadata={}),
}


@pytest.mark.parametrize("change", BAD_NOTEBOOKS.values(), ids=BAD_NOTEBOOKS.keys())
def test_a_notebook_of_another_shape_is_refused(change: Change) -> None:
    data = json.loads(FORMATS[".ipynb"].write(CONVERSATION))
    change(data)
    refusal(".ipynb", json.dumps(data))


# Cut in two

CUTS = [
    pytest.param(suffix, step, id=f"{suffix}-{step}")
    for suffix in (".json", ".jsonl", ".ipynb")
    for step in (50, 7)
]


@pytest.mark.parametrize(("suffix", "step"), CUTS)
def test_a_file_that_was_cut_is_never_read_in_part(suffix: str, step: int) -> None:
    whole = FORMATS[suffix].write(CONVERSATION).encode("utf-8")
    for length in range(0, len(whole) - 1, step):
        refusal(suffix, whole[:length].decode("utf-8", errors="replace"))
    assert reader(suffix)(whole[:-1].decode("utf-8")) == CONVERSATION


@given(st.text())
@pytest.mark.parametrize("suffix", [".json", ".jsonl", ".ipynb"])
def test_any_text_is_read_or_refused(suffix: str, text: str) -> None:
    read_or_refused(suffix, text)


NAMES = [
    "messages",
    "metadata",
    "threads",
    "role",
    "content",
    "cells",
    "nbformat",
    "cell_type",
    "source",
    "outputs",
    "data",
    "h2o_magic",
    "text/markdown",
]

values = st.recursive(
    st.one_of(
        st.none(),
        st.booleans(),
        st.integers(),
        st.floats(allow_nan=False).filter(math.isfinite),
        st.sampled_from(["user", "assistant", "system", "%%h2o\nA?", "code", ""]),
    ),
    lambda inner: st.one_of(
        st.lists(inner, max_size=4),
        st.dictionaries(
            st.sampled_from(NAMES),
            inner,
            max_size=5,
        ),
    ),
    max_leaves=20,
)


@given(values)
@pytest.mark.parametrize("suffix", [".json", ".jsonl", ".ipynb"])
def test_any_json_is_read_or_refused(suffix: str, value: object) -> None:
    read_or_refused(suffix, json.dumps(value))
