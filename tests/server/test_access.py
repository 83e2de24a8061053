"""Only this user's own clients get in."""

from __future__ import annotations

import gzip
import json
import socket

import pytest

from tests.server.client import Client, Reply
from tests.server.conftest import Serving
from tests.server.routes import WITH_BODY, of_a_conversation
from tests.server.test_connections import address
from tests.server.test_openai_routes import CHAT, body, error


@pytest.mark.parametrize("path", ["/", "/api/models", "/conversation"])
@pytest.mark.parametrize("header", [None, "", "Bearer wrong", "Bearer ", "Basic eDp5"])
def test_without_the_token_nothing_is_said(
    serving: Serving, path: str, header: str | None
) -> None:
    reply = serving.client().call("GET", path, headers={"Authorization": header})
    assert reply.status == 401
    if path == "/":
        assert error(reply, 401)["type"] == "authentication_error"
    else:  # by these words clients know a server that speaks gpt-gm
        assert reply.json["error"] == "You have to be logged in."


@pytest.mark.parametrize("path", ["/", "/v1/models", "/api/models"])
def test_the_token_may_come_as_anthropics_clients_send_it(
    serving: Serving, path: str
) -> None:
    client = serving.client()
    for key, status in ((client.token, 200), ("wrong", 401), ("", 401)):
        headers = {"Authorization": None, "x-api-key": key}
        assert client.call("GET", path, headers=headers).status == status
    both = {"Authorization": "Bearer wrong", "x-api-key": "wrong"}
    assert client.call("GET", path, headers=both).status == 401


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
    ["example.org", "127.0.0.1.example.org", "localhost.example.org:80", "[::2]", "0"],
)
@pytest.mark.parametrize("path", ["/", "/health", "/conversation"])
def test_a_foreign_name_is_refused_even_with_the_token(
    serving: Serving, host: str, path: str
) -> None:
    reply = serving.client().call("GET", path, headers={"Host": host})
    assert reply.status == 403
    assert "local addresses only" in reply.words


@pytest.mark.parametrize(
    "hosts",
    [
        [],
        [""],
        ["["],
        ["x@127.0.0.1"],
        ["127.0.0.1@x"],
        ["127.0.0.1:"],
        ["127.0.0.1:123456"],
        ["127.0.0.1/"],
        ["127.0.0.1, localhost"],
        ["127.0.0.1 localhost"],
        ["http://127.0.0.1"],
        ["127.0.0.1", "example.org"],
        ["127.0.0.1", "127.0.0.1"],
    ],
    ids=str,
)
def test_what_is_not_one_host_is_no_host(serving: Serving, hosts: list[str]) -> None:
    client = serving.client()
    lines = [f"Host: {host}" for host in hosts]
    head = ["GET / HTTP/1.1", *lines, f"Authorization: Bearer {client.token}"]
    with socket.create_connection(address(client), timeout=30) as connection:
        connection.sendall("\r\n".join([*head, "", ""]).encode())
        assert connection.recv(1000).split()[1] == b"400"


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


def is_too_large(reply: Reply) -> bool:
    found = reply.json["error"]
    kind = found["code"] if isinstance(found, dict) else reply.json["error_type"]
    return (reply.status, kind) == (413, "request_too_large")


@pytest.mark.parametrize("path", WITH_BODY)
def test_a_body_without_announced_size_is_counted(client: Client, path: str) -> None:
    chunk = b"100000\r\n" + b" " * 0x100000 + b"\r\n"
    headers = {"Transfer-Encoding": "chunked", "Content-Length": None}
    many = chunk * 17 + b"0\r\n\r\n"
    assert is_too_large(
        client.call("POST", of_a_conversation(client, path), many, headers)
    )


def test_a_body_that_unpacks_to_too_much_is_refused(client: Client) -> None:
    packed = gzip.compress(b" " * (17 * 2**20))
    headers = {"Content-Encoding": "gzip"}
    for path in (CHAT, "/conversation"):
        assert is_too_large(client.call("POST", path, packed, headers))


def test_a_body_may_be_as_large_as_some_images(client: Client) -> None:
    large = json.dumps(body()) + " " * (15 * 2**20)
    assert client.call("POST", CHAT, large).status == 200
    assert client.converse(messages=[{"role": "user", "content": "x" * 15_000_000}])


@pytest.mark.parametrize("path", ["/nowhere", "/%FF", "/%", "/%zz"])
def test_an_unknown_path_is_said_to_be(client: Client, path: str) -> None:
    reply = client.call("GET", path)
    assert (reply.status, reply.media_type) == (404, "application/json")
    assert reply.words.startswith("unknown path, got GET /")


def test_a_verb_that_a_route_does_not_have_is_told_those_it_has(client: Client) -> None:
    reply = client.call("PUT", "/conversation/x")
    assert (reply.status, reply.headers["allow"]) == (405, "DELETE, POST")
    assert "expected one of the methods DELETE, POST, got PUT" in reply.json["error"]


def test_json_that_is_nested_too_deep_is_refused(client: Client) -> None:
    for path in ("/conversation", f"/conversation/{client.converse()}"):
        reply = client.call("POST", path, "[" * 100_000)
        assert (reply.status, reply.json["error_type"]) == (422, "validation")


@pytest.mark.parametrize("depth", [200, 2_000, 100_000])
@pytest.mark.parametrize(
    "path", ["/v1/chat/completions", "/v1/responses", "/v1/messages", "/v1/completions"]
)
def test_json_that_is_nested_is_the_requests_fault_if_anyones(
    client: Client, path: str, depth: int
) -> None:
    for opened, closed in (("[", "]"), ('{"x":', "}")):
        deep = opened * depth + "1" + closed * depth
        for field in ("messages", "input", "prompt", "response_format", "unknown"):
            text = f'{{"model": "llama-13b", "{field}": {deep}}}'
            assert client.call("POST", path, text).status in (200, 400)


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
