from __future__ import annotations

import socket

import pytest

from h2o_magic.config.url import (
    Endpoint,
    check_base_url,
    is_loopback,
    is_this_machine,
)
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
        ('"https://chat.example.org/v1",', "https://chat.example.org/v1"),
        ("`http://chat.example.org/v1/`", "http://chat.example.org/v1"),
        ("<https://chat.example.org>.", "https://chat.example.org"),
        ("“https://chat.example.org/v1”;", "https://chat.example.org/v1"),
        ("'http://[::1]:8080'", "http://[::1]:8080"),
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
        "http://host/\ud83d",
        None,
        8080,
    ],
)
def test_anything_else_is_refused_with_what_came(given: object) -> None:
    with pytest.raises(ConfigurationError) as caught:
        check_base_url(given)
    assert repr(str(given)) in str(caught.value)


@pytest.mark.parametrize(
    ("given", "instead"),
    [
        ("chat.example.org/v1", "write https://chat.example.org/v1"),
        ("localhost:11434", "write http://localhost:11434"),
        ("127.0.0.1", "write http://127.0.0.1"),
        ("[::1]:8080/v1", "write http://[::1]:8080/v1"),
        ("gpu:8000/v1", "write http://gpu:8000/v1"),
        ("gpu.example.org:443", "write https://gpu.example.org:443"),
        ("https:/chat.example.org/v1", "write https://chat.example.org/v1"),
        ("http//chat.example.org", "write http://chat.example.org"),
        ("BASE_URL=https://h/v1", "write https://h/v1"),
        ("http://host\r\nX: y", "write http://host"),
        ("http://host\\path", "write http://host"),
        ('curl "https://h/v1/models" -H "x: secret"', "write https://h/v1/models"),
        ("export BASE=https://h/v1, then", "write https://h/v1"),
        ("http://host/v1?q=secret", "write http://host/v1"),
        ("http://host/v1#secret", "write http://host/v1"),
        ("http://host/v1?key=secret", "write `%h2o connect http://host/v1 --key-env"),
        ("http://h/v1?api_key=secret&a=b", "write `%h2o connect http://h/v1 --key-env"),
        (
            "https://R.openai.azure.com/openai/deployments/D/chat/completions?api-version=1",
            "write https://r.openai.azure.com/openai/v1 (its model is D)",
        ),
        (
            "https://R.openai.azure.com/openai/responses?api-version=preview",
            "write https://r.openai.azure.com/openai/v1",
        ),
        (
            "https://R.services.ai.azure.com/models/chat/completions?api-version=1",
            "write https://r.services.ai.azure.com/openai/v1",
        ),
        ("http://gateway/llm/v1?api-version=1", "write http://gateway/llm/v1"),
    ],
)
def test_what_is_no_base_url_is_refused_with_what_to_write(
    given: str, instead: str
) -> None:
    with pytest.raises(ConfigurationError) as caught:
        check_base_url(given)
    assert str(caught.value).partition("write ")[2].startswith(instead[6:])
    assert "secret" not in str(caught.value)
    check_base_url(instead.replace("`%h2o connect ", "").split()[1])


@pytest.mark.parametrize(
    "given",
    [
        "https://ada:secret@chat.example.org",
        "https://ada:se/secret@chat.example.org",
        "ada:secret@chat.example.org",
        "curl https://ada:secret@chat.example.org",
        "https://ada:secret@chat.example.org?key=secret",
    ],
)
def test_user_names_and_passwords_are_refused_and_not_shown(given: str) -> None:
    with pytest.raises(ConfigurationError) as caught:
        check_base_url(given)
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


@pytest.mark.parametrize("text", ["http://", "https:", "https:///"])
def test_where_no_host_is_named_no_address_is_told(text: str) -> None:
    with pytest.raises(ConfigurationError, match="names a host") as caught:
        Endpoint(text)
    assert "write" not in str(caught.value)


def test_endpoints_are_equal_when_address_and_token_are() -> None:
    assert Endpoint("http://h/", "t") == Endpoint("http://h", "t")
    assert Endpoint("http://h", "t") != Endpoint("http://h", "u")


#: What a server trusts to be reached from this machine alone.
LOOPBACK = ("127.0.0.1", "127.8.9.1", "::1", "localhost", "LOCALHOST")
HERE = (
    *("a.localhost", "localhost.", "A.LocalHost.", "0.0.0.0", "::", "0", "127.1"),
    *("0x7f.1", "0x7f000001", "2130706433", "0177.0.0.1", "127.0.0.1."),
    *("::ffff:127.0.0.1", "::ffff:0.0.0.0", "0:0:0:0:0:0:0:1", "::1%lo"),
    "\uff11\uff12\uff17.\uff10.\uff10.\uff11",  # digits of full width
    *("localhost.localdomain", "localhost6", "localhost4.localdomain4"),  # Fedora
    *("ip6-localhost", "ip6-loopback"),  # Debian
    *(socket.gethostname(), f"{socket.gethostname()}.".upper()),
)
ELSEWHERE = (
    *("203.0.113.1", "localhost.example.org", "::2", "example.org", "", "1.2.3"),
    *("localhost5", "ip6-localhost.example.org", "xlocalhost"),
    *("0x08080808", "134744072", "::ffff:8.8.8.8", "127.example.org", "lab"),
)


def test_this_machine_is_known_however_it_is_written() -> None:
    assert [host for host in (*LOOPBACK, *HERE) if not is_this_machine(host)] == []
    assert [host for host in ELSEWHERE if is_this_machine(host)] == []


def test_the_addresses_of_its_interfaces_are_this_machine() -> None:
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as sock:
        sock.connect(("203.0.113.1", 9))  # which sends nothing
        own = sock.getsockname()[0]
    assert is_this_machine(own)


def test_a_server_trusts_no_more_than_loopback_addresses() -> None:
    assert all(map(is_loopback, LOOPBACK))
    unknown = set(HERE) - {"::ffff:127.0.0.1", "0:0:0:0:0:0:0:1", "::1%lo"}
    assert not any(map(is_loopback, (*unknown, *ELSEWHERE)))


@pytest.mark.parametrize("scheme", ["https://", ""])
def test_no_part_of_a_password_with_spaces_is_shown(scheme: str) -> None:
    with pytest.raises(ConfigurationError) as caught:
        check_base_url(f"{scheme}ada:xyz secret words@chat.example.org")
    assert not any(word in str(caught.value) for word in ("ada", "xyz", "secret"))
