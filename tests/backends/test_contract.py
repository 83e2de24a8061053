"""One contract for every backend: the same laws, over real sockets, for all dialects.

What a dialect cannot keep, or keeps in another way, is in the table of
tests/backends/dialects.py with the reason, and is held to here as well.
"""

from __future__ import annotations

import gc
import signal
import socket
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager, suppress
from typing import Any

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from h2o_magic.backends.base import ChatRequest, ModelInfo
from h2o_magic.backends.http import Timeouts
from h2o_magic.chat.events import Event, Finished, Replaced, TextDelta
from h2o_magic.chat.messages import Message, assistant, user
from h2o_magic.config.parameters import PARAMETERS, checked
from h2o_magic.errors import (
    BackendError,
    ConnectionFailedError,
    GenerationError,
    IncompleteAnswerError,
    MessagesError,
    ParameterError,
    ProtocolError,
    RateLimitedError,
    StatusError,
    TimedOutError,
)
from tests.backends.dialects import DIALECTS, GPTGM, OPENAI, SECRET, Dialect, request
from tests.backends.joined import joined
from tests.backends.scripted import (
    DROP,
    Answer,
    Request,
    ScriptedServer,
    answer,
    document,
    serving,
)

SILENT = Answer(b"", end="hold")  # takes the question, and says nothing
IMPATIENT = Timeouts(first_byte=0.5, idle=0.5)
PAGE = answer(b"<html><title>Log in</title></html>", content_type="text/html")

of_each = pytest.mark.parametrize("dialect", DIALECTS, ids=lambda d: d.name)


def shown(events: list[Event]) -> str:
    """What a reader of the events sees in the end."""
    text = ""
    for event in events:
        if isinstance(event, TextDelta):
            text += event.text
        elif isinstance(event, Replaced):
            text = event.text
    return text


def failing(stream: Iterator[Event]) -> tuple[list[Event], BackendError]:
    """What came of an answer that fails, and the failure."""
    got: list[Event] = []
    try:
        for event in stream:
            got.append(event)
    except BackendError as error:
        return got, error
    raise AssertionError(f"no failure, but {got}")


def eventually(condition: Callable[[], object]) -> None:
    deadline = time.monotonic() + 10
    while not condition():
        assert time.monotonic() < deadline
        time.sleep(0.001)


def closed_port() -> int:
    with socket.create_server(("127.0.0.1", 0)) as sock:
        return int(sock.getsockname()[1])


def refusal(status: int, words: str = "No.", **headers: str) -> Answer:
    return document({"message": words}, status=status, headers=headers)


# The order of the events


@of_each
@pytest.mark.parametrize(
    "tokens",
    [
        ("Hello",),
        ("Hel", "lo, ", "you", "."),
        ("a\n", "\n", "```\n", "x", "\n```"),
        (
            "\u00e9",
            "\u4f60\u597d",
            "\U0001f44b\U0001f3fd",
            "e\u0301",
            "\u2028",
            "\u0085.",
        ),
        tuple("word " * 200 + "."),
    ],
)
def test_an_answer_is_its_deltas_and_one_end(
    dialect: Dialect, tokens: tuple[str, ...]
) -> None:
    with dialect.answering(dialect.says(*tokens)) as (backend, _):
        stream = backend.stream(request())
        *before, last = list(stream)
        assert last == Finished("".join(tokens), last.reason)
        assert not any(isinstance(event, Finished) for event in before)
        assert shown(before) == last.text
        assert list(stream) == []


@of_each
def test_an_empty_answer_is_an_answer(dialect: Dialect) -> None:
    with dialect.answering(dialect.says()) as (backend, _):
        *before, last = backend.stream(request())
        assert isinstance(last, Finished)
        assert last.text == shown(before) == ""


@of_each
def test_characters_cut_in_two_are_whole(dialect: Dialect) -> None:
    # Each byte is a send of its own, and so is each half of a surrogate pair.
    raw = dialect.pieces(
        *dialect.whole("d\u00e9j\u00e0 ", "\U0001f44b"), ascii_only=False
    )
    halves = dialect.pieces(
        *map(dialect.token, ("d\u00e9j\u00e0 ", "\ud83d", "\udc4b")),
        *dialect.end("d\u00e9j\u00e0 \U0001f44b"),
    )
    for pieces in (raw, halves):
        single = [bytes([byte]) for byte in b"".join(pieces)]
        with dialect.answering(dialect.stream(*single)) as (backend, _):
            *before, last = backend.stream(request())
            assert isinstance(last, Finished)
            assert last.text == shown(before) == "d\u00e9j\u00e0 \U0001f44b"


@of_each
def test_half_a_character_can_be_printed(dialect: Dialect) -> None:
    with dialect.answering(dialect.says("a", "\ud83d", "b")) as (backend, _):
        *before, last = backend.stream(request())
        assert isinstance(last, Finished)
        assert last.text == shown(before) == "a\ufffdb"


@of_each
def test_what_comes_after_the_end_takes_nothing_back(dialect: Dialect) -> None:
    late = [*dialect.whole("a"), dialect.token("late"), dialect.failure("late")]
    with dialect.answering(dialect.stream(*dialect.pieces(*late))) as (backend, _):
        *before, last = backend.stream(request())
        assert isinstance(last, Finished)
        assert last.text == shown(before) == "a"


# The same bytes, cut anywhere

_TEXT = st.text(
    st.characters(exclude_categories=["Cs"], exclude_characters="\0"), max_size=6
)
_HALVES = st.sampled_from(["\ud83d", "\udc4b", "a\ud83d", "\udc4b "])


@given(st.data())
def test_events_do_not_depend_on_the_cuts(data: st.DataObject) -> None:
    dialect = data.draw(st.sampled_from(DIALECTS))
    escaped = data.draw(st.booleans())
    text = _TEXT | _HALVES if escaped else _TEXT  # UTF-8 has no halves
    documents = [*map(dialect.token, data.draw(st.lists(text, max_size=5)))]
    match data.draw(st.sampled_from(["end", "failure", "nothing"])):
        case "end":
            documents += dialect.end("".join(data.draw(st.lists(text, max_size=2))))
        case "failure":
            documents.append(dialect.failure("broken"))
    body = b"".join(dialect.pieces(*documents, ascii_only=escaped))
    body = body[: data.draw(st.integers(0, len(body)) | st.just(len(body)))]
    cuts = data.draw(st.lists(st.integers(0, len(body)), max_size=12).map(sorted))
    pieces = [body[a:b] for a, b in zip([0, *cuts], [*cuts, len(body)], strict=True)]
    events, error = dialect.read(*pieces)
    one, one_error = dialect.read(body)
    assert joined(events) == joined(one)
    assert repr(error) == repr(one_error)
    if error is None:
        assert isinstance(events[-1], Finished)
        assert events[-1].text == shown(events)
    else:
        assert error.partial == shown(events)


@given(st.sampled_from(DIALECTS), st.binary(max_size=200))
@example(OPENAI, b"[" * 100_000)
def test_any_bytes_end_in_an_answer_or_in_our_errors(
    dialect: Dialect, body: bytes
) -> None:
    events, error = dialect.read(body)
    if error is not None:
        assert not any(isinstance(event, Finished) for event in events)
        assert error.partial == shown(events)


# Leaving an answer


@of_each
def test_an_answer_that_is_not_read_sends_nothing(dialect: Dialect) -> None:
    with dialect.answering() as (backend, server):
        backend.stream(request())
        backend.stream(request()).close()
        assert server.requests == []


@of_each
def test_closing_ends_the_connection_and_the_answer(dialect: Dialect) -> None:
    with dialect.answering(dialect.begins("a", end="hold")) as (backend, server):
        stream = backend.stream(request())
        assert _text_of(stream) == TextDelta("a")
        stream.close()
        assert server.left.acquire(timeout=60)
        assert list(stream) == []
        stream.close()
        assert _whole(backend) == "ok"


@of_each
def test_an_answer_that_is_dropped_ends_the_connection(dialect: Dialect) -> None:
    with dialect.answering(dialect.begins("a", "b", end="hold")) as (backend, server):
        stream = backend.stream(request())
        _text_of(stream)
        del stream
        gc.collect()
        assert server.left.acquire(timeout=60)
        assert _whole(backend) == "ok"


@of_each
@pytest.mark.parametrize("where", ["head", "first token", "second token"])
def test_another_thread_can_close_an_answer_that_is_waited_for(
    dialect: Dialect, where: str
) -> None:
    with dialect.answering(_held(dialect, where)) as (backend, server):
        stream = backend.stream(request())
        got: list[Event] = []
        raised: list[BaseException] = []

        def read() -> None:
            try:
                for event in stream:
                    got.append(event)
            except BaseException as error:
                raised.append(error)

        thread = threading.Thread(target=read)
        thread.start()
        expected = "a" if where == "second token" else ""
        eventually(lambda: dialect.questions(server) and shown(got) == expected)
        stream.close()
        thread.join(timeout=60)
        assert not thread.is_alive()
        assert raised == []
        assert shown(got) == expected
        assert not any(isinstance(event, Finished) for event in got)
        assert server.left.acquire(timeout=60)
        assert _whole(backend) == "ok"


@of_each
@pytest.mark.parametrize("where", ["head", "first token", "second token"])
def test_an_interrupt_ends_the_connection_and_is_passed_on(
    dialect: Dialect, where: str
) -> None:
    with (
        dialect.answering(_held(dialect, where)) as (backend, server),
        _alarm() as ring,
    ):
        stream = backend.stream(request())
        if where == "second token":
            assert _text_of(stream) == TextDelta("a")
        ring(0.2)
        with pytest.raises(KeyboardInterrupt):
            list(stream)
        assert server.left.acquire(timeout=60)
        assert list(stream) == []
        assert _whole(backend) == "ok"


@of_each
def test_a_pause_between_two_tries_can_be_left(dialect: Dialect) -> None:
    busy = refusal(429, **{"Retry-After": "19"})
    with dialect.answering(busy, busy) as (backend, server):
        stream = backend.stream(request())
        got: list[Event] = []
        thread = threading.Thread(target=lambda: got.extend(stream))
        thread.start()
        eventually(lambda: dialect.questions(server))
        stream.close()
        thread.join(timeout=60)
        assert not thread.is_alive()
        assert shown(got) == ""
        assert len(dialect.questions(server)) == 1


def _held(dialect: Dialect, where: str) -> Answer:
    if where == "head":
        return SILENT
    return dialect.begins(*(["a"] if where == "second token" else []), end="hold")


def _text_of(stream: Iterator[Event]) -> Event:
    """The next event that is text."""
    return next(event for event in stream if isinstance(event, TextDelta))


def _whole(backend: Any, text: str = "Hi") -> str:
    """The answer to a question."""
    *before, last = backend.stream(request(text))
    assert isinstance(last, Finished)
    assert last.text == shown(before)
    return last.text


@contextmanager
def _alarm() -> Iterator[Callable[[float], None]]:
    def interrupt(*_: object) -> None:
        raise KeyboardInterrupt

    old = signal.signal(signal.SIGALRM, interrupt)
    try:
        yield lambda seconds: signal.setitimer(signal.ITIMER_REAL, seconds) and None
    finally:
        signal.setitimer(signal.ITIMER_REAL, 0)
        signal.signal(signal.SIGALRM, old)


# What goes wrong before the answer


@of_each
def test_nobody_there_is_a_failed_connection(dialect: Dialect) -> None:
    url = f"http://127.0.0.1:{closed_port()}"
    with closing(dialect.make(url, token=SECRET)) as backend:
        for call in (lambda: list(backend.stream(request())), backend.models):
            with pytest.raises(ConnectionFailedError, match="check that a server runs"):
                call()


@of_each
@pytest.mark.parametrize("where", ["head", "first token", "second token"])
def test_a_silent_server_is_not_waited_for_for_ever(
    dialect: Dialect, where: str
) -> None:
    held = _held(dialect, where)
    with dialect.answering(held, timeouts=IMPATIENT) as (backend, server):
        got, error = failing(backend.stream(request()))
        assert isinstance(error, TimedOutError)
        assert "check whether the server is busy" in str(error)
        assert error.partial == shown(got) == ("a" if where == "second token" else "")
        assert server.left.acquire(timeout=60)
        assert _whole(backend) == "ok"


@of_each
@pytest.mark.parametrize("everywhere", [False, True])
@pytest.mark.parametrize("status", [401, 403, 404, 500])
def test_a_refusal_is_reported_with_its_status_and_what_to_do(
    dialect: Dialect, status: int, everywhere: bool
) -> None:
    with _refused(dialect, refusal(status, "Not you."), everywhere) as (
        backend,
        server,
    ):
        got, error = failing(backend.stream(request()))
        assert type(error) is StatusError
        assert (error.status, error.server_message) == (status, "Not you.")
        assert "Not you" in str(error)
        assert "\n" not in str(error)
        assert error.partial == shown(got) == ""
        if status in (401, 403):
            assert "--key-env" in str(error)
        if status == 404:
            assert "check the address and its path" in str(error)
        server.script = dialect.script()
        assert _whole(backend) == "ok"


@of_each
@pytest.mark.parametrize("everywhere", [False, True])
def test_a_limit_that_names_a_short_time_is_met_by_asking_again(
    dialect: Dialect, everywhere: bool
) -> None:
    limit = refusal(429, "Slowly.", **{"Retry-After": "0"})
    with dialect.answering(limit, limit) as (backend, server):
        assert _whole(backend) == "ok"
        assert len(dialect.questions(server)) == 3
    with _refused(dialect, limit, everywhere) as (backend, server):
        _, error = failing(backend.stream(request()))
        assert isinstance(error, RateLimitedError)
        assert (error.status, error.retry_after) == (429, 0)
        assert "Slowly" in str(error)
        posts = [r for r in server.requests if r.method == "POST"]
        assert len(posts if everywhere else dialect.questions(server)) == 3


@of_each
@pytest.mark.parametrize("headers", [{}, {"Retry-After": "3000"}])
def test_a_limit_without_a_short_time_is_reported_at_once(
    dialect: Dialect, headers: dict[str, str]
) -> None:
    with dialect.answering(refusal(429, "Slowly.", **headers)) as (backend, server):
        _, error = failing(backend.stream(request()))
        assert isinstance(error, RateLimitedError)
        assert error.retry_after == (3000 if headers else None)
        assert "ask again" in str(error)
        assert len(dialect.questions(server)) == 1
        assert _whole(backend) == "ok"


@of_each
def test_a_connection_that_ends_without_an_answer_is_reported(dialect: Dialect) -> None:
    with dialect.refusing(lambda _: DROP) as (backend, _):
        _, error = failing(backend.stream(request()))
        assert isinstance(error, ConnectionFailedError)
        assert "check that a server runs" in str(error)


@of_each
@pytest.mark.parametrize(
    "body", [b"<html><title>Log in</title>", b" \n<!doctype html>"]
)
def test_a_web_page_is_no_answer(dialect: Dialect, body: bytes) -> None:
    page = answer(body, content_type="text/html")
    with dialect.answering(page) as (backend, _):
        got, error = failing(backend.stream(request()))
        assert isinstance(error, ProtocolError)
        assert "web page titled" in str(error)
        assert "whether it asks for a login" in str(error)
        assert "<" not in str(error)
        assert error.partial == shown(got) == ""
        assert _whole(backend) == "ok"


@of_each
@pytest.mark.parametrize("body", [b"It works!", b"\x00\xff\xfe", b"42", b"true\n\n"])
def test_words_that_are_no_protocol_are_no_answer(
    dialect: Dialect, body: bytes
) -> None:
    with dialect.answering(answer(body)) as (backend, _):
        got, error = failing(backend.stream(request()))
        assert isinstance(error, ProtocolError)
        assert "expected an answer" in str(error)
        assert len(str(error)) < 500
        assert error.partial == shown(got) == ""
        assert _whole(backend) == "ok"


@of_each
@pytest.mark.parametrize("status", [302, 307])
@pytest.mark.parametrize("everywhere", [False, True])
def test_a_redirect_is_not_followed(
    dialect: Dialect, status: int, everywhere: bool
) -> None:
    with serving(lambda _: answer()) as elsewhere:
        to = f"http://localhost:{elsewhere.port}/login?state=of-{SECRET}"
        sent = answer(status=status, headers={"Location": to})
        with _refused(dialect, sent, everywhere) as (backend, _):
            _, error = failing(backend.stream(request()))
            assert isinstance(error, StatusError)
            assert error.status == status
            assert "not followed" in str(error)
            _shows_no_secret(error)
            with suppress(StatusError):
                backend.models()
        assert elsewhere.requests == []
        assert elsewhere._sockets == []


@contextmanager
def _refused(
    dialect: Dialect, reply: Answer, everywhere: bool
) -> Iterator[tuple[Any, ScriptedServer]]:
    """A backend whose server answers every call so, or every question."""
    script = dialect.script(then=lambda _: reply)
    with dialect.refusing((lambda _: reply) if everywhere else script) as both:
        yield both


# What goes wrong after the answer has begun


@of_each
@pytest.mark.parametrize("together", [False, True])
def test_an_error_keeps_the_text_before_it(dialect: Dialect, together: bool) -> None:
    documents = [*map(dialect.token, ["Hel", "lo"]), dialect.failure("Out of memory.")]
    pieces = dialect.pieces(*documents)
    pieces = [b"".join(pieces)] if together else pieces
    with dialect.answering(dialect.stream(*pieces)) as (backend, server):
        got, error = failing(backend.stream(request()))
        assert isinstance(error, GenerationError)
        assert "Out of memory" in str(error)
        assert error.partial == shown(got) == "Hello"
        assert len(dialect.questions(server)) == 1
        assert _whole(backend) == "ok"


@of_each
def test_an_error_shows_the_text_that_was_held_back(dialect: Dialect) -> None:
    documents = [*map(dialect.token, ["Hello ", "EN"]), dialect.failure("Broken.")]
    stop = {"stop": ("END",)}
    with dialect.answering(dialect.stream(*dialect.pieces(*documents))) as (backend, _):
        got, error = failing(backend.stream(request(parameters=stop)))
        assert isinstance(error, GenerationError)
        assert error.partial == shown(got) == "Hello EN"


@of_each
@pytest.mark.parametrize("chunked", [True, False])
def test_a_cut_connection_keeps_the_text_and_is_no_end(
    dialect: Dialect, chunked: bool
) -> None:
    length = {} if chunked else {"Content-Length": "9999"}
    cut = dialect.begins("Hel", "lo", end="cut", chunked=chunked, headers=length)
    with dialect.answering(cut) as (backend, server):
        got, error = failing(backend.stream(request()))
        assert isinstance(error, IncompleteAnswerError)
        assert "ask again" in str(error)
        assert error.partial == shown(got) == "Hello"
        assert len(dialect.questions(server)) == 1
        assert _whole(backend) == "ok"


@of_each
@pytest.mark.parametrize("end", ["keep", "close"])
def test_an_end_without_the_final_event_is_no_end(dialect: Dialect, end: str) -> None:
    short = dialect.begins("Hel", "lo", end=end, chunked=end == "keep")
    with dialect.answering(short) as (backend, server):
        got, error = failing(backend.stream(request()))
        assert isinstance(error, IncompleteAnswerError)
        assert "ask again" in str(error)
        assert error.partial == shown(got) == "Hello"
        assert len(dialect.questions(server)) == 1
        assert _whole(backend) == "ok"


@of_each
@pytest.mark.parametrize("body", [b"", b"\n\n", b"\r\n \n"])
def test_an_empty_body_is_no_answer(dialect: Dialect, body: bytes) -> None:
    with dialect.answering(dialect.stream(body)) as (backend, _):
        got, error = failing(backend.stream(request()))
        assert isinstance(error, IncompleteAnswerError)
        assert error.partial == shown(got) == ""
        assert _whole(backend) == "ok"


@of_each
def test_a_cut_after_the_end_is_an_answer(dialect: Dialect) -> None:
    pieces = dialect.pieces(*dialect.whole("Hel", "lo"))
    with dialect.answering(dialect.stream(*pieces, end="cut")) as (backend, _):
        assert _whole(backend) == "Hello"


# Several answers


@of_each
def test_two_answers_at_once_do_not_mix(dialect: Dialect) -> None:
    def echo(request: Request) -> Answer:
        text = dialect.question(request) or ""
        return dialect.says(*(f"{text}{n} " for n in range(20)), ".")

    with dialect.answering(then=echo) as (backend, _):
        streams = {name: backend.stream(request(name)) for name in "ab"}
        got: dict[str, list[Event]] = {name: [] for name in streams}
        waiting = dict(streams)
        while waiting:
            for name, stream in list(waiting.items()):
                event = next(stream, None)
                if event is None:
                    del waiting[name]
                else:
                    got[name].append(event)
        for name, events in got.items():
            assert shown(events) == "".join(f"{name}{n} " for n in range(20)) + "."
            assert isinstance(events[-1], Finished)


@of_each
def test_eight_at_once_are_eight_whole_answers(dialect: Dialect) -> None:
    together = threading.Barrier(8, timeout=60)

    def echo(request: Request) -> Answer:
        together.wait()  # so that all of them are under way
        text = dialect.question(request) or ""
        return dialect.says(*(f"{text}{n} " for n in range(20)), ".")

    with dialect.answering(then=echo) as (backend, server):
        got: dict[str, str] = {}
        threads = [
            threading.Thread(target=lambda n=n: got.update({n: _whole(backend, n)}))
            for n in "abcdefgh"
        ]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join(timeout=60)
            assert not thread.is_alive()
        assert got == {
            n: "".join(f"{n}{i} " for i in range(20)) + "." for n in "abcdefgh"
        }
        assert sorted(dialect.questions(server)) == list("abcdefgh")


@of_each
def test_nothing_of_a_broken_answer_is_in_the_next(dialect: Dialect) -> None:
    half = b"".join(dialect.pieces(dialect.token("half")))[:-9]
    broken = [
        dialect.stream(half, end="cut"),
        dialect.begins("old", end="cut"),
        dialect.stream(*dialect.pieces(dialect.token("old"), dialect.failure("no"))),
        dialect.begins("old"),
        PAGE,
    ]
    answers = [reply for old in broken for reply in (old, dialect.says("new"))]
    with dialect.answering(*answers) as (backend, _):
        for _ in broken:
            failing(backend.stream(request("old")))
            assert _whole(backend, "new") == "new"


# Secrets

BROKEN = {
    "401": refusal(401),
    "403": refusal(403),
    "404": refusal(404),
    "429": refusal(429),
    "500": refusal(500),
    "page": PAGE,
    "garbage": answer(b"It works!"),
    "drop": DROP,
}


@of_each
@pytest.mark.parametrize("everywhere", [False, True])
@pytest.mark.parametrize("name", BROKEN)
def test_no_failure_shows_the_key(
    dialect: Dialect, name: str, everywhere: bool
) -> None:
    with _refused(dialect, BROKEN[name], everywhere) as (backend, server):
        assert SECRET not in repr(backend)
        stream = backend.stream(request())
        assert SECRET not in repr(stream)
        with pytest.raises(BackendError) as caught:
            list(stream)
        _shows_no_secret(caught.value)
        assert any(SECRET in str(r.headers) for r in server.requests)  # it was sent


@of_each
@pytest.mark.parametrize("everywhere", [False, True])
@pytest.mark.parametrize("status", [200, 400, 401, 500])
def test_a_server_that_repeats_the_key_does_not_get_it_shown(
    dialect: Dialect, status: int, everywhere: bool
) -> None:
    words = f"Wrong key. Received={SECRET}, expected another."
    with _refused(dialect, refusal(status, words), everywhere) as (backend, _):
        with pytest.raises(BackendError) as caught:
            list(backend.stream(request()))
        _shows_no_secret(caught.value)
        if status != 200:
            assert "Received=***" in str(caught.value)


@of_each
def test_an_error_in_the_stream_does_not_show_the_key(dialect: Dialect) -> None:
    failure = dialect.pieces(dialect.token("a"), dialect.failure(f"Key {SECRET}!"))
    with dialect.answering(dialect.stream(*failure)) as (backend, _):
        _, error = failing(backend.stream(request()))
        assert "Key ***!" in str(error)
        assert error.partial == "a"
        _shows_no_secret(error)


def _shows_no_secret(error: BaseException | None) -> None:
    """Look at an error, and all that it came from, as a traceback shows them."""
    seen: list[BaseException] = []
    while error is not None:
        words = getattr(error, "server_message", "")
        for told in (str(error), repr(error), repr(error.args), words):
            assert SECRET not in told
        assert not any(error is before for before in seen)  # nor is it its own cause
        seen.append(error)
        error = error.__cause__ or error.__context__


# What is refused before anything is sent


@of_each
@pytest.mark.parametrize(
    "messages",
    [
        (),
        (user("Hi"), assistant("Hello")),
        (user(" \n"),),
        (user("Hi"), Message("system", "late"), user("Hi")),
    ],
)
def test_messages_without_a_question_are_refused_at_once(
    dialect: Dialect, messages: tuple[Message, ...]
) -> None:
    with dialect.answering() as (backend, server):
        with pytest.raises(MessagesError):
            backend.stream(ChatRequest("tiny", messages))
        assert server.requests == []


@of_each
def test_a_parameter_that_cannot_be_said_is_refused(dialect: Dialect) -> None:
    for name, value in dialect.unsayable.items():
        with dialect.answering() as (backend, server):
            with pytest.raises(ParameterError, match=f"`{name}`"):
                list(backend.stream(request(parameters={name: value})))
            assert dialect.questions(server) == []


@of_each
def test_what_nobody_set_is_not_sent(dialect: Dialect) -> None:
    with dialect.answering() as (backend, server):
        assert isinstance([*backend.stream(request())][-1], Finished)
        (sent,) = (r for r in server.requests if dialect.question(r) is not None)
        names = {*PARAMETERS, "max_tokens", "repeat_penalty"}
        found = {name for name in names if b'"%s"' % name.encode() in sent.body}
        assert found == set(dialect.defaults)


def test_all_that_the_gpt_gm_protocol_has_is_sent() -> None:
    values = {
        p.name: {float: 0.5, int: 7, bool: True, tuple: ["x"]}[p.kind]
        for p in PARAMETERS.values()
        if p.gptgm
    }
    with GPTGM.answering() as (backend, server):
        list(backend.stream(request(parameters=checked(values))))
        sent = next(r for r in server.requests if GPTGM.question(r)).json
        assert sent["parameters"].items() >= values.items()


# Models, and giving back


@of_each
def test_models_are_reported_by_their_names(dialect: Dialect) -> None:
    with dialect.answering() as (backend, _):
        models = backend.models()
        assert all(type(model) is ModelInfo for model in models)
        assert [model.name for model in models] == ["tiny"]


@of_each
def test_a_model_is_reported_by_its_name_and_of_nobodys_choice_nothing(
    dialect: Dialect,
) -> None:
    with dialect.answering() as (backend, _):
        assert backend.model("tiny") == backend.models()[0]
        assert backend.model("another") is None
        assert backend.model() is None


@of_each
@pytest.mark.parametrize("status", [401, 403, 429])
def test_a_list_that_is_refused_is_reported_with_what_to_do(
    dialect: Dialect, status: int
) -> None:
    reply = refusal(status, f"Not you, {SECRET}.")
    with dialect.refusing(lambda _: reply) as (backend, _):
        with pytest.raises(StatusError, match=r"Not you, \*\*\*") as caught:
            backend.models()
        assert caught.value.status == status
        assert isinstance(caught.value, RateLimitedError) == (status == 429)
        hint = "ask again" if status == 429 else "--key-env"
        assert hint in str(caught.value)
        _shows_no_secret(caught.value)


@of_each
@pytest.mark.parametrize(
    ("reply", "kind"),
    [
        (refusal(404), StatusError),
        (refusal(500), StatusError),
        (PAGE, ProtocolError),
        (document({"a": SECRET}), ProtocolError),
    ],
)
def test_a_server_without_a_list_says_so(
    dialect: Dialect, reply: Answer, kind: type[BackendError]
) -> None:
    with dialect.refusing(lambda _: reply) as (backend, _):
        if dialect.no_list_is_no_error:
            assert [m.name for m in backend.models()]
            return
        with pytest.raises(kind) as caught:
            backend.models()
        _shows_no_secret(caught.value)


@of_each
def test_a_list_that_does_not_come_is_not_waited_for_for_ever(dialect: Dialect) -> None:
    with (
        dialect.refusing(lambda _: SILENT, timeouts=IMPATIENT) as (backend, _),
        pytest.raises(TimedOutError, match="check whether the server is busy"),
    ):
        backend.models()


@of_each
@pytest.mark.parametrize("reply", [DROP, refusal(500), refusal(401), PAGE])
def test_closing_never_raises(dialect: Dialect, reply: Answer) -> None:
    with dialect.answering() as (backend, server):
        _whole(backend)
        server.script = lambda _: reply
        server.close()
        backend.close()
        backend.close()


@of_each
def test_a_backend_that_was_closed_can_be_used_again(dialect: Dialect) -> None:
    with dialect.answering() as (backend, _):
        assert _whole(backend) == "ok"
        backend.close()
        assert _whole(backend) == "ok"
