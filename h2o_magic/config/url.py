"""The address of a server: its base URL and token, checked but not connected to."""

from __future__ import annotations

import ipaddress
import re
import string
from dataclasses import dataclass
from urllib.parse import SplitResult, quote, urlsplit

from h2o_magic.errors import ConfigurationError

_UNPRINTABLE = re.compile(r"[\x00-\x20\x7f\\]")


@dataclass(frozen=True, slots=True, repr=False)
class Endpoint:
    """A server's base URL, and its token if it has one, which ``repr`` masks.

    The token is sent as ``Authorization: Bearer``, to this address only. Making one
    raises ConfigurationError if either cannot be used.
    """

    url: str
    token: str | None = None

    def __post_init__(self) -> None:
        object.__setattr__(self, "url", check_base_url(self.url))
        if self.token is not None:
            check_header_value("the token", self.token)

    def __repr__(self) -> str:
        token = "" if self.token is None else ", token='***'"
        return f"{type(self).__name__}({self.url!r}{token})"


class Key(str):
    """A key, which no tool that shows the variables of a traceback shows."""

    __slots__ = ()

    def __repr__(self) -> str:
        return "'***'"


def check_base_url(url: object) -> str:
    """Return a server's base URL without a trailing slash, its path percent-encoded.

    Accepted are ``http://`` or ``https://``, a host (a name, an IPv4 address or an IPv6
    address in brackets), and optionally a port and a path prefix; ConfigurationError
    for anything else, such as a user name, a query, a fragment or white space.
    """
    shown = re.sub(r"//[^/]*@", "//***@", str(url))
    if not isinstance(url, str) or _UNPRINTABLE.search(url.strip()):
        raise ConfigurationError(
            f"expected a server address like https://chat.example.org, got {shown!r}"
        )
    try:
        parts = urlsplit(url.strip())
        parts.port  # noqa: B018 - reading it checks it
        # ASCII is left as it is: its percent signs are those of an encoded path.
        path = quote(parts.path.rstrip("/"), safe=string.punctuation)
    except ValueError as error:
        raise ConfigurationError(f"invalid server address {shown!r}: {error}") from None
    _check_parts(parts, shown)
    return f"{parts.scheme}://{parts.netloc.lower()}{path}"


def _check_parts(parts: SplitResult, shown: str) -> None:
    if parts.scheme not in ("http", "https") or not parts.hostname:
        raise ConfigurationError(
            f"expected a server address that starts with http:// or https:// and "
            f"names a host, got {shown!r}"
        )
    if "@" in parts.netloc:
        raise ConfigurationError(
            f"a server address must not contain a user name or password ({shown!r}): "
            "pass the key separately (`--key-env VAR`, in Python `token=...`)"
        )
    if parts.query or parts.fragment:
        raise ConfigurationError(
            f"expected a server address without '?' or '#', got {shown!r}"
        )
    if parts.port == 0 or parts.netloc.endswith(":"):
        raise ConfigurationError(f"expected a port from 1 to 65535, got {shown!r}")


def check_header_value(what: str, value: object) -> str:
    """Return `value` if it can be sent in an HTTP header; no message ever shows it.

    ConfigurationError if it is empty or not text of visible ASCII characters.
    """
    if not isinstance(value, str) or not re.fullmatch(r"[\x21-\x7e]+", value):
        raise ConfigurationError(
            f"{what} must be visible ASCII characters without spaces or line ends"
        )
    return value


def is_loopback(host: str) -> bool:
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return host == "localhost" or host.endswith(".localhost")
