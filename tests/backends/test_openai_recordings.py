"""Every recorded exchange of seven real servers has a row here, and a meaning.

What each is to come to is not copied: it follows from the table in the recordings'
README and from a second, plainer reading of the recorded bytes.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from typing import Any

import pytest

from h2o_magic.backends.base import ChatRequest
from h2o_magic.backends.openai import OpenAIBackend
from h2o_magic.backends.openai.parser import OpenAIParser
from h2o_magic.backends.retry import RetryPolicy
from h2o_magic.chat.events import (
    Event,
    Finished,
    ReasoningDelta,
    Source,
    TextDelta,
    Usage,
)
from h2o_magic.chat.messages import user
from h2o_magic.errors import (
    BackendError,
    ConnectionFailedError,
    GenerationError,
    IncompleteAnswerError,
    ProtocolError,
    RateLimitedError,
    StatusError,
)
from tests.backends.joined import joined
from tests.backends.recorded_openai import (
    Reading,
    Recording,
    load,
    read_again,
    read_document,
    recordings,
    table,
)
from tests.backends.scripted import Answer, Request, ScriptedServer, serving

LIST = "GET /v1/models"
CHAT = "POST /v1/chat/completions"
NOT_WHOLE = "the question is always one JSON object with a list of messages"
CHECKED = "values are checked before they are sent"
ROLES = "the messages are checked: known roles, text, a question at the end"
NO_ROUTE = "only /models and /chat/completions are asked"
ONE = "one answer is asked for"

#: What the client never asks; how the server answers that must make sense all the same.
NEVER = {
    "assistant_last": ROLES,
    "assistant_last_continue_stream": ROLES,
    "assistant_last_stream": ROLES,
    "auth_basic": "the key is sent as a bearer token",
    "bad_json": NOT_WHOLE,
    "content_null": ROLES,
    "content_parts": ROLES,
    "empty_body": NOT_WHOLE,
    "engine_dead_health": NO_ROUTE,
    "engine_error_health": NO_ROUTE,
    "health": NO_ROUTE,
    "internal_model_list": NO_ROUTE,
    "json_object": "a schema is given, never only the wish for JSON",
    "loading_health": NO_ROUTE,
    "max_tokens_type": CHECKED,
    "messages_empty": ROLES,
    "messages_missing": NOT_WHOLE,
    "messages_string": NOT_WHOLE,
    "models_one": NO_ROUTE,
    "models_one_unknown": NO_ROUTE,
    "models_trailing_slash": NO_ROUTE,
    "no_model": "a model is always named",
    "not_found": NO_ROUTE,
    "response_format_unknown": "only `json_schema` is asked for",
    "role_unknown": ROLES,
    "stream_max0": CHECKED,
    "stream_n2": ONE,
    "stream_prompt_progress": "the progress of reading is not asked for",
    "stream_usage_continuous": "the counts are wanted once, at the end",
    "system_only": ROLES,
    "temperature_negative": CHECKED,
    "temperature_type": CHECKED,
    "temperature_type_stream": CHECKED,
    "unknown_field": "no field is sent that the server is not known to have",
    "version": NO_ROUTE,
    "wrong_method": NO_ROUTE,
}

#: Words that tell what to do, by the beginning of the case and the status.
ADVICE = (
    ("auth_", (400, 401), "`%h2o connect http"),
    ("auth_", (500,), "its log may say why"),
    ("context_overflow", (400,), "too long for the model: shorten it"),
    ("unknown_model", (400, 404), "the server has no model 'n"),
    ("unknown_model", (500,), "it may not have 'n"),
    ("loading_", (503,), "Loading model: the server is busy or loading the model"),
    ("rate_limit_", (429,), "rate limit exceeded: ask again later"),
    ("dead_backend", (500,), "its log may say why"),
    ("engine_", (500,), "its log may say why"),
    ("error_first", (500,), "stub backend: no such model: the server failed"),
    ("not_found", (404,), "no OpenAI-compatible server found at http:"),
    ("wrong_method", (404, 405), "no OpenAI-compatible server found at http:"),
    ("models_trailing_slash", (307,), "not followed"),
    ("consecutive_roles", (500,), "Consecutive messages with the same role"),
)
ALL = recordings()
LISTS = [name for name, r in ALL.items() if r.call == LIST]
ASKED = [name for name, r in ALL.items() if r.call != LIST]
STREAMS = [name for name, r in ALL.items() if r.cell.stream]


@dataclass
class Outcome:
    """All that came of one answer."""

    events: list[Event] = field(default_factory=list)
    error: BackendError | None = None

    def joined(self, kind: type) -> str:
        return "".join(e.text for e in self.events if type(e) is kind)

    def only(self, kind: type) -> list[Any]:
        return [e for e in self.events if type(e) is kind]

    def comparable(self) -> tuple[Any, ...]:
        error = self.error
        told = None if error is None else (type(error), str(error), error.partial)
        return joined(self.events), told


def read(pieces: Iterable[bytes], recording: Recording) -> Outcome:
    """Read a body that comes in these pieces, with the pure parser alone."""
    outcome = Outcome()
    parser = OpenAIParser(stop=recording.stop)
    lost = ConnectionFailedError("cut") if recording.cell.cut else None
    try:
        for piece in pieces:
            outcome.events.extend(parser.feed(piece))
        outcome.events.extend(parser.flush())
        outcome.events.append(parser.end(lost))
    except BackendError as error:
        outcome.error = error
    return outcome


def test_each_exchange_has_a_row_in_the_readme() -> None:
    assert len(ALL) == 455
    assert {(r.server, r.case) for r in ALL.values()} == set(table())
    assert NEVER.keys() <= {r.case for r in ALL.values()}


@pytest.mark.parametrize("name", STREAMS)
def test_the_second_reading_agrees_with_the_readme(name: str) -> None:
    cell, reading = load(name).cell, read_again(load(name))
    whole = cell.events - cell.done - cell.pings
    assert len(reading.documents) == whole
    assert (reading.error is not None) is cell.error
    assert (reading.reason is not None) is bool(cell.finishes)
    assert reading.usage is not None or not cell.usage


def check_stream(recording: Recording, outcome: Outcome) -> None:
    cell, reading = recording.cell, read_again(recording)
    assert outcome.joined(TextDelta) == reading.text
    assert outcome.joined(ReasoningDelta) == reading.reasoning
    if cell.error:
        assert type(outcome.error) is GenerationError
        assert outcome.error.partial == reading.text
        told = reading.error
        words = told if isinstance(told, str) else told["message"]
        assert str(outcome.error).startswith(words[:60])
    elif not cell.finishes:
        assert type(outcome.error) is IncompleteAnswerError
        assert outcome.error.partial == reading.text
        spoke = bool(reading.text or reading.reasoning)
        assert ("first word" in str(outcome.error)) is not spoke
        if not cell.cut:
            assert "too long for the model" in str(outcome.error)
    else:
        check_answer(recording, reading, outcome)


def check_answer(recording: Recording, reading: Reading, outcome: Outcome) -> None:
    assert outcome.error is None
    (finished,) = outcome.only(Finished)
    assert outcome.events[-1] is finished
    assert finished.text == reading.text == outcome.joined(TextDelta)
    expected = {"stop": ("end", "stop_text"), "length": ("length",)}
    assert reading.reason is not None
    assert finished.reason in expected[reading.reason]
    assert (finished.reason == "stop_text") <= bool(recording.stop)
    assert [s.model for s in outcome.only(Source)] == [reading.model] * bool(
        reading.model
    )
    counts = [(u.prompt_tokens, u.completion_tokens) for u in outcome.only(Usage)]
    times = [u.writing_seconds for u in outcome.only(Usage)]
    if reading.usage is None and reading.seconds is None:
        assert counts == []
    else:
        assert counts == [reading.usage or (None, None)]
        assert times == [reading.seconds]


@pytest.mark.parametrize("name", STREAMS)
def test_a_stream_is_read_as_the_plain_reading_has_it(name: str) -> None:
    recording = load(name)
    check_stream(recording, read(recording.pieces, recording))


@pytest.mark.parametrize("name", STREAMS)
def test_a_stream_gives_the_same_events_however_cut(name: str) -> None:
    recording = load(name)
    body = recording.body
    whole = read([body], recording).comparable()
    for cut in range(1, len(body), max(1, len(body) // 20)):
        assert read([body[:cut], body[cut:]], recording).comparable() == whole
    sevens = (body[i : i + 7] for i in range(0, len(body), 7))
    assert read(sevens, recording).comparable() == whole


def test_a_short_stream_gives_the_same_events_cut_at_every_byte() -> None:
    recording = min(map(load, STREAMS), key=lambda r: (not r.cell.usage, len(r.body)))
    body = recording.body
    whole = read([body], recording).comparable()
    for cut in range(len(body) + 1):
        assert read([body[:cut], body[cut:]], recording).comparable() == whole
    singly = (body[i : i + 1] for i in range(len(body)))
    assert read(singly, recording).comparable() == whole


@pytest.fixture(scope="module")
def host() -> Iterator[ScriptedServer]:
    with serving(lambda _: Answer(b"", end="close")) as server:
        yield server


def play(host: ScriptedServer, recording: Recording) -> None:
    """Let the server answer everything with a recording, and list its own models."""
    models = load(f"{recording.server}/models")

    def script(request: Request) -> Answer:
        listing = request.method == "GET" and recording.call != LIST
        return (models if listing else recording).answer()

    host.script = script


def ask(host: ScriptedServer, recording: Recording) -> Outcome:
    backend = OpenAIBackend(host.url, token="k", retry=RetryPolicy(1))
    parameters = {"stop": recording.stop} if recording.stop else {}
    request = ChatRequest(
        recording.model,
        (user("Hi"),),
        parameters=parameters,
    )
    outcome = Outcome()
    try:
        for event in backend.stream(request):
            outcome.events.append(event)
    except BackendError as error:
        outcome.error = error
    finally:
        backend.close()
    return outcome


def check_refusal(recording: Recording, error: BackendError | None) -> None:
    assert isinstance(error, StatusError)
    assert error.status == recording.status
    assert isinstance(error, RateLimitedError) is (recording.status == 429)
    message = str(error)
    assert len(message) < 900
    assert not re.search(r"[\x00-\x1f]", message)
    for begin, statuses, words in ADVICE:
        if recording.case.startswith(begin) and recording.status in statuses:
            assert words in message
            break
    else:
        # A fault of the question: the server's words tell which.
        assert recording.case in NEVER or recording.case in REFUSED
        assert error.server_message[:40] in message


#: Questions that some servers refuse and others answer.
REFUSED = {
    "context_fill_stream",
    "json_schema",
    "json_schema_bad",
    "json_schema_stream",
    "temperature_range",
}


@pytest.mark.parametrize("name", ASKED)
def test_a_server_that_answers_so(name: str, host: ScriptedServer) -> None:
    recording = load(name)
    play(host, recording)
    before = len(host.requests)
    outcome = ask(host, recording)
    questions = [r for r in host.requests[before:] if r.method == "POST"]
    assert len(questions) == 1
    if recording.status != 200:
        assert outcome.events == []
        check_refusal(recording, outcome.error)
    elif recording.cell.stream:
        check_stream(recording, outcome)
    elif not recording.body:
        assert recording.case in NEVER
        assert type(outcome.error) is IncompleteAnswerError
    elif not answers(recording):
        assert recording.case in NEVER
        assert type(outcome.error) is ProtocolError
        assert "check the server's address" in str(outcome.error)
    else:
        check_answer(recording, read_document(recording), outcome)


def answers(recording: Recording) -> bool:
    document = json.loads(recording.body)
    return isinstance(document, dict) and "choices" in document


@pytest.mark.parametrize("name", LISTS)
def test_a_server_that_lists_its_models_so(name: str, host: ScriptedServer) -> None:
    recording = load(name)
    play(host, recording)
    backend = OpenAIBackend(host.url, token="k")
    if recording.status == 200:
        names = [model.name for model in backend.models()]
        assert names == [m["id"] for m in json.loads(recording.body)["data"]]
    else:
        with pytest.raises(StatusError) as caught:
            backend.models()
        check_refusal(recording, caught.value)
    backend.close()


def test_the_length_of_the_context_is_read_where_it_is_said(
    host: ScriptedServer,
) -> None:
    said = {}
    for server in {r.server for r in ALL.values()}:
        play(host, load(f"{server}/models"))
        backend = OpenAIBackend(host.url)
        said[server] = {(m.context, m.size, m.loaded) for m in backend.models()}
        backend.close()
    assert said == {
        "xllamacpp": {(512, 2095872, True)},
        "vllm_api_server": {(512, None, True)},
        "llama_cpp_server": {(None, None, False)},
        "litellm_proxy": {(None, None, False)},
        "h2ogpt_openai_server": {(None, None, False)},
        "fastchat": {(None, None, False)},
        "transformers_serve": set(),
    }


def test_a_stop_text_that_a_server_leaves_is_cut_off() -> None:
    left = load("transformers_serve/stream_stop")
    assert b" number" in left.body
    outcome = read([left.body], left)
    assert outcome.events[-1] == Finished("Add --temperature with a ", "stop_text")


def test_a_model_that_answers_instead_of_another_is_named(host: ScriptedServer) -> None:
    recording = load("xllamacpp/unknown_model_stream")
    assert recording.model == "no-such-model"
    play(host, recording)
    assert ask(host, recording).only(Source) == [Source("tiny-llama")]


def test_reasoning_is_kept_apart(host: ScriptedServer) -> None:
    recording = load("xllamacpp/stream_reasoning")
    play(host, recording)
    outcome = ask(host, recording)
    assert outcome.joined(ReasoningDelta).startswith("the user asks \u2013 日本")
    assert outcome.events[-1] == Finished("Press stop.", "end")
