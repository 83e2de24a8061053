"""What a backend around a backend stores, gives again, and leaves to be asked."""

from __future__ import annotations

import json
import math
import os
from contextlib import suppress
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from h2o_magic.backends.base import ChatRequest
from h2o_magic.backends.replay.folder import AnswerFolder
from h2o_magic.backends.replay.key import digest, key_of
from h2o_magic.backends.replay.misses import summaries
from h2o_magic.backends.replay.replayed import ReplayCounts
from h2o_magic.chat.events import Event, Finished, Replay, Source, TextDelta, Usage
from h2o_magic.chat.messages import assistant, system, user
from h2o_magic.errors import BackendError, ConfigurationError, ReplayMissError
from tests.backends.replay.inner import ANSWER, ASKED, Inner, around, entries

KEY = key_of(ASKED, "lab")
OTHER = ChatRequest("m", (user("Who am I?"),))


def never() -> Any:
    raise AssertionError("nobody may be asked")


def untold(events: Any) -> list[Event]:
    return [event for event in events if not isinstance(event, Replay)]


def told(events: Any) -> Replay:
    (found,) = (event for event in events if isinstance(event, Replay))
    return found


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "answers"


def test_a_question_is_asked_once_and_then_answered_from_the_folder(path: Path) -> None:
    inner, counts = Inner(), ReplayCounts()
    first = list(around(inner, path, counts=counts).stream(ASKED))
    second = list(around(inner, path, counts=counts).stream(ASKED))
    assert inner.asked == [ASKED]
    assert (counts.hits, counts.misses) == (1, 1)
    assert untold(first) == list(ANSWER)
    assert untold(second)[-3:] == [TextDelta("I am a model."), *ANSWER[-2:]]
    assert (told(first).key, told(first).first_answered) == (KEY, "")
    (entry,) = entries(path)
    assert told(second).key == KEY
    assert told(second).first_answered == entry["answered"][:10]


def test_only_gives_what_is_stored_and_makes_no_other_backend(path: Path) -> None:
    list(around(Inner(), path).stream(ASKED))
    backend = around(Inner(), path, "only")
    backend._inner = never
    assert untold(backend.stream(ASKED))[-1] == ANSWER[-1]
    assert backend.url == "http://lab.example"
    with pytest.raises(ReplayMissError) as miss:
        backend.stream(OTHER)
    assert "the prompt (was “Who are you?”, now “Who am I?”)" in str(miss.value)
    assert isinstance(miss.value, ConfigurationError)
    assert "has no answers" in missed(path / "empty")
    assert not (path / "empty").exists()


def test_a_miss_that_no_stored_question_is_like_tells_the_prompt_alone(
    path: Path,
) -> None:
    list(around(Inner(), path).stream(ASKED))
    other = ChatRequest("another", (user("Plot the sales."),), {"seed": 1})
    with pytest.raises(ReplayMissError) as miss:
        around(Inner(), path, "only").stream(other)
    said = "differs in the prompt (was “Who are you?”, now “Plot the sales.”). To ask"
    assert said in str(miss.value)
    again = replace(ASKED, model="another")
    with pytest.raises(ReplayMissError, match=r"differs in the model \(was "):
        around(Inner(), path, "only").stream(again)


def missed(path: Path) -> str:
    with pytest.raises(ReplayMissError) as miss:
        around(Inner(), path, "only").stream(ASKED)
    return str(miss.value)


def test_refresh_asks_again_and_replaces(path: Path) -> None:
    list(around(Inner(), path).stream(ASKED))
    list(around(Inner(Finished("New.")), path, "refresh").stream(ASKED))
    assert untold(around(Inner(), path, "only").stream(ASKED))[-1] == Finished("New.")
    assert len(entries(path)) == 1


# What is never stored


FAILURE = BackendError("the connection was lost", partial="I am")


@pytest.mark.parametrize(
    "events",
    [
        [TextDelta("I am"), FAILURE],
        [FAILURE],
        [TextDelta("I am")],
        [TextDelta("I am"), Finished("I am", "length")],
        [TextDelta("I am"), Finished("I am", "stopped")],
    ],
    ids=["failed", "refused", "stopped", "cut at the limit", "said to be stopped"],
)
def test_an_answer_that_is_not_complete_is_not_stored(
    path: Path, events: list[Any]
) -> None:
    kept: list[None] = []
    inner = Inner(*events)
    backend = around(inner, path)
    backend.on_kept = lambda: kept.append(None)
    for n in range(2):
        said: list[Any] = []
        with suppress(BackendError):
            said += untold(backend.stream(ASKED))
        assert said == ([] if FAILURE in events else events)
        assert len(inner.asked) == n + 1
    assert (entries(path), kept) == ([], [])


@pytest.mark.parametrize("taken", range(len(ANSWER)))
def test_an_answer_that_is_closed_early_is_not_stored(path: Path, taken: int) -> None:
    stream = around(Inner(), path).stream(ASKED)
    for _ in range(taken):
        next(stream)
    stream.close()  # type: ignore[attr-defined]
    assert list(stream) == []
    assert entries(path) == []


@pytest.mark.parametrize("reason", ["end", "stop_text", "unknown"])
def test_an_answer_is_stored_before_its_end_is_told(path: Path, reason: Any) -> None:
    kept: list[int] = []
    backend = around(Inner(TextDelta("Yes"), Finished("Yes", reason)), path)
    backend.on_kept = lambda: kept.append(len(entries(path)))
    stream = backend.stream(ASKED)
    assert next(stream) == TextDelta("Yes")
    assert kept == []
    assert isinstance(next(stream), Replay)
    assert kept == [1]
    assert next(stream) == Finished("Yes", reason)


def test_what_cannot_be_written_is_answered_and_told(path: Path) -> None:
    path.write_text("a file")
    lines: list[str] = []
    backend = around(Inner(), path, warn=lines.append)
    backend.on_kept = never
    assert untold(backend.stream(ASKED)) == list(ANSWER)
    (line,) = lines
    assert line.startswith("the answer was not stored in answers/: ")


# Damage, and other weights


@pytest.mark.parametrize("content", [b"", b"{}\n", b'{"version": 2}\n', b"<<<<<<<"])
def test_a_damaged_answer_is_asked_again_and_replaced(
    path: Path, content: bytes
) -> None:
    list(around(Inner(), path).stream(ASKED))
    AnswerFolder(path).file(KEY).write_bytes(content)
    assert "the stored answer cannot be read: " in missed(path)
    again = list(around(inner := Inner(), path).stream(ASKED))
    assert (untold(again), inner.asked) == (list(ANSWER), [ASKED])
    assert told(again).why.startswith("the stored answer cannot be read: ")
    assert untold(around(Inner(), path, "only").stream(ASKED))[-1] == ANSWER[-1]


def test_an_answer_under_the_name_of_another_is_not_given(path: Path) -> None:
    list(around(Inner(), path).stream(ASKED))
    folder = AnswerFolder(path)
    key = key_of(OTHER, "lab")
    folder.file(key).parent.mkdir(exist_ok=True)
    folder.file(KEY).rename(folder.file(key))
    inner = Inner(Finished("You."))
    assert untold(around(inner, path).stream(OTHER)) == [Finished("You.")]


def test_other_weights_under_the_same_name_are_asked_and_only_does_not_care(
    path: Path,
) -> None:
    list(around(Inner(), path, weights=lambda _: "old").stream(ASKED))
    for now, asked in (("old", 0), ("", 0), ("new", 1), ("new", 0)):
        only = around(Inner(), path, "only", weights=lambda _: "any")
        assert untold(only.stream(ASKED))[-1] == ANSWER[-1]
        inner = Inner()
        events = list(around(inner, path, weights=lambda _, n=now: n).stream(ASKED))
        assert len(inner.asked) == asked
        assert ("other weights" in told(events).why) is bool(asked)


def test_of_a_model_that_stands_in_the_weights_count_that_answered(path: Path) -> None:
    answered = ANSWER[0].model  # type: ignore[union-attr]
    assert answered != ASKED.model

    def asks(**weights: str) -> bool:
        inner = Inner()
        digests = {answered: weights.get("other", ""), ASKED.model: weights.get("own")}
        weigh = lambda model: digests[model] or ""  # noqa: E731
        list(around(inner, path, weights=weigh).stream(ASKED))
        return bool(inner.asked)

    assert asks(other="old")
    assert entries(path)[0]["weights"] == "old"
    assert not asks(other="old")
    assert not asks()
    assert asks(other="new")
    assert asks(own="its own", other="new")  # which are here now


def test_in_only_no_server_is_asked_for_anything(path: Path) -> None:
    backend = around(Inner(), path, "only")
    backend._inner = never
    assert backend.count_tokens("m", ASKED.messages) is None
    assert backend.body(ASKED) is None


# Secrets


def test_no_secret_is_in_any_file(path: Path) -> None:
    secret = "hunter-2-hunter"
    with_secret = f"It is {secret}."
    request = ChatRequest(
        "m",
        (
            *(system(with_secret), user(with_secret), assistant(with_secret)),
            user(f"{with_secret}\n" * 300),
        ),
        {"stop": (secret,), "extra": {"a": [{"b": with_secret, "c": 5}]}},
        schema={"type": "object", "title": with_secret},
    )
    inner = Inner(
        Source("m"), TextDelta("It is "), TextDelta(secret + "."), Finished(with_secret)
    )
    mask = str.replace
    backend = around(inner, path, mask=lambda text: mask(text, secret, "***"))
    list(backend.stream(request))
    content = "".join(p.read_text() for p in path.rglob("*") if p.is_file())
    assert secret not in content
    (entry,) = entries(path)
    assert entry["text"] == "It is ***."
    assert entry["request"]["parameters"]["extra"] == {"a": [{"b": "***", "c": 5}]}
    again = untold(backend.stream(request))
    assert again == [Source("m"), TextDelta("It is ***."), Finished("It is ***.")]
    other = ChatRequest("m", (user(f"{with_secret} Or not?"),))
    with pytest.raises(ReplayMissError) as miss:
        around(inner, path, "only", mask=backend._replayed.mask).stream(other)
    assert secret not in str(miss.value)


def test_requests_that_differ_in_a_secret_only_have_one_summary(path: Path) -> None:
    summaries = []
    for secret in ("1234", "9876"):

        def mask(text: str, secret: str = secret) -> str:
            return text.replace(secret, "***")

        asked = ChatRequest(
            "m",
            (
                *(system(f"pin {secret}"), user(f"pin {secret}"), assistant(secret)),
                user("x" * 2000 + f"\npin {secret}\n"),
            ),
            {"extra": {"pin": secret}},
            schema={"title": secret, "description": "long" * 1000},
        )
        backend = around(Inner(), path / secret, mask=mask)
        list(backend.stream(asked))
        summaries += [json.dumps(entry["request"]) for entry in entries(path / secret)]
    assert len(summaries) == 2
    assert len(set(summaries)) == 1


def test_of_earlier_messages_only_the_beginning_is_searched_and_once(
    path: Path,
) -> None:
    secret, searched = "hunter-2-hunter" * 10, [0]

    def mask(text: str) -> str:
        searched[0] += len(text)
        return text.replace(secret, "***")

    long = "text " * 4000
    texts = (f"The key is at the end of the line: {secret}\n{long}", long)
    earlier = [kind(text) for text in texts for kind in (user, assistant)] * 15
    asked = ChatRequest(f"models/{secret}", (*earlier, user("And now?")))
    list(around(Inner(), path, mask=mask).stream(ASKED))
    searched[0] = 0
    list(around(Inner(), path, mask=mask).stream(asked))
    assert searched[0] < len(earlier) * 4100
    said = [entry["request"] for entry in entries(path)]
    (request,) = (each for each in said if each["earlier"])
    assert request["model"] == "models/***"
    first, *_, last = request["earlier"]
    assert first["begins"].startswith("The key is at the end of the line: *** text")
    # What it was when all of a message was searched.
    assert last["digest"] == digest([long, []])[:12]
    assert first["digest"] == digest([texts[0].replace(secret, "***"), []])[:12]


# Nothing of the folder may cost the answer


def test_a_number_that_json_does_not_have_costs_only_the_storing(path: Path) -> None:
    lines: list[str] = []
    inner = Inner(Usage(3, 2, writing_seconds=math.nan), Finished("Yes."))
    events = list(around(inner, path, warn=lines.append).stream(ASKED))
    assert (events[-1], told(events).why) == (Finished("Yes."), "not stored")
    assert len(lines) == 1
    assert entries(path) == []


def test_a_folder_that_cannot_be_listed_costs_only_what_has_changed(
    path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    list(around(Inner(), path).stream(OTHER))

    def refused(_: object) -> Any:
        raise PermissionError(13, "Permission denied")

    monkeypatch.setattr(os, "listdir", refused)
    monkeypatch.setattr(os, "scandir", refused)
    events = list(around(Inner(), path).stream(ASKED))
    assert untold(events) == list(ANSWER)
    assert told(events).why == ""


def test_the_nearest_is_looked_for_as_long_as_there_is_time(path: Path) -> None:
    for number in range(9):
        list(around(Inner(), path).stream(replace(ASKED, model=f"m{number}")))
    times = iter(n / 5 for n in range(99))
    assert len(list(summaries(AnswerFolder(path), clock=lambda: next(times)))) == 5
    assert len(list(summaries(AnswerFolder(path), clock=lambda: 0.0))) == 9


def test_summaries_of_anything_cost_nothing(path: Path) -> None:
    folder = AnswerFolder(path)
    for n, request in enumerate([None, [], {}, {"question": 5, "earlier": "x"}]):
        key = f"{n:02}" * 32
        folder.write(key, {"kind": "answer", "request": request})
    folder.write("ab" * 32, {})
    events = list(around(Inner(), path).stream(ASKED))
    assert untold(events) == list(ANSWER)


def test_what_has_changed_since_is_told_when_it_is_asked_again(path: Path) -> None:
    list(around(Inner(), path).stream(ASKED))
    hotter = ChatRequest("m", ASKED.messages, {"temperature": 0.5})
    events = list(around(Inner(), path).stream(hotter))
    assert told(events).why == "asked again: temperature (was not set, now 0.5)"
    other = ChatRequest("m", (user("Something else?"),))
    assert told(around(Inner(), path).stream(other)).why == ""
