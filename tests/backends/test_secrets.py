"""A key that a server repeats is masked where it enters, in whatever it is written."""

from __future__ import annotations

import json
import logging
import re
import traceback
from collections.abc import Callable, Iterator
from contextlib import closing
from dataclasses import asdict
from pathlib import Path
from typing import Any

import pytest

from h2o_magic.backends.base import Backend
from h2o_magic.backends.detect import detect
from h2o_magic.backends.gptgm import GptGmBackend
from h2o_magic.backends.http import Endpoint, HttpClient, Timeouts
from h2o_magic.backends.openai import OpenAIBackend
from h2o_magic.backends.retry import RetryPolicy
from h2o_magic.backends.secrets import Secrets
from h2o_magic.backends.servers.known import KnownServers
from h2o_magic.backends.servers.servers import Servers
from h2o_magic.chat.messages import user
from h2o_magic.conversation.record import Record
from h2o_magic.conversation.session import Session
from h2o_magic.errors import BackendError, H2OMagicError
from h2o_magic.rendering.footer import answer_markdown
from tests.backends.behaviours.row import DONE, chunk, said
from tests.backends.scripted import (
    Answer,
    GptGmScript,
    Script,
    answer,
    document,
    events,
    final,
    serving,
    token,
)
from tests.backends.test_openai_backend import OpenAIScript

KEY = "sk-lab/4f9c21E07d55"
RETRY = RetryPolicy(tries=2, wait=0.0)


def escaped(text: str) -> str:
    return "".join(f"\\u{ord(char):04x}" for char in text)


def told(session: Session) -> Iterator[str]:
    """Ask, and yield all that is shown, raised, logged, kept or written of it."""
    answer = session.ask("Who?")
    error: BaseException | None = None
    try:
        for event in answer:
            yield repr(event)
    except BackendError as failure:
        error = failure
    yield from (
        answer.text,
        answer.reasoning,
        answer.notice,
        repr(asdict(answer.facts)),
    )
    yield answer_markdown(answer.text, answer.facts)
    if error is not None:
        yield from shown_of(error)
    for suffix in (".md", ".json", ".jsonl", ".ipynb"):
        yield session.export_text(suffix)


def shown_of(error: BaseException | None) -> Iterator[str]:
    """Yield what an error tells, with all that is chained to it and their frames."""
    assert error is not None
    yield "".join(traceback.format_exception(error))
    at: BaseException | None = error
    while at is not None:
        yield from (repr(at), repr(at.args), repr(vars(at)))
        for frame, _ in traceback.walk_tb(at.__traceback__):
            # What tools of others would show of it; a test's own frames aside.
            if "h2o_magic" in frame.f_globals["__name__"]:
                yield repr(frame.f_locals)
        yield from (shown_of(at.__context__) if at.__context__ else ())
        at = at.__cause__


def outcome(call: Callable[[], object]) -> str:
    try:
        return repr(call())
    except H2OMagicError as error:
        return "".join(shown_of(error))


def all_told(backend: Backend, tmp_path: Path, caplog: Any) -> str:
    caplog.set_level(logging.DEBUG)
    record = Record(tmp_path / "turns.sqlite", "test")
    session = Session(backend, record=record)
    shown = "\n".join([*told(session), caplog.text])
    session.close()
    record.close()
    kept = b"".join(file.read_bytes() for file in tmp_path.iterdir())
    return shown + kept.decode("latin-1")


def stream(*parts: Any) -> Answer:
    return events(*parts, chunk({}, "stop"), DONE)


def raw(text: str) -> Answer:
    return answer(text.encode(), content_type="text/event-stream")


IN_JSON = json.dumps(said(f"It is {KEY}!"))
PHP = IN_JSON.replace("/", "\\/")
REPORT = {"message": f"Wrong key {KEY}", "code": KEY, "type": KEY, "param": KEY}
PAGE = b"<html><title>%s</title></html>"

#: What an OpenAI-compatible server sends back.
ECHOES: dict[str, Answer] = {
    "text": stream(said(f"It is {KEY}!")),
    "text, alone": stream(said(KEY)),
    "text, a character a token": stream(*map(said, f"It is {KEY}!")),
    "text, twice": stream(said(f"{KEY}{KEY[:9]}"), said(f"{KEY[9:]} {KEY}")),
    "text, after its own beginning": stream(
        said(KEY[:7]), said(KEY[:4]), said(KEY[4:])
    ),
    "text, escaped": raw(
        f"data: {IN_JSON.replace(KEY, escaped(KEY))}\n\ndata: [DONE]\n\n"
    ),
    "text, escaped as PHP does": raw(f"data: {PHP}\n\ndata: [DONE]\n\n"),
    "text, JSON in JSON": raw(
        f"data: {json.dumps(IN_JSON.replace(KEY, escaped(KEY)))}\n\ndata: [DONE]\n\n"
    ),
    "text, with zero bytes": stream(said("\0".join(KEY))),
    "text, in parts": stream(
        chunk({"content": [{"type": "text", "text": part} for part in KEY]})
    ),
    "text, whole": document({"choices": [{"message": {"content": f"It is {KEY}"}}]}),
    "text, cut off": events(said(f"It is {KEY}! And"), end="cut"),
    "text, then an error": events(said(f"It is {KEY}"), {"error": REPORT}),
    "reasoning": stream(chunk({"reasoning": f"It is {KEY}"}), said("Hi")),
    "reasoning, a character a token": stream(
        *[chunk({"reasoning_content": char}) for char in KEY], said("Hi")
    ),
    "reasoning, in a part": stream(
        chunk({"content": [{"type": "thinking", "thinking": [{"text": KEY}]}]})
    ),
    "reasoning, in tags": stream(*map(said, f"<think>It is {KEY}</think>Hi")),
    "refusal": stream(chunk({"refusal": f"Not with {KEY}"})),
    "model": stream(said("Hi", model=f"m {KEY}")),
    "finish reason": stream(said("Hi", KEY)),
    "usage": stream(said("Hi", usage={"prompt_tokens": KEY, KEY: 3})),
    "tool": stream(chunk({"tool_calls": [{"function": {"name": KEY}}]}, "tool_calls")),
    "notice": stream({"h2o_magic": {"notice": "x" * 190 + KEY}}, said("Hi")),
    "what answers": events(
        said("Hi", "stop"),
        headers={"X-H2O-Magic-Weights": json.dumps({"model": KEY, "weights": KEY})},
    ),
    "error in the stream": events({"error": REPORT}),
    "error event": raw(f"event: error\ndata: Wrong key {KEY}\n\n"),
    "an event that is broken": raw(f'data: {{"choices": "{KEY} \n\ndata: [DONE]\n\n'),
    "no answer": answer(f"{'x' * 190}{KEY}".encode()),
    "no chat": document({"message": {"content": KEY}}),
    "page": answer(PAGE % KEY.encode()),
    "page, in entities": answer(
        PAGE % "".join(f"&#{ord(char)};" for char in KEY).encode()
    ),
    "long error": document({"error": "x" * 490 + KEY}, status=400),
    "long error, escaped": answer(
        b'{"error": "%s%s"}' % (b"x" * 490, escaped(KEY).encode()), status=400
    ),
    "redirect": answer(status=302, headers={"Location": f"http://h/{'x' * 190}{KEY}"}),
    "provider": document(
        {"error": {"message": "No", "metadata": {"raw": f'{{"error": "{KEY}"}}'}}},
        status=502,
    ),
    "limit": document({"error": REPORT}, status=429, headers={"Retry-After": KEY}),
    "status line": Answer(b"HTTP/1.1 %s\r\n\r\n" % KEY.encode(), end="close"),
    "no HTTP": Answer(KEY.encode() + b"\r\n\r\n", end="close"),
    "header": Answer(b"HTTP/1.1 200 X\r\n%s\r\n\r\n" % KEY.encode(), end="close"),
    "chunk": Answer(
        b"HTTP/1.1 200 X\r\nTransfer-Encoding: chunked\r\n\r\n%s\r\n" % KEY.encode(),
        end="close",
    ),
    "length": Answer(
        b"HTTP/1.1 200 X\r\nContent-Length: %s\r\n\r\n" % KEY.encode(), end="close"
    ),
    **{
        f"status {status}": document({"error": REPORT}, status=status)
        for status in (400, 401, 403, 404, 418, 500, 529)
    },
}


@pytest.mark.parametrize("echo", ECHOES)
def test_a_key_that_an_openai_server_repeats_is_nowhere(
    echo: str, tmp_path: Path, caplog: Any
) -> None:
    script = OpenAIScript(*[ECHOES[echo]] * 3)
    script.models = document({"data": [{"id": f"m-{KEY}", "owned_by": KEY}]})
    with (
        serving(script) as server,
        closing(OpenAIBackend(server.url, KEY, retry=RETRY)) as backend,
    ):
        everything = all_told(backend, tmp_path, caplog)
    assert KEY not in everything
    assert KEY[3:] not in everything
    assert escaped(KEY) not in everything


def with_step(step: str, *answers: Answer) -> Script:
    return GptGmScript().then(step, *answers)


#: What a gpt-gm server sends back.
GPTGM_ECHOES: dict[str, Callable[[], Script]] = {
    "text": lambda: GptGmScript(events(token(KEY), final(f"It is {KEY}"))),
    "text, a character a token": lambda: GptGmScript(
        events(*map(token, f"It is {KEY}!"), final(f"It is {KEY}!"))
    ),
    "text, of which the end differs": lambda: GptGmScript(
        events(*map(token, f"It is {KEY}"), final(f"Who? It is {KEY}"))
    ),
    "text, cut off": lambda: GptGmScript(events(*map(token, KEY + "!"), end="cut")),
    "text, whole": lambda: GptGmScript(document([{"generated_text": KEY}])),
    "what answers": lambda: GptGmScript(
        events(final("Hi", {"h2o_magic": {"model": KEY, "weights": KEY}}))
    ),
    "error in the stream": lambda: GptGmScript(
        events({"error": f"Wrong key {KEY}", "error_type": KEY})
    ),
    "no conversation": lambda: with_step("create", document({"id": "x" * 190 + KEY})),
    "no terms": lambda: with_step("settings", document({"type": KEY})),
    "refusal": lambda: with_step("create", document({"message": KEY}, status=418)),
}


@pytest.mark.parametrize("echo", GPTGM_ECHOES)
def test_a_key_that_a_gptgm_server_repeats_is_nowhere(
    echo: str, tmp_path: Path, caplog: Any
) -> None:
    with (
        serving(GPTGM_ECHOES[echo]()) as server,
        closing(GptGmBackend(server.url, KEY, retry=RETRY)) as backend,
    ):
        everything = all_told(backend, tmp_path, caplog)
    assert KEY[:12] not in everything


@pytest.mark.parametrize("dialect", [OpenAIBackend, GptGmBackend])
def test_a_key_in_a_list_of_models_is_masked(dialect: type[Backend]) -> None:
    entry = {"id": f"m-{KEY}", "owned_by": KEY, "weights": KEY, "license": KEY}
    listed = document({"data": [entry]} if dialect is OpenAIBackend else [entry])
    with serving(lambda _: listed) as server:
        backend = dialect(server.url, KEY)  # type: ignore[call-arg]
        with closing(backend):
            assert [model.name for model in backend.models()] == ["m-***"]
            assert KEY not in repr(backend.models())


@pytest.mark.parametrize("owner", ["vllm", "llamacpp", "h2o_magic", "lmstudio"])
def test_a_key_in_what_a_server_says_of_a_model_is_masked(owner: str) -> None:
    script = OpenAIScript(owner=owner)
    refused = document({"error": REPORT}, status=418)
    with (
        serving(lambda r: script(r) if r.path.endswith("s") else refused) as server,
        closing(OpenAIBackend(server.url, KEY)) as backend,
    ):
        for call in (
            lambda: backend.count_tokens("m", [user("Hi")]),
            lambda: backend.vision("m"),
            lambda: backend.model("m"),
        ):
            assert KEY not in outcome(call)


@pytest.mark.parametrize(
    "reply",
    [
        document({"detail": f"no {KEY}"}, status=404),
        document({"data": [{"id": KEY, "owned_by": KEY}]}),
        answer(escaped(KEY).encode(), headers={"Server": KEY}),
        answer(status=302, headers={"Location": f"/{KEY}"}),
        Answer(KEY.encode() + b"\r\n", end="close"),
    ],
)
def test_a_key_that_comes_back_while_a_server_is_detected_is_masked(
    reply: Answer,
) -> None:
    with serving(lambda _: reply) as server:
        assert KEY not in outcome(lambda: detect(Endpoint(server.url, KEY)))


def test_a_proxy_that_repeats_the_key_has_it_masked(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    with serving(lambda _: Answer(b"HTTP/1.1 502 " + KEY.encode() + b"\r\n\r\n")) as s:
        monkeypatch.setenv("https_proxy", s.url)
        client = HttpClient(Endpoint("https://h.example.org", KEY), timeouts=Timeouts())
        with pytest.raises(BackendError) as caught, closing(client):
            client.send("GET", "/")
        assert KEY not in "".join(shown_of(caught.value))


# How it is done


def secrets(key: str = KEY, **headers: str) -> Secrets:
    return Secrets({"Authorization": f"Bearer {key}", **headers})


@pytest.mark.parametrize("size", range(1, 60))
def test_a_key_is_masked_wherever_the_network_cuts_it(size: int) -> None:
    body = f'{{"a": "{KEY}", "b": "{escaped(KEY)}"}}\n{KEY}{KEY}\r\n{KEY[:9]}'.encode()
    pieces = [body[i : i + size] for i in range(0, len(body), size)]
    masked = b"".join(secrets().masked_chunks(iter(pieces)))
    assert masked.decode() == f'{{"a": "***", "b": "***"}}\n******\r\n{KEY[:9]}'


@pytest.mark.parametrize("key", [KEY, 'sk-"lab"-1', "sk-\\lab\\1", "sk&<lab>1'x"])
def test_a_key_of_any_characters_is_masked_however_it_is_written(key: str) -> None:
    once = json.dumps(key)
    for written in (
        *(key, once, json.dumps(once), json.dumps(once).replace("/", "\\/")),
        *(escaped(key), escaped(key).upper().replace("U", "u")),
        "".join(f"&#{ord(char)};" for char in key),
        "".join(f"&#x{ord(char):X};" for char in key),
        "\0".join(key),
    ):
        text = f"It is {written}."
        assert re.sub(r'[\\"]', "", secrets(key).masked(text)) == "It is ***."
        chunks = secrets(key).masked_chunks(iter([text.encode()]))
        assert b"***" in b"".join(chunks)


def test_whole_lines_are_passed_on_at_once() -> None:
    given: list[bytes] = []

    def body() -> Iterator[bytes]:
        for piece in (b"data: 1\n\n", b"data: sk-", b"lab\r", b"x" * 999):
            given.append(piece)
            yield piece

    passed = secrets().masked_chunks(body())
    assert next(passed) == b"data: 1\n\n"
    assert len(given) == 1
    assert [next(passed), next(passed)] == [b"", b"data: sk-lab\r"]
    assert len(next(passed)) > 500  # nor does a line without an end wait whole


@pytest.mark.parametrize(
    "key",
    ["EMPTY", "none", "sk-", "test", "ollama", "Ollama", "lm-studio", "not-needed", ""],
)
def test_a_word_in_place_of_a_key_masks_no_words(key: str) -> None:
    text = "EMPTY none sk-1 test ollama Ollama lm-studio not-needed"
    assert secrets(key).masked(text) == text
    assert not secrets(key)


def test_a_long_cookie_is_masked_and_a_short_one_is_a_word() -> None:
    headers = {"Cookie": 'lang=english; session="0123456789abcdef"'}
    assert Secrets(headers).masked("english 0123456789abcdef") == "english ***"


@pytest.mark.parametrize("key", [KEY, f"{KEY} with spaces"])
def test_no_variable_of_a_failed_connection_shows_the_key(
    key: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """As IPython shows them after ``%xmode Verbose``."""
    monkeypatch.setenv("H2O_MAGIC_HOME", str(tmp_path))
    monkeypatch.setenv("LAB_KEY", key)
    with serving(lambda _: document({"error": REPORT}, status=401)) as server:
        session = Session(servers=lambda: Servers(KnownServers()))
        with pytest.raises(H2OMagicError) as caught:
            session.connect(server.url, key_env="LAB_KEY")
        assert KEY not in "".join(shown_of(caught.value))
