"""Proxies of the environment: not used for this machine, and named where they fail."""

from __future__ import annotations

import os
import socket
import threading
from collections.abc import Iterator
from contextlib import closing
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import pytest
import requests.exceptions as requests_errors

from h2o_magic.backends.detect import detect
from h2o_magic.backends.http import Endpoint, HttpClient
from h2o_magic.backends.http.proxies import proxy_of
from h2o_magic.backends.openai import OpenAIBackend
from h2o_magic.errors import (
    ConfigurationError,
    ConnectionFailedError,
    H2OMagicError,
    StatusError,
)
from tests.backends.dialects import request
from tests.backends.scripted import ScriptedServer, answer, serving
from tests.backends.servers.test_connect import openai_server

FAR = "http://gpu.example.org"


@pytest.fixture(autouse=True)
def _no_proxies(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in [n for n in os.environ if n.lower().endswith("_proxy")]:
        monkeypatch.delenv(name)


@pytest.fixture
def proxy(monkeypatch: pytest.MonkeyPatch) -> Iterator[ScriptedServer]:
    """Yield a proxy that every variable names, and that no exception keeps away."""
    with serving(lambda _: answer(b"", status=502)) as server:
        for scheme in ("http", "https", "all"):
            monkeypatch.setenv(f"{scheme}_proxy", server.url)
            monkeypatch.setenv(f"{scheme}_PROXY".upper(), server.url)
        monkeypatch.setenv("no_proxy", "example.org")
        monkeypatch.setenv("NO_PROXY", "")
        yield server


@pytest.mark.parametrize(
    "host",
    [
        *("localhost", "LOCALHOST", "127.0.0.1", "127.1", "0x7f.1", "2130706433"),
        *("0.0.0.0", "0", "[::ffff:127.0.0.1]"),
    ],
)
def test_this_machine_is_asked_without_a_proxy_however_it_is_written(
    proxy: ScriptedServer, host: str
) -> None:
    with serving(openai_server("tiny")) as server:
        url = server.url.replace("127.0.0.1", host)
        assert detect(Endpoint(url)).models == 1
        with closing(OpenAIBackend(url)) as backend:
            assert [model.name for model in backend.models()] == ["tiny"]
            assert list(backend.stream(request()))
    assert proxy.requests == []


@pytest.mark.parametrize(
    "host",
    ["[::1]", "[::]", "127.9.9.9", "a.localhost", "localhost.", socket.gethostname()],
)
def test_what_does_not_listen_here_is_not_looked_for_through_a_proxy(
    proxy: ScriptedServer, host: str
) -> None:
    client = HttpClient(Endpoint(f"http://{host}:1"))
    with closing(client), pytest.raises(ConnectionFailedError) as caught:
        client.send("GET", "/v1/models")
    assert "proxy" not in str(caught.value)
    assert proxy.requests == []


def test_a_proxy_is_used_for_all_others_but_those_of_no_proxy(
    proxy: ScriptedServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    client = HttpClient(Endpoint("http://192.0.2.99:1"))
    with closing(client), pytest.raises(StatusError):
        client.send("GET", "/v1/models")
    assert proxy.calls() == ["GET http://192.0.2.99:1/v1/models"]
    monkeypatch.setenv("no_proxy", "example.org,192.0.2.0/24")
    assert proxy_of("http://192.0.2.99:1") is None


def failure(url: str, variable: str, proxy: str) -> H2OMagicError:
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv(variable, proxy)
        client = HttpClient(Endpoint(url))
        with closing(client), pytest.raises(H2OMagicError) as caught:
            client.send("GET", "/v1/models", accepted=range(100, 600)).close()
    said = str(caught.value)
    assert variable in said
    assert "\n" not in said
    assert caught.value.__cause__ is None
    assert "geheim" not in said
    assert "ada" not in said
    return caught.value


@pytest.mark.parametrize("scheme", ["socks5h", "socks5", "socks4", "SOCKS5H"])
@pytest.mark.parametrize("variable", ["ALL_PROXY", "all_proxy", "HTTP_PROXY"])
def test_a_socks_proxy_without_its_package_names_both(
    scheme: str, variable: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    def missing(*_: object, **__: object) -> None:
        raise requests_errors.InvalidSchema("Missing dependencies for SOCKS support.")

    monkeypatch.setattr("requests.adapters.SOCKSProxyManager", missing)
    error = failure(FAR, variable, f"{scheme}://ada:geheim@127.0.0.1:1080")
    assert isinstance(error, ConfigurationError)
    assert '`pip install "requests[socks]"`' in str(error)
    assert FAR not in str(error)


@pytest.mark.parametrize(
    "proxy",
    [
        *("http://ada:geheim@x:99999", "http://ada:geheim@x:port", "ada:geheim@x:80"),
        *("http:/ada:geheim@x:80", "ftp://x:80", "socks://x:1080", "http://", ":8080"),
        *("http://x y", "http://ada:geheim@[::1", "http://ada:ge/heim@x"),
    ],
)
def test_what_is_no_address_of_a_proxy_is_told_as_such(proxy: str) -> None:
    error = failure(FAR, "http_proxy", proxy)
    assert isinstance(error, ConfigurationError)
    assert "expected a proxy like http://HOST:PORT" in str(error)


@pytest.mark.parametrize(
    ("url", "variable", "proxy"),
    [
        (FAR, "http_proxy", "http://ada:geheim@127.0.0.1:1"),
        ("https://gpu.example.org", "HTTPS_PROXY", "http://ada:geheim@127.0.0.1:1"),
        (FAR, "HTTP_PROXY", "no-such-host.invalid"),
        ("https://gpu.example.org", "https_proxy", "https//no-such-host.invalid"),
    ],
)
def test_a_proxy_that_is_not_reached_is_named_in_place_of_the_server(
    url: str, variable: str, proxy: str
) -> None:
    error = failure(url, variable, proxy)
    assert isinstance(error, ConnectionFailedError)
    assert error.why == "proxy"
    assert f"cannot connect to {url} through the proxy " in str(error)


class _WantsLogin(BaseHTTPRequestHandler):
    def do_GET(self) -> None:
        self.send_error(407)

    def do_CONNECT(self) -> None:
        self.send_error(407)

    def log_message(self, *_: object) -> None:
        pass


@pytest.mark.parametrize("scheme", ["http", "https"])
def test_a_proxy_that_wants_a_login_says_so_itself(scheme: str) -> None:
    with ThreadingHTTPServer(("127.0.0.1", 0), _WantsLogin) as server:
        thread = threading.Thread(target=server.serve_forever, args=(0.05,))
        thread.start()
        url = f"http://ada:geheim@127.0.0.1:{server.server_address[1]}"
        try:
            error = failure(f"{scheme}://gpu.example.org", f"{scheme}_proxy", url)
        finally:
            server.shutdown()
            thread.join()
    assert isinstance(error, ConnectionFailedError)
    assert "which requires a user name and a password (407)" in str(error)


def test_a_server_that_wants_a_login_is_no_proxy() -> None:
    with serving(lambda _: answer(b"", status=407)) as server:
        client = HttpClient(Endpoint(server.url))
        with closing(client), pytest.raises(StatusError, match="HTTP 407"):
            client.send("GET", "/v1/models")
