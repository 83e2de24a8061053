"""The client against servers that misbehave, and against recorded answers."""

from __future__ import annotations

import gc
import gzip
import socket
import threading
import time
import zlib
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest
import requests
import urllib3.exceptions

from h2o_magic.backends.http import Cancellation, Endpoint, HttpClient, Timeouts
from h2o_magic.backends.http.error_mapping import _ERRORS, attempt
from h2o_magic.errors import (
    ConfigurationError,
    ConnectionFailedError,
    H2OMagicError,
    ProtocolError,
    RateLimitedError,
    StatusError,
    TimedOutError,
)
from tests.backends.scripted import (
    DROP,
    Answer,
    Script,
    ScriptedServer,
    answer,
    document,
    recorded,
    serving,
)


@contextmanager
def talking(
    script: Script, *, token: str | None = None, path: str = "", **timeouts: float
) -> Iterator[tuple[HttpClient, ScriptedServer]]:
    with serving(script) as server:
        endpoint = Endpoint(server.url + path, token)
        client = HttpClient(endpoint, timeouts=Timeouts(**timeouts))
        try:
            yield client, server
        finally:
            client.close()


def always(reply: Answer) -> Script:
    return lambda _: reply


def in_turn(*replies: Answer) -> Script:
    queue = list(replies)
    return lambda _: queue.pop(0)


def body(client: HttpClient, **kwargs: Any) -> bytes:
    with client.send("GET", "/", **kwargs) as reply:
        return b"".join(reply.chunks())


# --- what is sent


def test_each_request_names_origin_referer_agent_and_plain_encoding() -> None:
    with talking(always(document(1)), path="/chat/") as (client, server):
        client.send("POST", "/conversation", document={"é": 1}).close()
        (sent,) = server.requests
        assert sent.path == "/chat/conversation"
        assert sent.headers["origin"] == server.url
        assert sent.headers["referer"] == f"{server.url}/chat/"
        assert sent.headers["user-agent"].startswith("h2o-magic/")
        assert sent.headers["accept-encoding"] == "identity"
        assert sent.headers["accept"] == "application/json"
        assert sent.headers["content-type"] == "application/json"
        assert sent.body == '{"é": 1}'.encode()
        assert not any(name.startswith("sec-") for name in sent.headers)


@pytest.mark.parametrize("path", ["/ł/ä", "/%C5%82/%C3%A4"])
def test_a_path_of_other_letters_is_encoded_once(path: str) -> None:
    with talking(always(document(1)), path=path) as (client, server):
        client.send("GET", "/conversation").close()
        (sent,) = server.requests
        assert sent.path == "/%C5%82/%C3%A4/conversation"
        assert sent.headers["referer"] == f"{server.url}/%C5%82/%C3%A4/"


@pytest.mark.parametrize("host", ["[::1]", "127.0.0.1", "localhost"])
def test_an_address_without_a_port_means_port_80(
    host: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    with serving(always(document(1))) as server:
        looked_up: list[tuple[object, object]] = []

        def getaddrinfo(host: object, port: object, *_: Any) -> list[Any]:
            looked_up.append((host, port))
            there = ("127.0.0.1", server.port)
            return [(socket.AF_INET, socket.SOCK_STREAM, 6, "", there)]

        monkeypatch.setattr(socket, "getaddrinfo", getaddrinfo)
        client = HttpClient(Endpoint(f"http://{host}"))
        assert body(client) == b"1"
        client.close()
        assert looked_up == [(host.strip("[]"), 80)]
        assert server.requests[0].headers["host"] == host


def test_a_form_says_that_it_is_one() -> None:
    with talking(always(document(1))) as (client, server):
        client.send("POST", "/settings", form={"a": "x/y é&"}).close()
        kind = server.requests[0].headers["content-type"]
        assert kind == "application/x-www-form-urlencoded"
        assert server.requests[0].form == {"a": ["x/y é&"]}


def test_a_post_without_a_body_has_no_content_type() -> None:
    with talking(always(document(1))) as (client, server):
        client.send("POST", "/stop-generating").close()
        assert "content-type" not in server.requests[0].headers
        assert server.requests[0].headers["content-length"] == "0"


def test_half_a_character_can_be_sent() -> None:
    with talking(always(document(1))) as (client, server):
        client.send("POST", "/", document="a\ud83d").close()
        assert server.requests[0].json == "a?"


def test_a_number_that_json_does_not_have_is_not_sent() -> None:
    with (
        talking(always(document(1))) as (client, server),
        pytest.raises(ValueError, match="JSON"),
    ):
        client.send("POST", "/", document=float("nan"))
    assert server.requests == []


def test_the_token_goes_along_and_is_shown_nowhere() -> None:
    with talking(always(document({}, status=500)), token="tok-1") as (t, server):
        with pytest.raises(StatusError) as caught:
            t.send("GET", "/")
        assert server.requests[0].headers["authorization"] == "Bearer tok-1"
        assert "tok-1" not in f"{t!r}{caught.value!r}{caught.value}"


def test_a_token_that_the_server_sends_back_is_not_in_the_error() -> None:
    reply = document({"error": f"{'x' * 490}, got tok-12"}, status=401)
    with talking(always(reply), token="tok-12") as (t, _):
        with pytest.raises(StatusError) as caught:
            t.send("GET", "/")
        assert "got ***" in caught.value.server_message
        assert "tok-1" not in str(caught.value)


def test_netrc_is_left_alone(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    netrc = tmp_path / "netrc"
    netrc.write_text("default login ada password secret\n")
    monkeypatch.setenv("NETRC", str(netrc))
    with talking(always(document(1))) as (client, server):
        client.send("GET", "/").close()
        assert "authorization" not in server.requests[0].headers
    with talking(always(document(1)), token="tok-1") as (client, server):
        client.send("GET", "/").close()
        assert server.requests[0].headers["authorization"] == "Bearer tok-1"


def test_requests_alike_are_prepared_once_and_each_has_its_own_body_and_cookies(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    prepared: list[object] = []
    prepare_url = requests.PreparedRequest.prepare_url

    def counted(self: requests.PreparedRequest, *args: Any) -> None:
        prepared.append(args)
        prepare_url(self, *args)

    monkeypatch.setattr(requests.PreparedRequest, "prepare_url", counted)
    first = document(1, headers={"Set-Cookie": "a=1; Path=/"})
    with talking(in_turn(first, *[document(1)] * 3)) as (client, server):
        for number in range(3):
            client.send("POST", "/ask", document={"number": number}).close()
        body(client)
    sent = server.requests
    assert [request.body for request in sent[:3]] == [
        f'{{"number": {number}}}'.encode() for number in range(3)
    ]
    assert [request.headers.get("cookie") for request in sent] == [None, *["a=1"] * 3]
    assert "content-type" not in sent[3].headers
    assert len(prepared) == 2  # a path each


def test_head_and_body_of_a_request_travel_together() -> None:
    def answered(listener: socket.socket) -> None:
        connection, _ = listener.accept()
        with connection:
            received.append(connection.recv(65536))
            connection.sendall(b"HTTP/1.1 200 OK\r\nContent-Length: 1\r\n\r\n1")

    received: list[bytes] = []
    with socket.create_server(("127.0.0.1", 0)) as listener:
        thread = threading.Thread(target=answered, args=(listener,))
        thread.start()
        client = HttpClient(Endpoint(f"http://127.0.0.1:{listener.getsockname()[1]}"))
        client.send("POST", "/", document="all of it").close()
        thread.join()
        client.close()
    assert received[0].startswith(b"POST / HTTP/1.1\r\n")
    assert received[0].endswith(b'"all of it"')


# --- cookies


def cookies_sent(*headers: str) -> list[str | None]:
    replies = [document(1, headers={"Set-Cookie": h} if h else {}) for h in headers]
    with talking(in_turn(*replies, document(1))) as (client, server):
        for _ in range(len(headers) + 1):
            client.send("GET", "/").close()
        return [request.headers.get("cookie") for request in server.requests]


def test_a_secure_cookie_goes_back_over_plain_http() -> None:
    cookie = "hf-chat=1; Path=/; HttpOnly; Secure; SameSite=None"
    assert cookies_sent(cookie) == [None, "hf-chat=1"]


def test_any_cookie_name_will_do_and_a_new_value_replaces_the_old() -> None:
    sent = cookies_sent("h2o=1; Path=/; Secure", "", "h2o=2; Path=/; Secure")
    assert sent == [None, "h2o=1", "h2o=1", "h2o=2"]


def test_a_cookie_for_another_host_is_not_kept() -> None:
    assert cookies_sent("a=1; Domain=example.org; Path=/") == [None, None]


def test_two_clients_share_no_cookie() -> None:
    with talking(always(recorded("settings-ok-json"))) as (one, server):
        one.send("GET", "/").close()
        other = HttpClient(Endpoint(server.url))
        other.send("GET", "/").close()
        other.close()
        assert "cookie" not in server.requests[1].headers


# --- redirects


@pytest.mark.parametrize("status", [301, 302, 303, 307, 308])
def test_a_redirect_is_reported_and_not_followed(status: int) -> None:
    with serving(always(document(1))) as other:
        target = f"{other.url}/login?state=secret"
        reply = answer(b"", status=status, headers={"Location": target})
        with talking(always(reply), token="tok-1") as (client, _):
            with pytest.raises(StatusError, match=f"{other.url}/login") as caught:
                client.send("POST", "/conversation", document={"a": "prompt"})
            assert caught.value.status == status
            assert "secret" not in str(caught.value)
        assert other.requests == []


def test_a_redirect_to_nowhere_is_only_reported() -> None:
    reply = answer(b"", status=302, headers={"Location": "http://[bad"})
    with talking(always(reply)) as (client, _), pytest.raises(StatusError):
        client.send("GET", "/")


def test_an_accepted_redirect_is_a_reply() -> None:
    reply = answer(b"x", status=303, headers={"Location": "/"}, end="hold")
    with (
        talking(always(reply), first_byte=9) as (client, server),
        client.send("POST", "/settings", form={}, accepted=(200, 303)) as got,
    ):
        assert got.status == 303
        assert server.calls() == ["POST /settings"]


# --- error answers


@pytest.mark.parametrize(
    ("reply", "status", "words"),
    [
        (recorded("error-list-400"), 400, "Error in `parameters.temperature`"),
        (recorded("login-required-401"), 401, "You have to be logged in."),
        (recorded("login-required-401-text"), 401, "You have to be logged in."),
        (recorded("settings-no-referer"), 403, "need to have a referer"),
        (recorded("conversation-put"), 405, "PUT method not allowed"),
        (recorded("body-too-large"), 413, "Invalid request body"),
        (recorded("error-wrong-type-422-text"), 422, "Failed to deserialize"),
        (recorded("settings-unknown-model"), 500, "Internal Error"),
        (recorded("conversation-bad-model-no-accept"), 500, "Internal Error"),
        (recorded("error-gateway-502-html"), 502, "502 Bad Gateway"),
        (recorded("malformed-uri"), 400, "Malformed URI"),
        (answer(b"", status=500), 500, ""),
        (
            answer(
                gzip.compress(b'{"error": "zipped"}'),
                status=500,
                headers={"Content-Encoding": "gzip"},
            ),
            500,
            "zipped",
        ),
        (answer(b"cut short", status=500, end="cut"), 500, ""),
    ],
)
def test_an_error_answer_gives_its_status_and_words(
    reply: Answer, status: int, words: str
) -> None:
    with talking(always(reply)) as (client, _):
        with pytest.raises(StatusError) as caught:
            client.send("POST", "/conversation", document={})
        assert caught.value.status == status
        assert words in caught.value.server_message
        assert words in str(caught.value)
        assert f"HTTP {status}" in str(caught.value)
        assert "<" not in str(caught.value)


def test_an_error_answer_is_read_up_to_a_limit() -> None:
    flood = answer([b"x" * 65536] * 4, status=500, end="hold")
    with talking(always(flood)) as (client, server):
        with pytest.raises(StatusError) as caught:
            client.send("GET", "/")
        assert len(str(caught.value)) < 600
        assert server.left.acquire(timeout=60)


@pytest.mark.parametrize(
    ("status", "headers", "kind", "seconds"),
    [
        (429, {}, RateLimitedError, None),
        (429, {"Retry-After": "7"}, RateLimitedError, 7.0),
        (503, {"Retry-After": "7"}, RateLimitedError, 7.0),
        (503, {}, StatusError, None),
        (429, {"Retry-After": "1000000"}, RateLimitedError, 3600.0),
    ],
)
def test_the_wish_to_wait_is_told(
    status: int, headers: dict[str, str], kind: type, seconds: float | None
) -> None:
    with talking(always(document({}, status=status, headers=headers))) as (t, _):
        with pytest.raises(StatusError) as caught:
            t.send("GET", "/")
        assert type(caught.value) is kind
        assert getattr(caught.value, "retry_after", None) == seconds


# --- bodies


def test_pieces_come_as_they_are_sent() -> None:
    gate = threading.Event()
    reply = answer([b"one", b"two"], gates={1: gate})
    with talking(always(reply)) as (client, _), client.send("GET", "/") as got:
        pieces = got.chunks()
        assert next(pieces) == b"one"
        gate.set()
        assert b"".join(pieces) == b"two"
        assert got.ended


@pytest.mark.parametrize("size", [1, 7, 4096])
def test_a_body_is_the_same_however_the_network_cuts_it(size: int) -> None:
    with talking(always(recorded("generate-first-turn").cut(size))) as (client, _):
        assert body(client).endswith(b'`%`.","details":null}\n\n')


def test_a_body_without_length_ends_with_the_connection() -> None:
    gate = threading.Event()
    reply = answer([b"one", b"two"], chunked=False, end="close", gates={1: gate})
    with talking(always(reply)) as (client, _), client.send("GET", "/") as got:
        pieces = got.chunks()
        assert next(pieces) == b"one"
        gate.set()
        assert b"".join(pieces) == b"two"


@pytest.mark.parametrize("status", [204, 200])
def test_an_empty_body_is_empty(status: int) -> None:
    with talking(always(answer(b"", status=status, chunked=False))) as (client, _):
        assert body(client) == b""


@pytest.mark.parametrize(
    "reply",
    [
        answer(b"one", end="cut"),
        answer(b"one", headers={"Content-Length": "9"}, chunked=False, end="close"),
        Answer(
            b"HTTP/1.1 200 X\r\nTransfer-Encoding: chunked\r\n\r\nzz\r\n", (), "close"
        ),
    ],
)
def test_a_body_cut_off_is_a_lost_connection(reply: Answer) -> None:
    with talking(always(reply)) as (client, _):
        with pytest.raises(ConnectionFailedError) as caught:
            body(client)
        assert caught.value.__cause__ is not None


def test_a_reset_is_a_lost_connection() -> None:
    with socket.create_server(("127.0.0.1", 0)) as listener:

        def reset() -> None:
            sock, _ = listener.accept()
            sock.recv(65536)
            sock.sendall(
                b"HTTP/1.1 200 X\r\nTransfer-Encoding: chunked\r\n\r\n3\r\none"
            )
            linger = b"\x01\x00\x00\x00\x00\x00\x00\x00"
            sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, linger)
            sock.close()

        thread = threading.Thread(target=reset)
        thread.start()
        client = HttpClient(Endpoint(f"http://127.0.0.1:{listener.getsockname()[1]}"))
        with pytest.raises(ConnectionFailedError):
            body(client)
        thread.join()


GZIP = {"Content-Encoding": "gzip"}
ZIPPED = gzip.compress(b"data: hello\n\n" * 50, mtime=0)


def test_a_compressed_body_is_decompressed_and_a_false_header_ignored() -> None:
    zipped = answer(ZIPPED, headers={"Content-Encoding": " GZip"}).cut(1)
    false = recorded("content-encoding-false")
    with talking(in_turn(zipped, false)) as (client, _):
        assert body(client) == b"data: hello\n\n" * 50
        assert body(client).startswith(b"data:{")


def test_text_comes_before_the_end_of_a_compressed_body() -> None:
    packer = zlib.compressobj(wbits=31)
    first = packer.compress(b"data: one\n\n") + packer.flush(zlib.Z_SYNC_FLUSH)
    with (
        talking(always(answer(first, headers=GZIP, end="hold"))) as (client, _),
        client.send("GET", "/") as reply,
    ):
        assert next(reply.chunks()) == b"data: one\n\n"


def test_broken_compression_is_a_protocol_error() -> None:
    broken = answer(ZIPPED[:12] + b"\xff" * 8 + ZIPPED[20:], headers=GZIP)
    with (
        talking(always(broken)) as (client, _),
        pytest.raises(ProtocolError, match="gzip"),
    ):
        body(client)


@pytest.mark.parametrize("status", [401, 413, 429])
def test_an_answer_before_the_end_of_a_large_body_is_read(status: int) -> None:
    with socket.create_server(("127.0.0.1", 0)) as listener:
        listener.settimeout(10)
        used: list[bytes] = []

        def refuse() -> None:
            for _ in range(2):
                sock, _ = listener.accept()
                with sock:
                    used.append(sock.recv(1000)[:4])
                    head = f"HTTP/1.1 {status} X\r\nContent-Length: 8\r\n\r\n"
                    sock.sendall(head.encode() + b"too much")

        thread = threading.Thread(target=refuse, daemon=True)
        thread.start()
        client = HttpClient(Endpoint(f"http://127.0.0.1:{listener.getsockname()[1]}"))
        for _ in range(2):
            with pytest.raises(StatusError, match="too much") as caught:
                client.send("POST", "/", document="x" * 30_000_000)
            assert caught.value.status == status
        thread.join()
        client.close()
        assert used == [b"POST", b"POST"]  # one each: nothing is sent twice


def test_only_the_beginning_of_a_body_can_be_read() -> None:
    with talking(always(answer([b"one", b"two"], end="hold"))) as (client, server):
        with client.send("GET", "/") as reply:
            assert reply.read(4) == b"onet"
        assert server.left.acquire(timeout=60)


def test_a_document_that_is_no_json_is_a_protocol_error() -> None:
    with (
        talking(always(answer(b"<html><title>Log in</title>"))) as (client, _),
        client.send("GET", "/") as reply,
        pytest.raises(ProtocolError, match="Log in"),
    ):
        reply.json()


# --- connections


def test_a_connection_is_used_again() -> None:
    with talking(always(document(1))) as (client, server):
        for _ in range(3):
            with client.send("GET", "/") as reply:
                assert reply.json() == 1
        assert [request.connection for request in server.requests] == [1, 1, 1]


def test_a_forgotten_client_leaves_no_connection_open() -> None:
    with talking(always(document(1))) as (client, server):
        forgotten = HttpClient(Endpoint(server.url))
        body(forgotten)
        del forgotten
        gc.collect()  # pytest is told of a socket that nobody closed
        assert body(client) == b"1"


def test_an_answer_that_outlives_its_client_closes_its_connection() -> None:
    with talking(always(document(1))) as (_, server):
        forgotten = HttpClient(Endpoint(server.url))
        reply = forgotten.send("GET", "/")
        del forgotten
        gc.collect()
        assert reply.json() == 1
        del reply
        gc.collect()  # pytest is told of a socket that nobody closed


def test_ten_idle_connections_are_kept() -> None:
    with talking(always(document(1))) as (client, server):
        for _ in range(2):
            replies = [client.send("GET", "/") for _ in range(12)]
            assert [reply.json() for reply in replies] == [1] * 12
        seen = {request.connection for request in server.requests}
        assert seen == set(range(1, 15))
        assert len({r.connection for r in server.requests[12:]} & set(range(13))) == 10


def test_an_idle_connection_that_died_is_replaced_unseen() -> None:
    replies = in_turn(document(1), DROP, document(2))
    with talking(replies) as (client, server):
        assert body(client) == b"1"
        with client.send("POST", "/", document={"a": 1}) as reply:
            assert reply.json() == 2
        assert [r.connection for r in server.requests] == [1, 1, 2]
        assert [r.json for r in server.requests[1:]] == [{"a": 1}, {"a": 1}]


def test_a_dead_connection_is_replaced_once() -> None:
    with talking(in_turn(document(1), DROP, DROP)) as (client, server):
        body(client)
        with pytest.raises(ConnectionFailedError):
            client.send("GET", "/")
        assert len(server.requests) == 3


def test_a_fresh_connection_without_an_answer_is_not_tried_again() -> None:
    with talking(always(DROP)) as (client, server):
        with pytest.raises(ConnectionFailedError):
            client.send("GET", "/")
        assert len(server.requests) == 1


def test_an_answer_that_was_begun_is_never_asked_for_again() -> None:
    replies = in_turn(document(1), answer(b"one", end="cut"), document(2))
    with talking(replies) as (client, server):
        body(client)
        with pytest.raises(ConnectionFailedError):
            body(client)
        assert len(server.requests) == 2


def test_closing_a_reply_early_closes_its_connection() -> None:
    flood = answer([b"one"], end="hold")
    with talking(in_turn(flood, document(1))) as (client, server):
        with client.send("GET", "/") as reply:
            assert next(reply.chunks()) == b"one"
        assert server.left.acquire(timeout=60)
        assert body(client) == b"1"
        assert [request.connection for request in server.requests] == [1, 2]


def test_nobody_there_says_so_with_the_address() -> None:
    with socket.create_server(("127.0.0.1", 0)) as listener:
        port = listener.getsockname()[1]
    with pytest.raises(ConnectionFailedError, match=f"127.0.0.1:{port}.*refused"):
        HttpClient(Endpoint(f"http://127.0.0.1:{port}")).send("GET", "/")


def test_a_server_without_tls_is_not_trusted() -> None:
    with serving(always(document(1))) as server:
        client = HttpClient(Endpoint(server.url.replace("http", "https")))
        with pytest.raises(ConnectionFailedError, match="TLS"):
            client.send("GET", "/")


# --- waits


@pytest.mark.parametrize(
    ("timeouts", "reply", "words"),
    [
        ({"first_byte": 0.05}, Answer(b"", (), "hold"), "no answer within 0.05 s"),
        ({"first_byte": 0.05}, answer(b"", end="hold"), "first byte"),
        ({"idle": 0.05}, answer(b"one", end="hold"), "next byte"),
        (
            {"idle": 0.05},
            answer(b"one", chunked=False, headers={"Content-Length": "9"}, end="hold"),
            "next byte",
        ),
    ],
)
def test_a_silent_server_is_given_up(
    timeouts: dict[str, float], reply: Answer, words: str
) -> None:
    with talking(always(reply), **timeouts) as (client, server):
        with pytest.raises(TimedOutError, match=words):
            body(client)
        assert server.left.acquire(timeout=60)


@contextmanager
def full_listener() -> Iterator[int]:
    """A port where a connection is neither taken nor refused."""
    with socket.socket() as full, socket.socket() as one, socket.socket() as two:
        full.bind(("127.0.0.1", 0))
        full.listen(0)
        for waiting in (one, two):  # the queue is full then
            waiting.setblocking(False)
            waiting.connect_ex(full.getsockname())
        yield full.getsockname()[1]


def test_a_host_that_takes_no_connection_is_told_with_the_seconds() -> None:
    with full_listener() as port:
        url = f"http://127.0.0.1:{port}/lab"
        client = HttpClient(Endpoint(url), timeouts=Timeouts(connect=0.1))
        with pytest.raises(TimedOutError) as caught:
            client.send("GET", "/")
        assert str(caught.value) == f"cannot connect to {url} within 0.1 s"
        assert caught.value.connecting


def drip(seconds: float, **timeouts: float) -> int:
    """Read keep-alives, each sent so long after the one before; return how many."""
    gates = {i: threading.Event() for i in range(1, 5)}
    seen = 0
    script = always(answer([b":\n\n"] * 5, gates=gates))
    with talking(script, **timeouts) as (client, _):
        try:
            with client.send("GET", "/") as reply:
                for _ in reply.chunks():
                    seen += 1
                    time.sleep(seconds)
                    gates.get(seen, threading.Event()).set()
        finally:
            for gate in gates.values():
                gate.set()
    return seen


def test_keep_alives_are_signs_of_life() -> None:
    assert drip(0.15, idle=0.6) == 5


def test_keep_alives_do_not_prolong_the_overall_limit() -> None:
    with pytest.raises(TimedOutError, match=r"no answer within 0\.25 s"):
        drip(0.1, overall=0.25)


def test_a_limited_wait_is_shorter() -> None:
    with (
        talking(always(answer(b"one", end="hold"))) as (client, _),
        client.send("GET", "/") as reply,
    ):
        pieces = reply.chunks()
        next(pieces)
        reply.limit_wait(0.05, "end")
        with pytest.raises(TimedOutError, match="end"):
            next(pieces)


@pytest.mark.parametrize("value", [0, -1, float("inf"), float("nan"), "5", None, True])
def test_a_wait_is_a_number_of_seconds_above_zero(value: Any) -> None:
    with pytest.raises(ConfigurationError, match="idle timeout in seconds"):
        Timeouts(idle=value)


# --- cancellation


@pytest.mark.parametrize(
    "reply",
    [
        Answer(b"", (), "hold"),
        answer(b"one", end="hold"),
        answer(b"one", chunked=False, headers={"Content-Length": "9"}, end="hold"),
        Answer(b"HTTP/1.1 200 X\r\nConnection: close\r\n\r\none", (), "hold"),
    ],
)
def test_another_thread_can_end_the_wait(reply: Answer) -> None:
    with talking(always(reply)) as (client, server):
        cancellation = Cancellation()
        ended: list[BaseException] = []

        def wait() -> None:
            try:
                body(client, cancellation=cancellation)
            except BaseException as error:
                ended.append(error)

        thread = threading.Thread(target=wait)
        thread.start()
        while not server.requests:
            time.sleep(0.001)
        cancellation.cancel()
        thread.join(timeout=60)
        assert not thread.is_alive()
        assert isinstance(ended[0], ConnectionFailedError)
        assert server.left.acquire(timeout=60)


def ended_while_connecting(url: str) -> float:
    """Cancel a request that waits for its connection; return the seconds it took."""
    cancellation = Cancellation()
    client = HttpClient(Endpoint(url), timeouts=Timeouts(connect=60))
    timer = threading.Timer(0.1, cancellation.cancel)
    timer.start()
    began = time.monotonic()
    with pytest.raises(ConnectionFailedError, match="cancelled"):
        client.send("GET", "/", cancellation=cancellation)
    timer.join()
    return time.monotonic() - began


def test_another_thread_can_end_the_wait_for_a_connection() -> None:
    with full_listener() as port:
        assert ended_while_connecting(f"http://127.0.0.1:{port}") < 30


def test_another_thread_can_end_the_handshake_of_tls() -> None:
    with socket.create_server(("127.0.0.1", 0)) as silent:
        port = silent.getsockname()[1]
        assert ended_while_connecting(f"https://127.0.0.1:{port}") < 30


def test_another_thread_can_end_the_wait_for_a_proxy(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    with socket.create_server(("127.0.0.1", 0)) as silent:
        proxy = f"http://127.0.0.1:{silent.getsockname()[1]}"
        monkeypatch.setenv("https_proxy", proxy)
        assert ended_while_connecting("https://chat.example.org") < 30


def test_nothing_begins_after_a_cancellation() -> None:
    cancellation = Cancellation()
    with talking(always(document(1))) as (client, server):
        assert body(client, cancellation=cancellation) == b"1"
        cancellation.cancel()
        for each in (client, HttpClient(Endpoint(server.url))):
            with pytest.raises(ConnectionFailedError, match="cancelled"):
                body(each, cancellation=cancellation)
        assert len(server.requests) == 1


def test_a_cancellation_ends_a_pause_too() -> None:
    cancellation = Cancellation()
    assert not cancellation.wait(0.001)
    cancellation.cancel()
    assert cancellation.wait(60)


def test_ending_one_exchange_leaves_the_others_alone() -> None:
    gate = threading.Event()
    held = answer([b"one", b"two"], gates={1: gate})
    with talking(in_turn(held, answer(b"x", end="hold"))) as (client, _):
        first = client.send("GET", "/")
        pieces = first.chunks()
        next(pieces)
        cancellation = Cancellation()
        second = client.send("GET", "/", cancellation=cancellation)
        cancellation.cancel()
        second.close()
        gate.set()
        assert list(pieces) == [b"two"]
        first.close()


# --- environment


def test_a_proxy_is_never_used_for_this_machine(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    for name in ("http_proxy", "HTTP_PROXY", "all_proxy", "ALL_PROXY"):
        monkeypatch.setenv(name, "http://127.0.0.1:1")
    monkeypatch.delenv("no_proxy", raising=False)
    monkeypatch.delenv("NO_PROXY", raising=False)
    with talking(always(document(1))) as (client, server):
        assert body(client) == b"1"
        named = HttpClient(Endpoint(f"http://localhost:{server.port}"))
        assert body(named) == b"1"
        named.close()


def test_a_proxy_of_the_environment_is_used_for_other_machines(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    with serving(always(document(1))) as proxy:
        monkeypatch.setenv("http_proxy", proxy.url)
        monkeypatch.delenv("no_proxy", raising=False)
        monkeypatch.delenv("NO_PROXY", raising=False)
        client = HttpClient(Endpoint("http://chat.example.org"))
        assert body(client) == b"1"
        client.close()
        assert proxy.calls() == ["GET http://chat.example.org/"]


def test_a_missing_certificate_file_is_named(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setenv("REQUESTS_CA_BUNDLE", "/nowhere/ca.pem")
    with pytest.raises(ConnectionFailedError, match=r"/nowhere/ca\.pem"):
        HttpClient(Endpoint("https://127.0.0.1:1")).send("GET", "/")


# --- the errors underneath


def classes(module: Any, base: type) -> list[type]:
    found = [c for c in vars(module).values() if isinstance(c, type)]
    own = [c for c in found if c.__module__ == module.__name__]
    return [c for c in own if issubclass(c, base) and not issubclass(c, Warning)]


@pytest.mark.parametrize(
    "foreign", classes(requests.exceptions, requests.RequestException)
)
def test_each_error_of_requests_is_mapped_by_a_row_of_its_own_kind(
    foreign: type[Exception],
) -> None:
    # Those of requests' own reading of bodies, which is not used, and of mistakes that
    # this package cannot make.
    general = {
        requests.HTTPError,
        requests.RequestException,
        requests.TooManyRedirects,
        requests.exceptions.ChunkedEncodingError,
        requests.exceptions.ContentDecodingError,
        requests.exceptions.InvalidHeader,
        requests.exceptions.InvalidJSONError,
        requests.JSONDecodeError,
        requests.exceptions.MissingSchema,
        requests.exceptions.RetryError,
        requests.exceptions.StreamConsumedError,
        requests.exceptions.UnrewindableBodyError,
        requests.URLRequired,
    }
    row = next(row for row in _ERRORS if issubclass(foreign, row[0]))
    assert (requests.RequestException in row[0]) == (foreign in general)
    assert issubclass(row[1], H2OMagicError)


@pytest.mark.parametrize(
    "foreign",
    classes(urllib3.exceptions, Exception),
)
def test_each_error_of_urllib3_is_mapped(foreign: type[Exception]) -> None:
    # These two are raised for proxy settings, before anything is sent.
    if foreign not in (
        urllib3.exceptions.ProxySchemeUnsupported,
        urllib3.exceptions.ProxySchemeUnknown,
    ):
        assert any(issubclass(foreign, row[0]) for row in _ERRORS)


def test_the_most_specific_row_comes_first() -> None:
    for index, (kinds, _, _) in enumerate(_ERRORS):
        above = tuple(kind for row in _ERRORS[:index] for kind in row[0])
        assert not any(issubclass(foreign, above) for foreign in kinds)


def test_our_own_errors_and_bugs_pass_through_unchanged() -> None:
    for error in (ProtocolError("x"), ZeroDivisionError("x")):

        def fail(error: Exception = error) -> None:
            raise error

        with pytest.raises(type(error)) as caught:
            attempt(fail, "trying")
        assert caught.value is error
