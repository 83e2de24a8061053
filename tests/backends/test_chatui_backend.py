"""One chat-ui conversation for each chat: its tree, what is lost, what is stopped."""

from __future__ import annotations

import signal
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager
from dataclasses import replace
from typing import Any

import pytest

from h2o_magic.backends import Backend, ChatRequest, ModelInfo
from h2o_magic.backends.chatui import ChatUIBackend
from h2o_magic.backends.patience import Patience
from h2o_magic.errors import (
    BackendError,
    ConfigurationError,
    ConnectionFailedError,
    GenerationError,
    H2OMagicError,
    IncompleteAnswerError,
    MessagesError,
    MisuseError,
    ParameterError,
    ProtocolError,
    RateLimitedError,
    StatusError,
    TimedOutError,
)
from h2o_magic.events import Event, Finished, Replaced, TextDelta
from h2o_magic.messages import Message, assistant, system, user
from h2o_magic.notebook import Session
from h2o_magic.transport import Timeouts
from tests.backends.chatui_server import (
    ALIVE,
    BAD,
    FINISHED,
    LOST,
    PAGE,
    STARTED,
    ChatUIScript,
    Dialogue,
    failed,
    final,
    lines,
    question,
    says,
    step,
    token,
)
from tests.backends.scripted import (
    DROP,
    Answer,
    Request,
    ScriptedServer,
    answer,
    document,
    serving,
)

QUICK = Patience(tries=3, wait=0.001)
ROOT = ("system", "")


@contextmanager
def chatting(
    script: ChatUIScript | None = None, *generate: Answer, **kwargs: Any
) -> Iterator[tuple[ChatUIBackend, ScriptedServer, ChatUIScript]]:
    script = script or ChatUIScript()
    script.then("generate", *generate)
    kwargs.setdefault("patience", QUICK)
    with serving(script) as server, closing(ChatUIBackend(server.url, **kwargs)) as b:
        yield b, server, script


def request(*messages: Message, chat: str = "chat", **kwargs: Any) -> ChatRequest:
    return ChatRequest(chat, kwargs.pop("model", "tiny-llama"), messages, **kwargs)


def ask(backend: ChatUIBackend, *messages: Message, **kwargs: Any) -> str:
    *_, last = backend.stream(request(*messages, **kwargs))
    assert isinstance(last, Finished)
    return last.text


def steps(server: ScriptedServer) -> list[str]:
    return [step(r) for r in server.requests]


def posts(server: ScriptedServer) -> list[Request]:
    return [r for r in server.requests if step(r) == "generate"]


def eventually(condition: Callable[[], object]) -> None:
    deadline = time.monotonic() + 10
    while not condition():
        assert time.monotonic() < deadline
        time.sleep(0.001)


FIRST = (user("One?"),)
SECOND = (*FIRST, assistant("1"), user("Two?"))
THIRD = (*SECOND, assistant("2"), user("Three?"))


# --- the conversation on the server


def test_it_is_a_backend() -> None:
    backend: Backend = ChatUIBackend("http://127.0.0.1:1/chat/")
    assert backend.url == "http://127.0.0.1:1/chat"
    assert ChatUIBackend.dialect == "chat-ui"
    assert backend.count_tokens("m", FIRST) is None


def test_the_first_question_goes_under_the_root() -> None:
    with chatting() as (backend, server, script):
        assert ask(backend, *FIRST) == "1"
        assert steps(server) == ["create", "generate"]
        create, generate = server.requests
        assert create.json == {"model": "tiny-llama"}
        (made,) = script.conversations.values()
        sent = question(generate)
        assert sent.pop("generationId")
        root = made.messages[0]["id"]
        assert sent == {"inputs": "One?", "id": root, "is_retry": False}
        assert generate.headers["accept"].startswith("application/json")
        assert "text/html" not in generate.headers["accept"]


def test_a_follow_up_goes_under_the_last_answer_and_is_sent_alone() -> None:
    with chatting() as (backend, server, script):
        assert [ask(backend, *m) for m in (FIRST, SECOND, THIRD)] == ["1", "2", "3"]
        assert steps(server).count("create") == 1
        assert steps(server)[:4] == ["create", "generate", "tree", "generate"]
        assert script.seen[-1] == [
            ROOT,
            ("user", "One?"),
            ("assistant", "1"),
            ("user", "Two?"),
            ("assistant", "2"),
            ("user", "Three?"),
        ]


def test_an_id_is_fetched_once() -> None:
    with chatting() as (backend, server, _):
        ask(backend, *FIRST)
        ask(backend, *SECOND)
        ask(backend, *FIRST, assistant("1"), user("Or?"))
        assert steps(server).count("tree") == 1


def test_an_edited_earlier_question_begins_a_branch() -> None:
    with chatting() as (backend, server, script):
        for messages in (FIRST, SECOND, THIRD):
            ask(backend, *messages)
        edited = (*FIRST, assistant("1"), user("Too?"))
        assert ask(backend, *edited) == "2"
        assert script.seen[-1] == [
            ROOT,
            ("user", "One?"),
            ("assistant", "1"),
            ("user", "Too?"),
        ]
        ask(backend, *edited, assistant("2"), user("And?"))
        assert script.seen[-1][-2:] == [("assistant", "2"), ("user", "And?")]
        assert ("user", "Too?") in script.seen[-1]
        assert ask(backend, user("Eins?")) == "1"
        assert script.seen[-1] == [ROOT, ("user", "Eins?")]
        assert ask(backend, *THIRD) == "3"  # the branch from before is still there
        assert steps(server).count("create") == 1


@pytest.mark.parametrize(
    "history",
    [
        (user("One?"), assistant("one")),
        (user("Uno?"), assistant("1")),
        (assistant("1"),),
        (user("One?"), user("1")),
    ],
)
def test_a_history_that_no_branch_is_goes_along_packed(
    history: tuple[Message, ...],
) -> None:
    with chatting() as (backend, server, script):
        ask(backend, *FIRST)
        ask(backend, *history, user("Two?"))
        (root, (role, text)) = script.seen[-1]
        assert (root, role) == (ROOT, "user")
        for message in history:
            assert f"\n{message.role}: {message.content}\n" in text
        assert text.endswith("\nuser: Two?\nassistant:")
        # ... and what comes after it is a branch again.
        ask(backend, *history, user("Two?"), assistant("1"), user("Three?"))
        assert script.seen[-1][-2:] == [("assistant", "1"), ("user", "Three?")]
        assert question(posts(server)[-1])["inputs"] == "Three?"
        assert steps(server).count("create") == 1


def test_reasoning_and_blanks_do_not_make_another_history() -> None:
    script = ChatUIScript(says=lambda _: "<think>Hm.</think> 1\n")
    with chatting(script) as (backend, _, script):
        assert ask(backend, *FIRST) == "<think>Hm.</think> 1\n"
        ask(backend, *SECOND)
        assert len(script.seen[-1]) == 4
        ask(backend, *FIRST, assistant("<think>Hm.</think>1"), user("Or?"))
        assert len(script.seen[-1]) == 4


def test_each_chat_has_a_conversation_of_its_own() -> None:
    with chatting() as (backend, server, script):
        ask(backend, *FIRST, chat="a")
        ask(backend, *FIRST, chat="b")
        ask(backend, *SECOND, chat="a")
        paths = [r.path for r in posts(server)]
        assert paths[0] == paths[2] != paths[1]
        assert len(script.conversations) == 2


def test_a_system_text_is_the_preprompt_and_another_one_another_conversation() -> None:
    with chatting() as (backend, server, script):
        ask(backend, system("Be brief."), system("Be kind."), *FIRST)
        create = server.requests[0]
        told = "Be brief.\n\nBe kind."
        assert create.json == {"model": "tiny-llama", "preprompt": told}
        assert script.seen == [[("system", told), ("user", "One?")]]
        ask(backend, *SECOND)
        assert steps(server).count("create") == 2
        assert steps(server)[-1] == "delete"
        assert script.seen[-1][0] == ROOT
        assert len(script.conversations) == 1


def test_another_model_is_asked_in_another_conversation() -> None:
    with chatting() as (backend, _, script):
        ask(backend, *FIRST)
        ask(backend, *SECOND, model="other-model")
        (made,) = script.conversations.values()
        assert made.model == "other-model"


def test_the_caller_keeps_its_messages() -> None:
    messages = [*SECOND]
    with chatting() as (backend, _, _):
        ask(backend, *messages)
    assert tuple(messages) == SECOND


@pytest.mark.parametrize(
    "text", ["one\r\ntwo\u2028\n", 'é "q" \\ 日本 👋\x00--', "🤷\ud83d"]
)
def test_any_text_is_sent_as_it_is(text: str) -> None:
    with chatting() as (backend, server, script):
        ask(backend, user(text))
        whole = text.replace("\ud83d", "?")
        assert question(posts(server)[0])["inputs"] == whole
        ask(backend, user(text), assistant("1"), user("Two?"))
        assert len(script.seen[-1]) == 4


# --- servers of another age


def test_a_server_that_does_not_tell_the_root_is_asked_for_it() -> None:
    with chatting(ChatUIScript(tells_root=False)) as (backend, server, _):
        assert [ask(backend, *m) for m in (FIRST, SECOND)] == ["1", "2"]
        assert steps(server) == ["create", "tree", "generate", "tree", "generate"]


@pytest.mark.parametrize("api", ["v2", "v1"])
def test_ids_are_found_without_generations(api: str) -> None:
    script = ChatUIScript(generations=False, api=api, says=lambda _: "1")
    with chatting(script) as (backend, _, script):
        ask(backend, *FIRST)
        ask(backend, *SECOND)
        ask(backend, *FIRST, assistant("1"), user("Or?"), assistant("1"), user("So?"))
        assert ask(backend, *SECOND, assistant("1"), user("Three?")) == "1"
        assert script.seen[-1] == [
            ROOT,
            ("user", "One?"),
            ("assistant", "1"),
            ("user", "Two?"),
            ("assistant", "1"),
            ("user", "Three?"),
        ]


def test_a_server_before_june_2024_gets_plain_json_and_is_remembered() -> None:
    script = ChatUIScript(multipart=False, tells_root=False, api="v1")
    script.generations = False
    with chatting(script) as (backend, server, _):
        assert [ask(backend, *m) for m in (FIRST, SECOND)] == ["1", "2"]
        kinds = [r.headers["content-type"].partition(";")[0] for r in posts(server)]
        assert kinds == ["multipart/form-data", "application/json", "application/json"]


def test_a_failure_in_both_forms_is_told_once_as_it_first_came() -> None:
    with chatting(None, BAD, LOST) as (backend, server, _):
        with pytest.raises(StatusError, match="HTTP 500: An error occurred") as caught:
            ask(backend, *FIRST)
        assert caught.value.status == 500
        assert len(posts(server)) == 2
        assert ask(backend, *FIRST) == "1"


def test_a_server_that_took_parts_is_not_asked_in_another_form() -> None:
    with chatting() as (backend, server, script):
        ask(backend, *FIRST)
        script.then("generate", BAD, BAD)
        with pytest.raises(StatusError):
            ask(backend, *FIRST)
        kinds = {r.headers["content-type"].partition(";")[0] for r in posts(server)}
        assert kinds == {"multipart/form-data"}


def test_a_server_without_message_trees_is_an_error_that_says_so() -> None:
    script = ChatUIScript(tells_root=False).then("tree", document({"messages": []}))
    with (
        chatting(script) as (backend, _, _),
        pytest.raises(ProtocolError, match="since February 2024"),
    ):
        ask(backend, *FIRST)


# --- what is lost


@pytest.mark.parametrize("where", ["tree", "generate"])
def test_a_lost_conversation_is_made_again_from_the_record(where: str) -> None:
    with chatting() as (backend, server, script):
        ask(backend, *FIRST)
        if where == "generate":
            ask(backend, *SECOND)
        script.conversations.clear()
        ask(backend, *SECOND)
        assert steps(server).count("create") == 2
        text = script.seen[-1][1][1]
        assert "\nuser: One?\nassistant: 1\nuser: Two?\n" in text


@pytest.mark.parametrize(
    "reply",
    [
        LOST,
        BAD,
        document({"message": "Message not found"}, status=404),
        document(
            {"message": "You don't have access to this conversation."}, status=403
        ),
        document(
            {"message": "This conversation has more than 6 messages. Start a new one"},
            status=429,
        ),
    ],
)
def test_a_conversation_that_takes_no_question_is_made_again_once(
    reply: Answer,
) -> None:
    with chatting() as (backend, server, script):
        ask(backend, *FIRST)
        script.then("generate", reply)
        assert ask(backend, *SECOND) == "1"
        assert steps(server).count("create") == 2
        script.then("generate", *[reply] * 5)
        with pytest.raises(StatusError):
            ask(backend, *SECOND)
        assert steps(server).count("create") == 3


def test_a_session_that_is_lost_is_begun_again() -> None:
    with chatting() as (backend, server, script):
        ask(backend, *FIRST)
        for made in script.conversations.values():
            made.session = "of somebody else"
        assert ask(backend, *SECOND) == "1"
        assert ask(backend, *THIRD[:2], user("Two?"), assistant("1"), user("3?"))
        assert steps(server).count("create") == 2


def test_an_answer_that_the_server_did_not_keep_is_packed() -> None:
    with chatting() as (backend, server, script):
        ask(backend, *FIRST)
        (made,) = script.conversations.values()
        del made.messages[1:]
        for _ in range(2):
            ask(backend, *SECOND)
            assert "\nassistant: 1\nuser: Two?\n" in script.seen[-1][1][1]
        assert steps(server).count("tree") == 1
        assert steps(server).count("create") == 1


@pytest.mark.parametrize("reply", [PAGE, document([]), answer(b"<html>")])
def test_a_tree_that_is_not_shown_is_done_without(reply: Answer) -> None:
    with chatting() as (backend, _, script):
        ask(backend, *FIRST)
        script.then("tree", reply).then("old tree", reply)
        ask(backend, *SECOND)
        assert "\nassistant: 1\nuser: Two?\n" in script.seen[-1][1][1]


def test_the_limit_of_conversations_is_met_by_deleting_ones_own() -> None:
    full = document(
        {"message": "You have reached the maximum number of conversations. Delete"},
        status=429,
    )
    with chatting() as (backend, server, script):
        ask(backend, *FIRST)
        script.then("create", full)
        assert ask(backend, system("Be brief."), *FIRST) == "1"
        assert steps(server)[2:] == ["create", "delete", "create", "generate"]
        script.then("create", full)
        with pytest.raises(RateLimitedError, match="see them on the server's page"):
            ask(backend, *FIRST, chat="another")


def test_an_answer_that_fails_leaves_the_tree_as_it_is() -> None:
    with chatting() as (backend, server, script):
        ask(backend, *FIRST)
        script.then("generate", lines(STARTED, token("a"), failed("boom")))
        with pytest.raises(GenerationError, match="boom") as caught:
            ask(backend, *SECOND)
        assert caught.value.partial == "a"
        assert ask(backend, *SECOND) == "2"
        assert steps(server).count("create") == 1
        assert "stop" not in steps(server)


def test_nothing_is_asked_again_after_the_first_token() -> None:
    cut = lines(STARTED, token("a"), end="cut")
    with chatting(None, cut) as (backend, server, _):
        with pytest.raises(IncompleteAnswerError, match="broke off") as caught:
            ask(backend, *FIRST)
        assert caught.value.partial == "a"
        assert steps(server) == ["create", "generate", "stop"]


def test_an_end_without_the_final_update_is_no_answer() -> None:
    with chatting(None, lines(STARTED, token("a"), FINISHED)) as (backend, server, _):
        with pytest.raises(IncompleteAnswerError, match="final update") as caught:
            ask(backend, *FIRST)
        assert caught.value.partial == "a"
        assert "stop" not in steps(server)  # the server has ended it


def test_a_cut_after_the_final_update_is_an_answer() -> None:
    reply = lines(STARTED, token("a"), final("a"), end="cut")
    with chatting(None, reply) as (backend, server, _):
        assert ask(backend, *FIRST) == "a"
        assert steps(server) == ["create", "generate"]


def test_a_connection_that_is_lost_before_the_answer_is_tried_once_more() -> None:
    with chatting(None, DROP) as (backend, server, _):
        assert ask(backend, *FIRST) == "1"
        assert len(posts(server)) == 2


def test_nobody_there_is_an_error_that_says_what_to_do() -> None:
    backend = ChatUIBackend("http://127.0.0.1:1")
    with pytest.raises(ConnectionFailedError, match="check that a server runs"):
        ask(backend, *FIRST)
    with pytest.raises(ConnectionFailedError, match="check that a server runs"):
        backend.models()


# --- limits


def test_a_rate_limit_is_not_hammered() -> None:
    limit = document({"message": "You are sending too many messages."}, status=429)
    with chatting(None, limit, limit) as (backend, server, _):
        with pytest.raises(RateLimitedError, match="ask again in 60 s, not before"):
            ask(backend, *FIRST)
        assert len(posts(server)) == 1


@pytest.mark.parametrize(("seconds", "tries"), [("0", 2), ("100", 1)])
def test_a_wish_to_wait_is_granted_if_it_is_short(seconds: str, tries: int) -> None:
    limit = document({}, status=429, headers={"Retry-After": seconds})
    with chatting(None, limit) as (backend, server, _):
        if tries == 1:
            with pytest.raises(RateLimitedError, match=f"ask again in {seconds} s"):
                ask(backend, *FIRST)
        else:
            assert ask(backend, *FIRST) == "1"
        assert len(posts(server)) == tries


def test_a_busy_server_is_asked_a_few_times() -> None:
    busy = answer(b"<h1>502 Bad Gateway</h1>", status=502, content_type="text/html")
    with chatting(None, *[busy] * 9) as (backend, server, _):
        with pytest.raises(StatusError, match="502 Bad Gateway: the server behind it"):
            ask(backend, *FIRST)
        assert len(posts(server)) == QUICK.tries


def test_signs_of_life_alone_are_not_waited_for_for_ever() -> None:
    alive = lines(STARTED, *[ALIVE] * 2, end="hold")
    stop = threading.Event()

    def slowly(request: Request) -> Answer:
        if step(request) != "generate":
            return script(request)
        pieces = alive.pieces * 1000
        gates = {i: Ticks(stop) for i in range(len(pieces))}
        return Answer(alive.head, pieces, "hold", gates)  # type: ignore[arg-type]

    script = ChatUIScript()
    with (
        serving(slowly) as server,
        closing(ChatUIBackend(server.url, timeouts=Timeouts(first_byte=0.2))) as b,
    ):
        with pytest.raises(TimedOutError, match="only signs of life"):
            ask(b, *FIRST)
        stop.set()
        assert "stop" in steps(server)


class Ticks:
    """A gate that opens by itself after a moment."""

    def __init__(self, stop: threading.Event) -> None:
        self._stop = stop

    def wait(self, _: float) -> bool:
        self._stop.wait(0.01)
        return True


def test_a_stall_keeps_the_text_and_stops_the_server() -> None:
    stalled = lines(STARTED, token("a"), end="hold")
    with chatting(None, stalled, timeouts=Timeouts(idle=0.05)) as (backend, server, _):
        with pytest.raises(TimedOutError, match="ask again") as caught:
            ask(backend, *FIRST)
        assert caught.value.partial == "a"
        assert steps(server)[-1] == "stop"


def test_the_end_of_the_body_is_waited_for_a_little_only(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr("h2o_magic.backends.chatui.turn._END_GRACE", 0.1)
    endless = lines(STARTED, token("a"), final("a"), end="hold")
    with chatting(None, endless) as (backend, server, _):
        got: list[str] = []
        thread = threading.Thread(target=lambda: got.append(ask(backend, *FIRST)))
        thread.start()
        assert server.left.acquire(timeout=60)
        thread.join(timeout=60)
        assert got == ["a"]
        assert "stop" not in steps(server)


# --- parameters, schema, arguments


def test_a_parameter_is_refused_before_anything_is_sent() -> None:
    with chatting() as (backend, server, _):
        with pytest.raises(ParameterError, match="`seed`, `temperature`: leave"):
            backend.stream(request(*FIRST, parameters={"temperature": 0.4, "seed": 1}))
        assert server.requests == []


def test_a_schema_is_left_out_silently() -> None:
    schema = {"type": "object"}
    asked = request(*FIRST, schema=schema, strict=True)
    with chatting() as (backend, server, _):
        events = list(backend.stream(asked))
        assert events == [TextDelta("1"), Finished("1")]
        sent = question(posts(server)[0])
        assert set(sent) == {"inputs", "id", "is_retry", "generationId"}


@pytest.mark.parametrize("messages", [(), (assistant("a"),), (user(" "),)])
def test_messages_without_a_question_are_refused_at_once(
    messages: tuple[Message, ...],
) -> None:
    with chatting() as (backend, server, _), pytest.raises(MessagesError):
        backend.stream(request(*messages))
    assert server.requests == []


@pytest.mark.parametrize(
    "given", [{"url": "ftp://x"}, {"token": "a b"}, {"timeouts": 3}, {"patience": 3}]
)
def test_an_argument_is_checked_at_once(given: dict[str, Any]) -> None:
    with pytest.raises(ConfigurationError):
        ChatUIBackend(**{"url": "http://127.0.0.1:1", **given})


# --- login


SECRET = "5f0c-secret"


@pytest.mark.parametrize("name", ["hf-chat", "our.session"])
def test_a_cookie_as_token_is_sent_as_the_cookie_and_nowhere_else(name: str) -> None:
    with chatting(token=f"{name}={SECRET}") as (backend, server, _):
        ask(backend, *FIRST)
        create = server.requests[0]
        assert create.headers["cookie"] == f"{name}={SECRET}"
        assert "authorization" not in create.headers
        assert SECRET not in repr(backend)


@pytest.mark.parametrize("host", ["127.0.0.1", "localhost"])
def test_the_server_can_replace_the_cookie_that_was_given(host: str) -> None:
    def script(request: Request) -> Answer:
        new = {"Set-Cookie": "hf-chat=new; Path=/; HttpOnly; Secure; SameSite=None"}
        return document([], headers=new)

    with serving(script) as server:
        url = f"http://{host}:{server.port}"
        with closing(ChatUIBackend(url, token=f"hf-chat={SECRET}")) as backend:
            backend.models()
            backend.models()
        sent = [r.headers["cookie"] for r in server.requests]
        assert sent == [f"hf-chat={SECRET}", "hf-chat=new"]


@pytest.mark.parametrize("token_", ["hf_abc", "YWJj==", "YWI=", "a.b.c"])
def test_any_other_token_is_a_bearer_token(token_: str) -> None:
    with chatting(token=token_) as (backend, server, _):
        ask(backend, *FIRST)
        assert server.requests[0].headers["authorization"] == f"Bearer {token_}"
        assert "cookie" not in server.requests[0].headers


@pytest.mark.parametrize("bad", [f"a={SECRET};", f"a={SECRET};b=1", f'a="{SECRET}"'])
def test_more_than_one_cookie_is_refused_and_not_shown(bad: str) -> None:
    with pytest.raises(ConfigurationError, match="expected one cookie") as caught:
        ChatUIBackend("http://127.0.0.1:1", token=bad)
    assert SECRET not in str(caught.value)


TO_LOGIN = answer(
    status=302,
    headers={"Location": "https://login.example/authorize?state=secret-state"},
    content_type=None,
)
NO_LOGIN = document({"error": "You have to be logged in."}, status=401)


@pytest.mark.parametrize("name", ["create", "generate"])
@pytest.mark.parametrize("reply", [TO_LOGIN, NO_LOGIN])
def test_a_site_with_a_login_says_in_one_line_how_to_give_the_token(
    reply: Answer, name: str
) -> None:
    for token_, told in (
        (None, "the server wants a login: "),
        (f"hf-chat={SECRET}", "the server does not take this token"),
        ("bearer-secret", "the server does not take this token"),
    ):
        with chatting(ChatUIScript().then(name, reply), token=token_) as (b, server, _):
            with pytest.raises(StatusError, match=told) as caught:
                ask(b, *FIRST)
            line = str(caught.value)
            assert "name=value (hf-chat=...)" in line
            assert "secret" not in line
            assert "\n" not in line
            assert steps(server).count(name) == 1


def test_a_redirect_to_another_address_is_told_as_that() -> None:
    moved = answer(
        status=302,
        headers={"Location": "https://chat.example/conversation"},
        content_type=None,
    )
    with (
        chatting(ChatUIScript().then("create", moved)) as (backend, _, _),
        pytest.raises(StatusError, match="the server is at another address"),
    ):
        ask(backend, *FIRST)


def test_a_server_that_believes_in_https_gets_the_origin_it_wants() -> None:
    def strict(request: Request) -> Answer:
        foreign = request.headers["origin"] != f"https://{request.headers['host']}"
        if step(request) == "generate" and foreign:
            return document({"error": "Invalid referer for POST request"}, status=403)
        return script(request)

    script = ChatUIScript()
    with serving(strict) as server, closing(ChatUIBackend(server.url)) as backend:
        assert [ask(backend, *m) for m in (FIRST, SECOND)] == ["1", "2"]
        assert len(posts(server)) == 3


# --- leaving an answer


def slow(*texts: str) -> Answer:
    return lines(STARTED, *map(token, texts), end="hold")


def test_closing_a_later_answer_stops_the_server_where_the_reader_was() -> None:
    with chatting() as (backend, server, script):
        ask(backend, *FIRST)
        script.then("generate", slow("a👋", "b "))
        stream = backend.stream(request(*SECOND))
        assert next(stream) == TextDelta("a👋")
        stream.close()
        assert server.left.acquire(timeout=60)
        *_, generate, stop = server.requests
        assert stop.path == f"{generate.path}/stop-generating"
        generation = question(generate)["generationId"]
        assert stop.json == {"generationId": generation, "seenContentLength": 3}
        with pytest.raises(StopIteration):
            next(stream)
        assert ask(backend, *SECOND) == "2"
        assert steps(server).count("create") == 1


def test_closing_a_first_answer_leaves_its_conversation_behind() -> None:
    with chatting(None, slow("a")) as (backend, server, script):
        stream = backend.stream(request(*FIRST))
        next(stream)
        stream.close()
        assert ask(backend, *FIRST) == "1"
        assert steps(server)[3:] == ["create", "generate", "delete"]
        assert len(script.conversations) == 1


def test_an_answer_never_begun_sends_nothing() -> None:
    with chatting() as (backend, server, _):
        backend.stream(request(*FIRST)).close()
        assert server.requests == []
        assert ask(backend, *FIRST)


def test_closing_a_finished_answer_sends_nothing() -> None:
    with chatting() as (backend, server, _):
        stream = backend.stream(request(*FIRST))
        assert list(stream)[-1] == Finished("1")
        stream.close()
        assert steps(server) == ["create", "generate"]


@pytest.mark.parametrize("reply", [DROP, LOST, BAD])
def test_a_failing_stop_call_is_ignored(reply: Answer) -> None:
    with chatting(None, slow("a")) as (backend, _, script):
        script.then("stop", reply, reply)
        stream = backend.stream(request(*FIRST))
        next(stream)
        stream.close()


@pytest.mark.parametrize("where", ["create", "generate", "first token", "second token"])
def test_another_thread_can_close_an_answer_that_is_waited_for(where: str) -> None:
    silent = {
        "first token": lines(STARTED, ALIVE, end="hold"),
        "second token": slow("a"),
    }
    with chatting() as (backend, server, script):
        name = where if where == "create" else "generate"
        script.then(name, silent.get(where, Answer(b"", (), "hold")))
        stream = backend.stream(request(*FIRST))
        got: list[Event] = []
        thread = threading.Thread(target=lambda: got.extend(stream))
        thread.start()
        eventually(lambda: name in steps(server))
        if where == "second token":
            eventually(lambda: got)
        stream.close()
        thread.join(timeout=60)
        assert not thread.is_alive()
        assert got == ([TextDelta("a")] if where == "second token" else [])
        assert server.left.acquire(timeout=60)
        assert ("stop" in steps(server)) == (name == "generate")
        assert ask(backend, *FIRST) == "1"


@pytest.mark.parametrize("where", ["head", "first token", "second token"])
def test_an_interrupt_while_waiting_stops_the_server(where: str) -> None:
    silent = {"head": Answer(b"", (), "hold"), "first token": lines(ALIVE, end="hold")}

    def interrupt(*_: object) -> None:
        raise KeyboardInterrupt

    old = signal.signal(signal.SIGALRM, interrupt)
    try:
        with chatting(None, silent.get(where, slow("a"))) as (backend, server, _):
            stream = backend.stream(request(*FIRST))
            if where == "second token":
                assert next(stream) == TextDelta("a")
            signal.setitimer(signal.ITIMER_REAL, 0.2)
            with pytest.raises(KeyboardInterrupt):
                next(stream)
            stream.close()
            assert steps(server)[-1] == "stop"
            assert server.left.acquire(timeout=60)
            assert ask(backend, *FIRST) == "1"
    finally:
        signal.signal(signal.SIGALRM, old)


def test_closing_ends_a_pause_between_two_tries() -> None:
    busy = document({}, status=503)
    patience = Patience(wait=100, longest_wait=200)
    with chatting(None, busy, patience=patience) as (backend, server, _):
        stream = backend.stream(request(*FIRST))
        thread = threading.Thread(target=lambda: list(stream))
        thread.start()
        eventually(lambda: "generate" in steps(server))
        stream.close()
        thread.join(timeout=60)
        assert not thread.is_alive()


# --- several at once


def test_several_chats_answer_at_once_and_share_no_state() -> None:
    gates = {name: threading.Event() for name in "abc"}

    def says_slowly(request: Request) -> Answer:
        name = question(request)["inputs"]
        updates = [STARTED, token(name), token(name), final(name * 2), FINISHED]
        return lines(*updates, gates={2: gates[name]})

    def serve(request: Request) -> Answer:
        return (says_slowly if step(request) == "generate" else script)(request)

    script = ChatUIScript()
    with serving(serve) as server, closing(ChatUIBackend(server.url)) as backend:
        streams = {n: backend.stream(request(user(n), chat=n)) for n in "abc"}
        for name, stream in streams.items():
            assert next(stream) == TextDelta(name)
        for name in "cab":
            gates[name].set()
            rest = list(streams[name])
            assert rest == [TextDelta(name), Finished(name * 2)]


def test_chats_that_begin_at_once_share_one_session() -> None:
    gate = threading.Event()

    def serve(request: Request) -> Answer:
        reply = script(request)
        if step(request) != "create" or len(script.conversations) > 1:
            return reply
        late = (reply.head, *reply.pieces)  # the cookie is in the head
        return replace(reply, head=b"", pieces=late, gates={0: gate})

    script = ChatUIScript()
    with serving(serve) as server, closing(ChatUIBackend(server.url)) as backend:
        got: list[str] = []
        threads = [
            threading.Thread(
                target=lambda n=n: got.append(ask(backend, *FIRST, chat=n))
            )
            for n in "abc"
        ]
        threads[0].start()
        eventually(lambda: steps(server) == ["create"])
        for thread in threads[1:]:
            thread.start()
        time.sleep(0.05)
        gate.set()
        for thread in threads:
            thread.join(timeout=60)
        assert got == ["1", "1", "1"]
        assert steps(server).count("create") == 3
        assert len({made.session for made in script.conversations.values()}) == 1


def test_turns_of_one_chat_wait_for_each_other() -> None:
    with chatting(None, slow("a")) as (backend, server, _):
        stream = backend.stream(request(*FIRST))
        assert next(stream) == TextDelta("a")
        got: list[str] = []
        thread = threading.Thread(target=lambda: got.append(ask(backend, *FIRST)))
        thread.start()
        with pytest.raises(MisuseError, match="still being read"):
            ask(backend, *FIRST)
        assert len(posts(server)) == 1
        stream.close()
        thread.join(timeout=60)
        assert got == ["1"]


# --- cleaning up


def test_closing_the_backend_deletes_its_conversations() -> None:
    with chatting() as (backend, server, script):
        ask(backend, *FIRST, chat="a")
        ask(backend, *FIRST, chat="b")
        backend.close()
        assert steps(server)[-2:] == ["delete", "delete"]
        assert script.conversations == {}
        assert ask(backend, *FIRST) == "1"  # it can be used again


def test_forgetting_a_chat_deletes_its_conversation_and_no_other() -> None:
    with chatting() as (backend, server, _):
        ask(backend, *FIRST, chat="a")
        ask(backend, *FIRST, chat="b")
        backend.forget("a")
        backend.forget("a")
        backend.forget("never heard of")
        assert steps(server).count("delete") == 1
        assert ask(backend, *SECOND, chat="b") == "2"


@pytest.mark.parametrize("reply", [DROP, LOST, BAD, NO_LOGIN])
def test_forgetting_a_chat_never_raises(reply: Answer) -> None:
    with chatting() as (backend, _, script):
        ask(backend, *FIRST)
        script.then("delete", reply, reply)
        backend.forget("chat")


def test_a_chat_forgotten_during_its_answer_is_deleted_at_the_end() -> None:
    with chatting(None, slow("a")) as (backend, server, script):
        stream = backend.stream(request(*FIRST))
        next(stream)
        backend.forget("chat")
        assert "delete" not in steps(server)
        stream.close()
        assert steps(server)[-2:] == ["stop", "delete"]
        assert script.conversations == {}


# --- models


def models(plain: Answer, superjson: Answer = PAGE) -> list[ModelInfo]:
    script = ChatUIScript().then("models", plain).then("v2 models", superjson)
    with chatting(script) as (backend, _, _):
        return backend.models()


LISTED = [
    {"id": "a/one", "context_length": 8192, "unlisted": False},
    {"id": "hidden", "unlisted": True},
    {"id": "two", "contextLength": "long"},
    {"id": 3},
    None,
]
OFFERED = [ModelInfo("a/one", context=8192), ModelInfo("two")]


def test_unlisted_models_are_left_out_and_the_context_is_told() -> None:
    assert models(document(LISTED)) == OFFERED
    assert models(PAGE, document({"json": LISTED, "meta": {}})) == OFFERED
    assert models(answer(b"<html>"), document({"json": LISTED})) == OFFERED


def test_a_server_without_a_list_is_no_chat_ui() -> None:
    with pytest.raises(StatusError, match="there is no chat-ui at http://127"):
        models(PAGE)
    with pytest.raises(ProtocolError, match="list of models"):
        models(document({"object": "list"}))


@pytest.mark.parametrize("reply", [NO_LOGIN, TO_LOGIN])
def test_a_list_that_wants_a_login_says_so(reply: Answer) -> None:
    with pytest.raises(StatusError, match="the server wants a login"):
        models(reply)


# --- words


@pytest.mark.parametrize(
    ("name", "reply", "told"),
    [
        (
            "create",
            document({"message": "Invalid request"}, status=400),
            "'tiny-llama'",
        ),
        ("create", PAGE, "there is no chat-ui at http://127"),
        ("create", document({"message": "modal first"}, status=405), "gpt-gm protocol"),
        ("create", document({"conversationId": "../x"}), "expected a conversationId"),
        ("create", document([1]), "expected a conversationId"),
        (
            "generate",
            document({"message": "Gone"}, status=410),
            "'tiny-llama' any more",
        ),
        ("generate", document({"message": "x"}, status=413), "shorten it"),
        ("generate", answer(b"data:{}\n\n"), "which protocol the server speaks"),
        ("generate", answer(b"<title>Sign in</title>"), "a web page titled 'Sign in'"),
        ("generate", answer(b""), "without its final update"),
    ],
)
def test_a_failure_says_what_to_do(name: str, reply: Answer, told: str) -> None:
    with (
        chatting(ChatUIScript().then(name, reply)) as (backend, _, _),
        pytest.raises(BackendError) as caught,
    ):
        ask(backend, *FIRST)
    assert told in str(caught.value)
    assert isinstance(caught.value, H2OMagicError)


def test_what_was_shown_can_be_replaced() -> None:
    reply = lines(STARTED, token("a"), token("a"), token("b"), final("ab"), FINISHED)
    with chatting(None, reply) as (backend, _, _):
        events = list(backend.stream(request(*FIRST)))
    assert events[-2:] == [Replaced("ab"), Finished("ab")]


def test_the_model_sees_only_the_branch_that_is_asked_in() -> None:
    def counts(dialogue: Dialogue) -> str:
        return f"{len(dialogue)} seen"

    with chatting(ChatUIScript(says=counts)) as (backend, _, _):
        assert ask(backend, user("a")) == "2 seen"
        assert ask(backend, user("b")) == "2 seen"
        more = (user("b"), assistant("2 seen"), user("c"))
        assert ask(backend, *more) == "4 seen"


def test_a_notebook_talks_to_it_and_keeps_the_reasoning_apart() -> None:
    def thinks(dialogue: Dialogue) -> str:
        return f"<think>Hm.</think>\n\n{len(dialogue)} messages"

    with chatting(ChatUIScript(says=thinks)) as (backend, server, script):
        session = Session(backend)
        session.settings.set("model", "tiny-llama")
        first = session.ask("One?", cell="a")
        assert (first.read(), first.reasoning) == ("2 messages", "Hm.")
        assert session.ask("Two?", cell="b").read() == "4 messages"
        assert session.ask("Zwei?", cell="b").read() == "4 messages"
        assert session.ask("Three?", cell="c").read() == "6 messages"
        assert [text for role, text in script.seen[-1] if role == "user"] == [
            "One?",
            "Zwei?",
            "Three?",
        ]
        assert steps(server).count("create") == 1


def test_the_scripted_server_says_what_it_was_told() -> None:
    with chatting(None, says("x", " y")) as (backend, _, _):
        assert ask(backend, *FIRST) == "x y"
