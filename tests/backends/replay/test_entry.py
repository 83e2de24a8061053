"""What a file may hold: all of it is checked before it is given as an answer."""

from __future__ import annotations

import json
from dataclasses import replace
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from h2o_magic.backends.replay.entry import Learned, StoredAnswer
from h2o_magic.backends.replay.folder import DamagedEntryError, line, parse
from h2o_magic.backends.replay.streams import Replaying
from h2o_magic.chat.events import Finished, Replay, Source, Usage

KEY = "ab" * 32
ANSWER = StoredAnswer(
    request={"question": "Who are you?"},
    text="I am a model.",
    answered=1_795_000_000.0,
    pieces=((10, 5), (20, 8)),
    reasoning="Hm",
    reasoning_pieces=((5, 2),),
    finish_reason="unknown",
    seconds=1.25,
    first_token=0.5,
    url="http://lab.example",
    source=Source("m", "w", demo=True, stands_in_for="n"),
    usage=Usage(3, None, writing_seconds=0.5),
    weights="sha",
    cell="magic",
)
ENTRY = ANSWER.as_json(KEY)


def read(entry: dict[str, Any]) -> StoredAnswer:
    return StoredAnswer.of_json(parse(line(entry)), KEY)


def test_an_answer_is_read_as_it_was_stored() -> None:
    assert read(ENTRY) == ANSWER
    least = StoredAnswer({}, "", 0.0)
    assert read(least.as_json(KEY)) == least
    assert (ANSWER.day, least.day) == ("2026-11-18", "1970-01-01")
    for day in ("1970-01-01", "9998-12-31"):
        assert read({**ENTRY, "answered": f"{day}T23:59:59Z"}).day == day
    late = [[10**9, len(ANSWER.text)]]
    assert read({**ENTRY, "pieces": late}).pieces == ((10**9, len(ANSWER.text)),)


def test_what_people_read_comes_first() -> None:
    first = list(ENTRY)[:6]
    assert first == ["version", "kind", "key", "answered", "request", "text"]


def test_fields_of_a_later_version_are_left_out() -> None:
    later = {**ENTRY, "new": 1, "usage": {**ENTRY["usage"], "new": 1}}
    assert read(later) == ANSWER


@pytest.mark.parametrize("name", ["version", "kind", "key", *list(ENTRY)[3:-5]])
def test_what_is_missing_is_named(name: str) -> None:
    entry = {each: value for each, value in ENTRY.items() if each != name}
    if name == "reasoning":
        entry["reasoning_pieces"] = []
        assert read(entry) == replace(ANSWER, reasoning="", reasoning_pieces=())
        return
    with pytest.raises(DamagedEntryError, match=rf"version|kind|key|'{name}' is miss"):
        read(entry)


@pytest.mark.parametrize(
    "wrong",
    [
        *({"text": "short"}, {"text": 5}, {"reasoning": None}, {"request": [["a", 1]]}),
        *({"pieces": [[0, 20], [1, -7]]}, {"pieces": [[9, 5], [3, 8]]}),
        *({"pieces": [[-1, 13]]}, {"pieces": [[1e999, 13]]}, {"pieces": 5}),
        *(
            {"seconds": -1},
            {"seconds": 1e999},
            {"seconds": 1e300},
            {"seconds": "1"},
            {"first_token": -1},
        ),
        *({"finish_reason": reason} for reason in ("length", "stopped", None, [])),
        *({"answered": day} for day in ("", "2026-11-28T10:00:00+02:00", 5, "x")),
        *({"answered": f"{year}-12-31T23:59:59Z"} for year in ("0001", 1969, 9999)),
        {"answered": "9998-12-31T23:59:59.999999Z"},
        {"answered": "2026-11-28T10:00:00"},
        {"answered": "2026-11-28"},
        {"answered": "2026-13-28T10:00:00Z"},
        *({"pieces": [[at, 13]]} for at in (10**9 + 1, 10**400)),
        *({"source": {}}, {"source": {"model": 5}}, {"usage": {"prompt_tokens": "3"}}),
        *({"usage": []}, {"version": 2}, {"kind": "learned"}, {"key": "cd" * 32}),
        *({"url": None}, {"weights": None}),
    ],
    ids=str,
)
def test_what_does_not_fit_is_damaged(wrong: dict[str, Any]) -> None:
    entry = json.loads(json.dumps({**ENTRY, **wrong}))
    with pytest.raises(DamagedEntryError):
        StoredAnswer.of_json(entry, KEY)


ANY = st.sampled_from(
    [
        *(None, True, 0, -1, 10**30, 1e308, float("nan"), "", "x", "1", [], [0], {}),
        *([[0, 1]], [["a", "b"]], {"model": "m"}),
        *("2026-11-28T10:00:00Z", "9999-12-31T23:59:59Z", "0001-01-01T00:00:00Z"),
        *("9999-12-31T23:59:59.999999Z", [[10**400, 13]], 10**400),
    ]
)


@given(st.dictionaries(st.sampled_from(list(ENTRY)), ANY, max_size=3), st.booleans())
def test_whatever_a_file_holds_it_is_damaged_or_given_whole(
    changes: dict[str, Any], nested: bool
) -> None:
    entry = json.loads(json.dumps(ENTRY))
    for name, value in changes.items():
        if nested and isinstance(entry[name], dict):
            entry[name] = dict.fromkeys(entry[name], value)
        else:
            entry[name] = value
    try:
        answer = StoredAnswer.of_json(entry, KEY)
    except DamagedEntryError:
        return
    for speed in (0, 1e300):
        events = list(Replaying(answer, Replay(KEY, answer.day), speed))
        assert events[-1] == Finished(answer.text, answer.finish_reason)
    assert answer.day[4] == "-"


def test_a_fact_is_read_as_it_was_learned() -> None:
    for value in (None, True, 4096, "text", {"a": [1]}):
        fact = Learned("context", "lab", "m", value)
        stored = parse(line(fact.as_json(KEY)))
        assert Learned.of_json(stored, KEY).value == value
        assert Learned.of_json(stored, KEY) == fact
        for wrong in ({"what": 5}, {"server": None}, {"key": ""}, {"kind": "answer"}):
            with pytest.raises(DamagedEntryError):
                Learned.of_json({**stored, **wrong}, KEY)
        for name in ("what", "server", "model", "value"):
            rest = {each: v for each, v in stored.items() if each != name}
            with pytest.raises(DamagedEntryError, match=f"'{name}' is missing"):
                Learned.of_json(rest, KEY)
