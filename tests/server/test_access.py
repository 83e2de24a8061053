"""Only this user's own clients get in."""

from __future__ import annotations

import json
import socket

import pytest

from tests.server.client import FORM, Client, turn
from tests.server.conftest import Serving


@pytest.mark.parametrize("path", ["/", "/api/models", "/conversation"])
@pytest.mark.parametrize("header", [None, "", "Bearer wrong", "Bearer ", "Basic eDp5"])
def test_without_the_token_nothing_is_said(
    serving: Serving, path: str, header: str | None
) -> None:
    reply = serving.client().call("GET", path, headers={"Authorization": header})
    assert (reply.status, reply.json) == (401, {"error": "You have to be logged in."})


@pytest.mark.parametrize("word", ["bearer", "BEARER", "Bearer"])
@pytest.mark.parametrize("path", ["/", "/v1/models"])
def test_the_word_before_the_token_may_have_any_case(
    serving: Serving, word: str, path: str
) -> None:
    client = serving.client()
    for given, status in ((word, 200), (f"{word}s", 401), (f"{word} ", 401)):
        headers = {"Authorization": f"{given} {client.token}"}
        assert client.call("GET", path, headers=headers).status == status


def test_without_json_headers_the_refusal_is_text(serving: Serving) -> None:
    headers = {"Authorization": None, "Accept": "*/*"}
    reply = serving.client().call("POST", "/settings", "a=b", headers)
    assert (reply.status, reply.body) == (401, b"You have to be logged in.")
    assert reply.media_type == "text/plain"


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
        assert "set-cookie" not in reply.headers


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


def test_the_cookie_suits_plain_http_on_loopback(client: Client) -> None:
    cookie = client.call("GET", "/").headers["set-cookie"]
    assert cookie.startswith("hf-chat=")
    attributes = {part.strip().partition("=")[0] for part in cookie.split(";")[1:]}
    assert attributes == {"Path", "Expires", "HttpOnly", "SameSite"}
    assert "SameSite=Lax" in cookie


def test_a_cookie_value_that_could_break_headers_is_replaced(serving: Serving) -> None:
    reply = serving.client().call(
        "GET", "/", headers={"Cookie": "hf-chat=" + "x" * 999}
    )
    assert "xxx" not in reply.headers["set-cookie"]


def test_terms_come_before_the_conversation_is_looked_up(serving: Serving) -> None:
    path = "/conversation/64a000000000000000000000"
    stranger = serving.client()
    before = stranger.call("POST", path, turn("x", {}))
    assert before.status == 405
    assert before.json == {"error": "You need to accept the welcome modal first"}
    after = stranger.call("POST", path, turn("x", {}))
    assert (after.status, after.json) == (404, {"message": "Conversation not found"})


def test_a_form_of_another_site_is_refused(serving: Serving) -> None:
    headers = {"Content-Type": FORM, "Referer": "https://example.org/"}
    reply = serving.client().call("POST", "/settings", "ethicsModalAccepted=1", headers)
    assert reply.status == 403


def test_a_body_without_announced_size_is_counted(client: Client) -> None:
    chunk = b"10000\r\n" + b"x" * 0x10000 + b"\r\n"
    headers = {"Transfer-Encoding": "chunked", "Content-Length": None}
    path = f"/conversation/{client.converse()}"
    for count in (9, 140):
        reply = client.call("POST", path, chunk * count + b"0\r\n\r\n", headers)
        assert (reply.status, reply.json["message"]) == (413, "Invalid request body")


def test_a_history_may_be_larger_than_a_question(client: Client) -> None:
    big = [{"role": "user", "content": "x" * 600_000}]
    assert client.converse(messages=big)
    path = f"/conversation/{client.converse()}"
    assert client.call("POST", path, turn("x" * 600_000, {})).status == 413


@pytest.mark.parametrize("path", ["/%FF", "/%", "/%zz", "/conversation/%C3"])
def test_a_path_that_cannot_be_decoded_is_refused(client: Client, path: str) -> None:
    reply = client.call("GET", path)
    assert (reply.status, reply.body) == (400, b"Malformed URI")


def test_an_unknown_path_is_a_page_that_says_so(client: Client) -> None:
    reply = client.call("GET", "/nowhere")
    assert (reply.status, reply.media_type) == (404, "text/html")


@pytest.mark.parametrize("referer", ["nonsense", "http://[", "/settings"])
def test_a_referer_that_is_no_url_breaks_it_as_it_broke_the_old_one(
    serving: Serving, referer: str
) -> None:
    headers = {"Content-Type": FORM, "Referer": referer}
    reply = serving.client().call("POST", "/settings", "a=b", headers)
    assert (reply.status, reply.json) == (500, {"message": "Internal Error"})


def test_terms_that_are_not_accepted_look_like_success_and_are_not(
    serving: Serving,
) -> None:
    client = serving.client()
    headers = {"Content-Type": FORM, "Referer": f"{client.url}/"}
    reply = client.call("POST", "/settings", "ethicsModalAccepted=", headers)
    assert reply.status == 200
    client.cookie = reply.headers["set-cookie"].partition(";")[0]
    body = {"model": "llama-13b"}
    assert client.call("POST", "/conversation", body).status == 405


def test_a_client_that_leaves_while_it_sends_does_no_harm(client: Client) -> None:
    host, port = client.url.removeprefix("http://").split(":")
    with socket.create_connection((host, int(port))) as connection:
        connection.sendall(
            f"POST /conversation HTTP/1.1\r\nHost: {host}\r\n"
            f"Authorization: Bearer {client.token}\r\nCookie: {client.cookie}\r\n"
            "Content-Length: 100\r\n\r\n{".encode()
        )
    assert client.converse()


def test_nothing_secret_is_in_the_log(serving: Serving, client: Client) -> None:
    client.answer("the-secret-question", max_new_tokens=1)
    log = serving.log_file.read_text()
    assert serving.token not in log
    assert "the-secret-question" not in log
    assert client.cookie
    assert client.cookie.partition("=")[2] not in log
    assert serving.log_file.stat().st_mode & 0o777 == 0o600
