from __future__ import annotations

import pytest

from h2o_magic.config.url import Endpoint, check_base_url, is_loopback
from h2o_magic.errors import ConfigurationError


@pytest.mark.parametrize(
    ("given", "used"),
    [
        ("https://chat.example.org", "https://chat.example.org"),
        ("https://chat.example.org/", "https://chat.example.org"),
        (" https://Chat.Example.org//\n", "https://chat.example.org"),
        ("http://chat.example.org/chat/", "http://chat.example.org/chat"),
        ("HTTP://127.0.0.1:8080", "http://127.0.0.1:8080"),
        ("http://[::1]:8080/a/b", "http://[::1]:8080/a/b"),
        ("http://127.0.0.1:1/ä/ł/", "http://127.0.0.1:1/%C3%A4/%C5%82"),
        ("http://127.0.0.1:1/%C3%A4/%c5%82ł", "http://127.0.0.1:1/%C3%A4/%c5%82%C5%82"),
        ("http://127.0.0.1:1/a~(b);c=d,e+f", "http://127.0.0.1:1/a~(b);c=d,e+f"),
    ],
)
def test_a_base_url_keeps_prefix_and_port_and_loses_its_last_slash(
    given: str, used: str
) -> None:
    assert check_base_url(given) == used
    assert Endpoint(given).url == used


@pytest.mark.parametrize(
    "given",
    [
        "",
        "chat.example.org",
        "localhost:8080",
        "ftp://chat.example.org",
        "file:///etc/passwd",
        "http://",
        "http:///path",
        "http://host:0",
        "http://host:",
        "http://host:99999",
        "http://host:port",
        "http://[::1",
        "http://host/?q=1",
        "http://host/#part",
        "http://host\r\nX: y",
        "http://ho st",
        "http://host\\path",
        "http://host/\ud83d",
        None,
        8080,
    ],
)
def test_anything_else_is_refused_with_what_came(given: object) -> None:
    with pytest.raises(ConfigurationError) as caught:
        check_base_url(given)
    assert repr(str(given)) in str(caught.value)


def test_user_names_and_passwords_are_refused_and_not_shown() -> None:
    with pytest.raises(ConfigurationError) as caught:
        check_base_url("https://ada:secret@chat.example.org")
    assert "secret" not in str(caught.value)
    assert "ada" not in str(caught.value)


def test_a_token_is_masked_in_the_repr() -> None:
    endpoint = Endpoint("http://127.0.0.1:1", "tok-123")
    assert "tok-123" not in repr(endpoint)
    assert "***" in repr(endpoint)
    assert "***" not in repr(Endpoint("http://127.0.0.1:1"))


@pytest.mark.parametrize("token", ["", "a b", "a\r\nX: y", "a\nb", "ü", "\0"])
def test_a_token_that_could_change_the_headers_is_refused_unseen(token: str) -> None:
    with pytest.raises(ConfigurationError) as caught:
        Endpoint("http://127.0.0.1:1", token)
    assert not token.strip() or token not in str(caught.value)


def test_endpoints_are_equal_when_address_and_token_are() -> None:
    assert Endpoint("http://h/", "t") == Endpoint("http://h", "t")
    assert Endpoint("http://h", "t") != Endpoint("http://h", "u")


def test_this_machine_is_known_by_its_names_and_addresses() -> None:
    for host in ("127.0.0.1", "127.8.9.1", "::1", "localhost", "a.localhost"):
        assert is_loopback(host)
    for host in ("10.0.0.1", "localhost.example.org", "::2", "example.org", ""):
        assert not is_loopback(host)
