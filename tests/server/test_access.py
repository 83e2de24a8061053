"""Only this user's own clients get in."""

from __future__ import annotations

import json
import socket

import pytest

from tests.server.client import Client, turn
from tests.server.conftest import Serving


@pytest.mark.parametrize("path", ["/", "/api/models", "/conversation"])
@pytest.mark.parametrize("header", [None, "", "Bearer wrong", "Bearer ", "Basic eDp5"])
def test_without_the_token_nothing_is_said(
    serving: Serving, path: str, header: str | None
) -> None:
    reply = serving.client().call("GET", path, headers={"Authorization": header})
    assert (reply.status, reply.json["error"]) == (401, "You have to be logged in.")


@pytest.mark.parametrize("word", ["bearer", "BEARER", "Bearer"])
@pytest.mark.parametrize("path", ["/", "/v1/models"])
def test_the_word_before_the_token_may_have_any_case(
    serving: Serving, word: str, path: str
) -> None:
    client = serving.client()
    for given, status in ((word, 200), (f"{word}s", 401), (f"{word} ", 401)):
        headers = {"Authorization": f"{given} {client.token}"}
        assert client.call("GET", path, headers=headers).status == status


def test_a_token_that_is_no_ascii_is_refused_and_breaks_nothing(
    serving: Serving,
) -> None:
    reply = serving.client().call("GET", "/", headers={"Authorization": "Bearer \xe9"})
    assert reply.status == 401


@pytest.mark.parametrize(
    "name", ["127.0.0.1", "localhost", "[::1]", "LOCALHOST", "127.0.0.2"]
)
@pytest.mark.parametrize("port", ["", ":1", ":8888"])
def test_local_names_are_served(serving: Serving, name: str, port: str) -> None:
    reply = serving.client().call("GET", "/", headers={"Host": name + port})
    assert reply.status == 200


@pytest.mark.parametrize(
    "host",
    ["example.org", "127.0.0.1.example.org", "localhost.example.org:80", "", "[", "0"],
)
@pytest.mark.parametrize("path", ["/", "/health", "/conversation"])
def test_a_foreign_name_is_refused_even_with_the_token(
    serving: Serving, host: str, path: str
) -> None:
    reply = serving.client().call("GET", path, headers={"Host": host})
    assert reply.status == 403
    assert "local addresses only" in reply.json["error"]


@pytest.mark.parametrize("method", ["GET", "POST", "OPTIONS"])
@pytest.mark.parametrize("path", ["/", "/health", "/settings", "/conversation"])
def test_no_answer_lets_a_web_page_read_it(
    client: Client, method: str, path: str
) -> None:
    headers = {"Origin": "https://example.org", "Access-Control-Request-Method": "POST"}
    reply = client.call(method, path, headers=headers)
    assert not [name for name in reply.headers if name.startswith("access-control")]


def test_a_stream_has_no_cors_header_either(client: Client) -> None:
    with client.open_answer(client.converse(), "hello", max_new_tokens=1) as answer:
        assert answer.getheader("access-control-allow-origin") is None


def test_health_is_public_and_says_no_more_than_that(serving: Serving) -> None:
    for header in (None, "Bearer wrong"):
        reply = serving.client().call(
            "GET", "/health", headers={"Authorization": header}
        )
        assert (reply.status, reply.json) == (200, {"status": "ok"})


def test_health_tells_the_user_how_the_server_is(serving: Serving) -> None:
    health = serving.client().call("GET", "/health").json
    written = json.loads(serving.runtime_file.read_text())
    assert health["status"] == "ok"
    assert health["pid"] == serving.process.pid
    assert health["instance"] == written["instance"]
    assert health["version"] == written["version"]
    assert health["log"] == str(serving.log_file)
    assert health["slots"] == 4
    assert health["uptime"] > 0
    assert isinstance(health["loaded"], list)


def test_a_form_of_another_site_does_not_have_the_token(serving: Serving) -> None:
    """A page can send a form with cookies, but no header of its own."""
    headers = {
        "Authorization": None,
        "Content-Type": "application/x-www-form-urlencoded",
        "Origin": "https://example.org",
        "Referer": "https://example.org/",
    }
    for path in ("/settings", "/conversation", "/shutdown", "/v1/chat/completions"):
        assert serving.client().call("POST", path, "a=b", headers).status == 401


def test_a_body_without_announced_size_is_counted(client: Client) -> None:
    chunk = b"10000\r\n" + b"x" * 0x10000 + b"\r\n"
    headers = {"Transfer-Encoding": "chunked", "Content-Length": None}
    path = f"/conversation/{client.converse()}"
    for count in (9, 140):
        reply = client.call("POST", path, chunk * count + b"0\r\n\r\n", headers)
        assert (reply.status, reply.json["error_type"]) == (413, "request_too_large")


def test_a_history_may_be_larger_than_a_question(client: Client) -> None:
    big = [{"role": "user", "content": "x" * 600_000}]
    assert client.converse(messages=big)
    path = f"/conversation/{client.converse()}"
    assert client.call("POST", path, turn("x" * 600_000, {})).status == 413


@pytest.mark.parametrize("path", ["/nowhere", "/%FF", "/%", "/%zz"])
def test_an_unknown_path_is_said_to_be(client: Client, path: str) -> None:
    reply = client.call("GET", path)
    assert (reply.status, reply.media_type) == (404, "application/json")
    assert reply.json["error"].startswith("unknown path, got GET /")


def test_a_verb_that_a_route_does_not_have_is_told_those_it_has(client: Client) -> None:
    reply = client.call("PUT", "/conversation/x")
    assert (reply.status, reply.headers["allow"]) == (405, "DELETE, POST")
    assert "expected one of the methods DELETE, POST, got PUT" in reply.json["error"]


def test_json_that_is_nested_too_deep_is_refused(client: Client) -> None:
    for path in ("/conversation", f"/conversation/{client.converse()}"):
        reply = client.call("POST", path, "[" * 100_000)
        assert (reply.status, reply.json["error_type"]) == (422, "validation")


def test_a_client_that_leaves_while_it_sends_does_no_harm(client: Client) -> None:
    host, port = client.url.removeprefix("http://").split(":")
    with socket.create_connection((host, int(port))) as connection:
        connection.sendall(
            f"POST /conversation HTTP/1.1\r\nHost: {host}\r\n"
            f"Authorization: Bearer {client.token}\r\n"
            "Content-Length: 100\r\n\r\n{".encode()
        )
    assert client.converse()


def test_nothing_secret_is_in_the_log(serving: Serving, client: Client) -> None:
    client.answer("the-secret-question", max_new_tokens=1)
    log = serving.log_file.read_text()
    assert serving.token not in log
    assert "the-secret-question" not in log
    assert serving.log_file.stat().st_mode & 0o777 == 0o600
