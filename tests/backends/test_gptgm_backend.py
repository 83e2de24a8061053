"""A conversation on the server for each question, and what may go wrong with it."""

from __future__ import annotations

import signal
import threading
import time
import uuid
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager, suppress
from typing import Any

import pytest

from h2o_magic.backends.base import Backend, ChatRequest
from h2o_magic.backends.gptgm import GptGmBackend
from h2o_magic.backends.http import Endpoint, Timeouts
from h2o_magic.backends.retry import RetryPolicy
from h2o_magic.chat.events import Event, Finished, Source, TextDelta, Usage
from h2o_magic.chat.messages import Message, assistant, system, user
from h2o_magic.config.parameters import resolve
from h2o_magic.errors import (
    BackendError,
    ConfigurationError,
    ConnectionFailedError,
    IncompleteAnswerError,
    MessagesError,
    ProtocolError,
    RateLimitedError,
    StatusError,
    TimedOutError,
)
from tests.backends.scripted import (
    DROP,
    Answer,
    GptGmScript,
    Request,
    ScriptedServer,
    answer,
    document,
    events,
    final,
    recorded,
    serving,
    token,
)

IDS = [
    "6b0325b8a8e89309e9596fd6",
    "6b0325b8a8e89309e9596fd7",
    "6b0325b8a8e89309e9596fd8",
]
QUICK = RetryPolicy(tries=3, wait=0.001)
SILENT = Answer(b"", end="hold")  # takes the request, and says nothing


def says(text: str) -> Answer:
    return events(token(text), final(text))


def slow(*texts: str) -> Answer:
    return events(*map(token, texts), end="hold")


def created(index: int, **more: Any) -> Answer:
    return document({"conversationId": IDS[index], **more})


@contextmanager
def chatting(
    *generate: Answer, create: tuple[Answer, ...] = (), **kwargs: Any
) -> Iterator[tuple[GptGmBackend, ScriptedServer, GptGmScript]]:
    script = GptGmScript(*generate).then("create", *create)
    kwargs.setdefault("retry", QUICK)
    with serving(script) as server, closing(GptGmBackend(server.url, **kwargs)) as b:
        yield b, server, script


def request(*messages: Message, **kwargs: Any) -> ChatRequest:
    return ChatRequest("falcon-40b", messages, **kwargs)


def ask(backend: GptGmBackend, *messages: Message, **kwargs: Any) -> str:
    *_, last = backend.stream(request(*messages, **kwargs))
    assert isinstance(last, Finished)
    return last.text


def steps(server: ScriptedServer) -> list[str]:
    return [GptGmScript.step(r) for r in server.requests]


def posts(server: ScriptedServer) -> list[Request]:
    return [r for r in server.requests if GptGmScript.step(r) == "generate"]


def eventually(condition: Callable[[], object]) -> None:
    deadline = time.monotonic() + 10
    while not condition():
        assert time.monotonic() < deadline
        time.sleep(0.001)


FIRST = (user("One?"),)
SECOND = (*FIRST, assistant("1"), user("Two?"))
OPENING = ["page", "settings"]
ONE = ["create", "generate", "delete"]
STOPPED = ["create", "generate", "stop", "delete"]


# --- the conversation on the server


def test_it_is_a_backend() -> None:
    backend: Backend = GptGmBackend("http://127.0.0.1:1/chat/")
    assert backend.url == "http://127.0.0.1:1/chat"


def test_a_question_is_asked_in_a_conversation_of_its_own() -> None:
    with chatting(says("1")) as (backend, server, _):
        assert ask(backend, *FIRST) == "1"
        _, settings, create, generate, delete = server.requests
        assert settings.form == {
            "ethicsModalAccepted": ["true"],
            "activeModel": ["h2oai/h2ogpt-gm-oasst1-en-2048-falcon-40b-v1"],
        }
        assert create.json == {
            "model": "h2oai/h2ogpt-gm-oasst1-en-2048-falcon-40b-v1",
            "messages": [],
        }
        assert generate.path == f"/conversation/{IDS[0]}"
        assert generate.json["inputs"] == "One?"
        assert generate.json["stream"] is True
        assert f"{delete.method} {delete.path}" == f"DELETE /conversation/{IDS[0]}"
        for later in (create, generate, delete):
            assert "cookie" in later.headers


def test_every_question_has_the_whole_context_and_the_terms_are_accepted_once() -> None:
    create = (created(0), created(1), created(2))
    with chatting(says("1"), says("2"), create=create) as (backend, server, _):
        for messages in (FIRST, SECOND, FIRST):
            ask(backend, *messages)
        assert steps(server) == [*OPENING, *ONE * 3]
        assert [r.path[-24:] for r in posts(server)] == IDS
        deleted = [r.path[-24:] for r in server.requests if r.method == "DELETE"]
        assert deleted == IDS
        first, second, third = (r.json["inputs"] for r in posts(server))
        assert first == third == "One?"
        assert second.endswith("\nuser: One?\nassistant: 1\nuser: Two?\nassistant:")


def test_a_history_that_is_acknowledged_is_not_packed() -> None:
    with chatting(create=(created(0, messages=2),)) as (backend, server, _):
        ask(backend, *SECOND)
        given = server.asked("POST /conversation")[0].json["messages"]
        assert [m["content"] for m in given] == ["One?", "1"]
        assert posts(server)[0].json["inputs"] == "Two?"


@pytest.mark.parametrize("acknowledged", [None, 1, "2", True, [1, 2]])
def test_a_history_that_is_not_acknowledged_is_packed(acknowledged: Any) -> None:
    reply = {} if acknowledged is None else {"messages": acknowledged}
    with chatting(says("2"), create=(created(0, **reply),)) as (backend, server, _):
        ask(backend, *SECOND)
        (sent,) = posts(server)
        assert sent.json["inputs"].endswith(
            "\nuser: One?\nassistant: 1\nuser: Two?\nassistant:"
        )
        assert sent.json["inputs"].startswith("This is a conversation")


def test_a_system_text_is_a_message_where_the_server_takes_messages() -> None:
    with chatting(create=(created(0, messages=1),)) as (backend, server, _):
        ask(backend, system("Be short."), user("One?"))
        assert server.asked("POST /conversation")[0].json["messages"] == [
            {"role": "system", "content": "Be short."}
        ]
        assert posts(server)[0].json["inputs"] == "One?"


def test_a_system_text_is_put_before_a_single_question_elsewhere() -> None:
    with chatting(says("1"), says("2")) as (backend, server, _):
        ask(backend, system("Be short."), *FIRST)
        ask(backend, system("Be short."), *SECOND)
        first, second = (r.json["inputs"] for r in posts(server))
        assert first == "Be short.\n\nOne?"
        assert "\nsystem: Be short.\nuser: One?\n" in second


def test_the_caller_keeps_its_messages() -> None:
    with chatting() as (backend, _, _):
        messages = (system("Be short."), *SECOND)
        ask(backend, *messages)
        assert messages == (system("Be short."), *SECOND)


def test_the_body_has_parameters_details_and_fresh_ids() -> None:
    with chatting(says("1"), says("2")) as (backend, server, _):
        given = {"temperature": 0.7, "stop": ("END", "###")}
        ask(backend, *FIRST, parameters=given)
        ask(backend, *SECOND, strict=True)
        first, second = (r.json for r in posts(server))
        assert first["parameters"] == {
            **resolve(given),
            "stop": ["END", "###"],
            "details": True,
        }
        assert (
            first["parameters"].items()
            >= {"truncate": 2048, "temperature": 0.7}.items()
        )
        assert second["parameters"] == {**resolve({}), "details": True}
        assert set(first["options"]) == {
            "id",
            "response_id",
            "is_retry",
            "use_cache",
            "web_search_id",
        }
        assert second["options"]["strict"] is True
        ids = [b["options"][k] for b in (first, second) for k in ("id", "response_id")]
        assert len({uuid.UUID(i) for i in ids}) == 4


def test_source_and_usage_come_before_the_end() -> None:
    ours = {"model": "m", "weights": "w", "demo": True, "dropped_turns": 1}
    details = {"finish_reason": "length", "generated_tokens": 4, "h2o_magic": ours}
    with chatting(events(token("a"), final("a", details))) as (backend, _, _):
        assert list(backend.stream(request(*FIRST))) == [
            TextDelta("a"),
            Source("m", "w", True),
            Usage(None, 4, 1),
            Finished("a", "length"),
        ]


OURS = {"model": "llama-13b", "weights": "built-in demo weights", "demo": True}
DEMO = Source("llama-13b", "built-in demo weights", True)


def test_what_answers_is_reported_before_the_first_text() -> None:
    create = created(0, messages=0, h2o_magic=OURS)
    with chatting(says("1"), create=(create,)) as (backend, _, _):
        heard = list(backend.stream(request(*FIRST)))
        assert heard == [DEMO, TextDelta("1"), Finished("1")]


def test_what_answers_is_reported_before_an_answer_that_does_not_come() -> None:
    for broken in (events(end="cut"), recorded("error-validation-422")):
        with chatting(broken, create=(created(0, h2o_magic=OURS),)) as (backend, _, _):
            stream = backend.stream(request(*FIRST))
            assert next(stream) == DEMO
            with pytest.raises(BackendError):
                next(stream)


def test_a_server_can_be_asked_again_after_it_said_what_answers() -> None:
    busy = recorded("error-overloaded-429")
    create = (created(0, h2o_magic=OURS),)
    with chatting(busy, says("1"), create=create) as (backend, _, _):
        heard = [*backend.stream(request(*FIRST))]
        assert heard[0] == DEMO
        assert heard[-1] == Finished("1")


@pytest.mark.parametrize("ours", [None, 7, [], {}, {"model": 7, "demo": True}])
def test_a_server_that_does_not_say_what_answers_is_no_error(ours: Any) -> None:
    with chatting(says("1"), create=(created(0, h2o_magic=ours),)) as (backend, _, _):
        heard = list(backend.stream(request(*FIRST)))
        assert heard == [TextDelta("1"), Finished("1")]


def test_sharing_is_off_unless_asked_for() -> None:
    name = "shareConversationsWithModelAuthors"
    for share in (False, True):
        with chatting(share=share) as (backend, server, _):
            ask(backend, *FIRST)
            (settings,) = server.asked("POST /settings")
            assert settings.form.get(name) == (["true"] if share else None)


# --- the end of the body


def test_the_end_is_reported_only_after_the_end_of_the_body() -> None:
    gate = threading.Event()
    late = answer(
        [b'data:{"generated_text":"1"}\n\n', b":\n\n"],
        content_type="text/event-stream",
        gates={1: gate},
    )
    with chatting(late) as (backend, _, _):
        stream = backend.stream(request(*FIRST))
        assert next(stream) == TextDelta("1")
        threading.Timer(0.05, gate.set).start()
        assert next(stream) == Finished("1")
        assert gate.is_set()


@pytest.mark.parametrize(
    ("reply", "after"),
    [
        (events(token("1"), final("1"), end="cut"), ONE),
        (recorded("error-validation-422"), ONE),
        (recorded("error-validation-in-stream"), ONE),
        (recorded("error-midway"), ONE),
        (recorded("end-cut"), STOPPED),
        (answer(b"<html>", content_type="text/html"), ONE),
    ],
)
def test_the_conversation_is_deleted_however_the_answer_ends(
    reply: Answer, after: list[str]
) -> None:
    with chatting(reply) as (backend, server, _):
        with suppress(BackendError):
            ask(backend, *FIRST)
        assert steps(server) == [*OPENING, *after]


@pytest.mark.parametrize("reply", [DROP, recorded("delete-again"), SILENT])
def test_a_conversation_that_cannot_be_deleted_is_no_failure(
    reply: Answer, monkeypatch: pytest.MonkeyPatch
) -> None:
    hasty = Timeouts(first_byte=0.1, overall=0.1)
    monkeypatch.setattr("h2o_magic.backends.gptgm.api.QUICK", hasty)
    with chatting(says("1"), says("2")) as (backend, _, script):
        script.usual["delete"] = reply
        assert ask(backend, *FIRST) == "1"
        assert ask(backend, *FIRST) == "2"


@pytest.mark.parametrize("reply", [DROP, recorded("stop-unknown"), SILENT])
def test_a_server_that_does_not_answer_a_stop_is_not_asked_to_delete(
    reply: Answer, monkeypatch: pytest.MonkeyPatch
) -> None:
    hasty = Timeouts(first_byte=0.1, overall=0.1)
    monkeypatch.setattr("h2o_magic.backends.gptgm.api.QUICK", hasty)
    with chatting(slow("a")) as (backend, server, script):
        script.usual["stop"] = reply
        stream = backend.stream(request(*FIRST))
        next(stream)
        stream.close()
        answered = reply not in (DROP, SILENT)
        assert steps(server)[-1] == ("delete" if answered else "stop")


def test_nothing_is_asked_again_after_the_first_token() -> None:
    for broken in (
        events(
            token("1"), {"error": "Model is overloaded", "error_type": "overloaded"}
        ),
        events(token("1"), {"error": "x", "error_type": "generation"}),
        events(token("1"), end="cut"),
    ):
        with chatting(broken) as (backend, server, _):
            with pytest.raises(BackendError) as caught:
                ask(backend, *FIRST)
            assert caught.value.partial == "1"
            assert steps(server).count("generate") == 1


# --- repairs


def test_terms_that_the_server_has_forgotten_are_accepted_again_once() -> None:
    forgotten = recorded("conversation-before-terms")
    with chatting(says("1"), says("2")) as (backend, server, script):
        ask(backend, *FIRST)
        script.then("create", forgotten)
        del server.requests[:]
        assert ask(backend, *SECOND) == "2"
        assert steps(server) == ["create", "settings", *ONE]
        script.then("create", forgotten, forgotten)
        with pytest.raises(StatusError, match="does not keep its sessions"):
            ask(backend, *FIRST)


def test_a_lost_conversation_is_an_error() -> None:
    with chatting(recorded("generate-unknown-conversation")) as (backend, server, _):
        with pytest.raises(StatusError, match="does not keep its conversations"):
            ask(backend, *FIRST)
        assert steps(server) == [*OPENING, *ONE]


def test_a_busy_server_is_asked_a_few_times_in_a_new_conversation_each() -> None:
    busy = recorded("error-overloaded-429")
    with chatting(busy, busy, says("1")) as (backend, server, _):
        assert ask(backend, *FIRST) == "1"
        assert steps(server) == [*OPENING, *ONE * 3]
    with chatting(*[busy] * 3, says("1")) as (backend, server, _):
        with pytest.raises(RateLimitedError):
            ask(backend, *FIRST)
        assert steps(server).count("generate") == 3


def test_a_loading_model_is_waited_for() -> None:
    with chatting(recorded("error-loading-503"), says("1")) as (backend, server, _):
        assert ask(backend, *FIRST) == "1"
        first, second = (r.json["options"] for r in posts(server))
        assert "wait_for_model" not in first
        assert second["wait_for_model"] is True


@pytest.mark.parametrize(("seconds", "tries"), [("0", 2), ("3000", 1)])
def test_a_wish_to_wait_is_granted_if_it_is_short(seconds: str, tries: int) -> None:
    headers = {"Retry-After": seconds}
    busy = document({"error": "Slow down"}, status=429, headers=headers)
    with chatting(busy, says("1")) as (backend, server, _):
        if tries == 2:
            assert ask(backend, *FIRST) == "1"
        else:
            with pytest.raises(RateLimitedError, match="ask again in 3000 s"):
                ask(backend, *FIRST)
        assert steps(server).count("generate") == tries


def test_a_server_behind_plain_http_gets_the_referer_it_wants() -> None:
    script = GptGmScript().then("settings", recorded("no-origin-http-referer"))
    with serving(script) as server, closing(GptGmBackend(server.url)) as backend:
        ask(backend, *FIRST)
        sent = [request.headers["referer"][:5] for request in server.requests]
        assert sent == ["http:", "http:", *["https"] * 4]
        assert server.requests[-1].headers["origin"].startswith("https:")
        assert "cookie" in server.requests[-1].headers


# --- a server that moves


def test_the_connection_is_asked_for_every_answer_and_a_move_is_followed() -> None:
    with serving(GptGmScript(says("1"))) as one:
        new = GptGmScript(says("2")).then("create", created(1, messages=2))
        with serving(new) as two:
            places = [Endpoint(one.url, "t1"), Endpoint(two.url, "t2")]
            backend = GptGmBackend(connection=lambda: places[0])
            ask(backend, *FIRST)
            assert backend.url == one.url
            del places[0]
            assert ask(backend, *SECOND) == "2"
            assert backend.url == two.url
            assert two.requests[-1].headers["authorization"] == "Bearer t2"
            assert (
                two.asked("POST /conversation")[0].json["messages"][0]["content"]
                == "One?"
            )
            assert "cookie" not in two.requests[0].headers
            backend.close()


def test_a_server_that_died_is_looked_for_once_more() -> None:
    with serving(GptGmScript(says("1"))) as one:
        url = one.url
    with serving(GptGmScript(says("2")).then("create", created(1, messages=2))) as two:
        places = [Endpoint(url), Endpoint(two.url)]
        asked = []

        def connection() -> Endpoint:
            asked.append(1)
            return places.pop(0) if len(places) > 1 else places[0]

        with closing(GptGmBackend(connection=connection)) as backend:
            assert ask(backend, *SECOND) == "2"
        assert len(asked) == 2


def test_nobody_there_is_an_error_that_says_what_to_do() -> None:
    with serving(GptGmScript()) as server:
        url = server.url
    with pytest.raises(ConnectionFailedError, match=r"refused.*check that a server"):
        ask(GptGmBackend(url), *FIRST)


@pytest.mark.parametrize(
    "error",
    [
        ConfigurationError("no server installed"),
        ConnectionFailedError("the local server ended at once"),
        TimedOutError("the local server sleeps"),
        OSError("no file"),
    ],
    ids=lambda error: type(error).__name__,
)
def test_the_errors_of_the_connection_pass_through_as_they_are(
    error: Exception,
) -> None:
    asked = []

    def connection() -> Endpoint:
        asked.append(1)
        raise error

    with pytest.raises(type(error)) as caught:
        ask(GptGmBackend(connection=connection), *FIRST)
    assert caught.value is error
    assert asked == [1]


def test_a_server_that_died_for_good_is_reported_in_its_own_words() -> None:
    failure = ConnectionFailedError("the local server ended at once")
    with serving(lambda _: DROP) as dead:
        asked = []

        def connection() -> Endpoint:
            asked.append(1)
            if len(asked) > 1:
                raise failure
            return Endpoint(dead.url)

        with pytest.raises(ConnectionFailedError) as caught:
            ask(GptGmBackend(connection=connection), *FIRST)
    assert caught.value is failure
    assert len(asked) == 2


@pytest.mark.parametrize(
    "given",
    [
        {},
        {"url": "http://h", "connection": lambda: Endpoint("http://h")},
        {"connection": lambda: Endpoint("http://h"), "token": "t"},
        {"url": "h"},
        {"url": ""},
        {"url": "http://h", "token": "a\nb"},
        {"url": "http://h", "token": 7},
        {"url": 7},
        {"url": 0, "token": "t"},
        {"connection": "http://h"},
    ],
)
def test_an_address_is_checked_before_anything_is_sent(given: dict[str, Any]) -> None:
    with pytest.raises(ConfigurationError):
        GptGmBackend(**given)


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("share", "false"),
        ("share", 1),
        ("share", None),
        ("timeouts", 5),
        ("timeouts", None),
        ("retry", 3),
    ],
)
def test_an_argument_of_another_type_is_refused_at_once(name: str, value: Any) -> None:
    with pytest.raises(ConfigurationError, match=f"`{name}` must be a"):
        GptGmBackend("http://127.0.0.1:1", **{name: value})


# --- leaving an answer


def test_closing_an_answer_stops_the_server_and_deletes_the_conversation() -> None:
    with chatting(slow("a"), says("1")) as (backend, server, _):
        stream = backend.stream(request(*FIRST))
        assert next(stream) == TextDelta("a")
        stream.close()
        assert steps(server) == [*OPENING, *STOPPED]
        assert list(stream) == []
        assert ask(backend, *FIRST) == "1"


def test_closing_before_anything_was_asked_sends_no_stop() -> None:
    with chatting(create=(created(0, h2o_magic=OURS),)) as (backend, server, _):
        stream = backend.stream(request(*FIRST))
        assert next(stream) == DEMO
        stream.close()
        assert steps(server) == [*OPENING, "create", "delete"]


def test_closing_a_finished_answer_stops_nothing() -> None:
    with chatting(says("1")) as (backend, server, _):
        stream = backend.stream(request(*FIRST))
        for event in stream:
            if isinstance(event, Finished):
                break
        stream.close()
        assert steps(server) == [*OPENING, *ONE]


def test_dropping_an_answer_stops_the_server() -> None:
    with chatting(slow("a")) as (backend, server, _):
        stream = backend.stream(request(*FIRST))
        next(stream)
        del stream
        assert server.left.acquire(timeout=60)
        assert steps(server)[-2:] == ["stop", "delete"]


def test_an_answer_never_begun_sends_nothing() -> None:
    with chatting() as (backend, server, _):
        backend.stream(request(*FIRST)).close()
        assert server.requests == []
        assert ask(backend, *FIRST)


@pytest.mark.parametrize("where", ["create", "generate", "first token", "second token"])
def test_another_thread_can_close_an_answer_that_is_waited_for(
    where: str,
) -> None:
    silent = {"first token": events(b":\n\n", end="hold"), "second token": slow("a")}
    with chatting(says("1")) as (backend, server, script):
        step = where if where in ("create", "generate") else "generate"
        script.queues[step] = [silent.get(where, Answer(b"", (), "hold"))]
        stream = backend.stream(request(*FIRST))
        got: list[Event] = []
        thread = threading.Thread(target=lambda: got.extend(stream))
        thread.start()
        eventually(lambda: step in steps(server))
        if where == "second token":
            eventually(lambda: got)
        stream.close()
        thread.join(timeout=60)
        assert not thread.is_alive()
        assert got == ([TextDelta("a")] if where == "second token" else [])
        assert server.left.acquire(timeout=60)
        assert ("stop" in steps(server)) == (step == "generate")
        script.queues.clear()
        assert ask(backend, *FIRST)


def test_closing_ends_a_pause_between_two_tries() -> None:
    busy = recorded("error-overloaded-429")
    with chatting(busy, retry=RetryPolicy(wait=100, longest_wait=200)) as (
        b,
        server,
        _,
    ):
        stream = b.stream(request(*FIRST))
        thread = threading.Thread(target=lambda: list(stream))
        thread.start()
        eventually(lambda: "generate" in steps(server))
        stream.close()
        thread.join(timeout=60)
        assert not thread.is_alive()


@pytest.mark.parametrize("where", ["head", "first token", "second token"])
def test_an_interrupt_while_waiting_stops_the_server(where: str) -> None:
    silent = {"head": Answer(b"", (), "hold"), "first token": events(end="hold")}

    def interrupt(*_: object) -> None:
        raise KeyboardInterrupt

    old = signal.signal(signal.SIGALRM, interrupt)
    try:
        with chatting(silent.get(where, slow("a")), says("1")) as (backend, server, _):
            stream = backend.stream(request(*FIRST))
            if where == "second token":
                assert next(stream) == TextDelta("a")
            signal.setitimer(signal.ITIMER_REAL, 0.2)
            with pytest.raises(KeyboardInterrupt):
                next(stream)
            stream.close()
            assert steps(server)[-2:] == ["stop", "delete"]
            assert server.left.acquire(timeout=60)
            assert ask(backend, *FIRST) == "1"
    finally:
        signal.signal(signal.SIGALRM, old)


def test_a_stall_keeps_the_text_and_stops_the_server() -> None:
    with chatting(slow("a"), timeouts=Timeouts(idle=0.05)) as (backend, server, _):
        with pytest.raises(TimedOutError) as caught:
            ask(backend, *FIRST)
        assert caught.value.partial == "a"
        assert steps(server)[-2:] == ["stop", "delete"]


# --- what servers and users get wrong


@pytest.mark.parametrize(
    "reply",
    [
        {},
        {"conversationId": 7},
        {"conversationId": None},
        [],
        None,
        "x",
        {"id": IDS[0]},
    ],
)
def test_a_conversation_without_an_id_is_an_error(reply: Any) -> None:
    with chatting(create=(document(reply),)) as (backend, server, _):
        with pytest.raises(ProtocolError, match="expected a conversationId, got"):
            ask(backend, *FIRST)
        assert "generate" not in steps(server)


@pytest.mark.parametrize("bad", ["../settings", "a/b", "", "a b", "x" * 200, "é"])
def test_an_id_that_could_lead_elsewhere_is_refused(bad: str) -> None:
    with chatting(create=(document({"conversationId": bad}),)) as (backend, server, _):
        with pytest.raises(ProtocolError):
            ask(backend, *FIRST)
        assert "generate" not in steps(server)


def test_an_unusual_id_is_used_with_a_warning() -> None:
    with chatting(create=(document({"conversationId": "abc-1"}),)) as (backend, s, _):
        with pytest.warns(UserWarning, match="unusual conversation id 'abc-1'"):
            ask(backend, *FIRST)
        assert "POST /conversation/abc-1" in s.calls()


@pytest.mark.parametrize(
    "reply", [{"type": "failure"}, {"type": "error", "error": {}}, [], "ok", None]
)
def test_terms_count_as_accepted_only_when_the_server_says_so(reply: Any) -> None:
    with chatting() as (backend, server, script):
        script.usual["settings"] = document(reply)
        with pytest.raises(ProtocolError, match="not accepted"):
            ask(backend, *FIRST)
        assert steps(server) == OPENING


def test_a_web_page_instead_of_an_answer_is_reported_by_its_title() -> None:
    page = answer(b"<html><title>Log in</title>", content_type="text/html")
    with (
        chatting(page) as (backend, _, _),
        pytest.raises(ProtocolError, match="'Log in'"),
    ):
        ask(backend, *FIRST)


@pytest.mark.parametrize("status", [204, 202])
def test_a_success_without_an_answer_is_an_error(status: int) -> None:
    empty = answer(b"", status=status, chunked=False)
    with chatting(empty) as (backend, _, _), pytest.raises(StatusError):
        ask(backend, *FIRST)


def test_an_empty_body_is_an_incomplete_answer() -> None:
    with (
        chatting(answer(b"", chunked=False)) as (backend, _, _),
        pytest.raises(IncompleteAnswerError),
    ):
        ask(backend, *FIRST)


@pytest.mark.parametrize(
    "kind", ["TEXT/Event-Stream; charset=iso-8859-1", "text/plain", "text/html", None]
)
def test_any_content_type_will_do_and_the_text_is_utf8(kind: str | None) -> None:
    body = 'data:{"generated_text":"é日"}\n\n'.encode()
    with chatting(answer(body, content_type=kind)) as (backend, _, _):
        assert ask(backend, *FIRST) == "é日"


@pytest.mark.parametrize(
    "messages", [(), (assistant("a"),), (user(" \n"),), (user("a"), assistant("b"))]
)
def test_messages_without_a_question_are_refused_at_once(
    messages: tuple[Message, ...],
) -> None:
    with pytest.raises(MessagesError):
        GptGmBackend("http://127.0.0.1:1").stream(request(*messages))


def test_a_cookie_that_changes_is_followed() -> None:
    with chatting() as (backend, server, script):
        headers = {"Set-Cookie": "hf-chat=new; Path=/; Secure"}
        script.then("create", document({"conversationId": IDS[0]}, headers=headers))
        ask(backend, *FIRST)
        *_, create, generate, _ = server.requests
        assert create.headers["cookie"] != "hf-chat=new"
        assert generate.headers["cookie"] == "hf-chat=new"


def test_a_server_without_cookies_is_used_without() -> None:
    with chatting(says("1")) as (backend, server, script):
        script.usual["page"] = document({})
        script.usual["settings"] = document({"type": "redirect"})
        script.usual["create"] = document({"conversationId": IDS[0]})
        script.usual["delete"] = document({})
        ask(backend, *FIRST)
        assert not any("cookie" in r.headers for r in server.requests)


# --- what the user reads


def told(*generate: Answer, create: tuple[Answer, ...] = (), **kwargs: Any) -> str:
    with chatting(*generate, create=create) as (backend, _, _):
        with pytest.raises(BackendError) as caught:
            ask(backend, *FIRST, **kwargs)
        return str(caught.value)


STRICT = (
    "llama-13b has no weights on this machine: run `%h2o pull llama-13b`, or ask "
    "without --strict"
)


def test_a_model_is_suspected_only_where_it_was_named() -> None:
    failed = document({"message": "Internal Error"}, status=500)
    assert told(create=(failed,)).endswith(
        "HTTP 500: Internal Error: it may not have the model "
        "'h2oai/h2ogpt-gm-oasst1-en-2048-falcon-40b-v1'; see what it offers"
    )
    every = told(failed, failed, failed)
    assert every.endswith(f"/conversation/{IDS[0]}: HTTP 500: Internal Error")
    other = document({"message": "E11000 duplicate key"}, status=500)
    assert told(create=(other,)).endswith("HTTP 500: E11000 duplicate key")


def test_a_refusal_is_reported_in_the_servers_words_alone() -> None:
    refused = document({"error": STRICT, "error_type": "weights_missing"}, status=422)
    assert told(refused, strict=True) == STRICT
    assert told(recorded("error-validation-422")).startswith("Input validation error: ")


@pytest.mark.parametrize("case", ["end-cut", "end-without-final"])
def test_an_answer_that_breaks_off_says_what_to_do(case: str) -> None:
    words = told(recorded(case))
    assert words.endswith(": ask again")
    assert "POST" not in words
