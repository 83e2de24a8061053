"""Where a server is: its base URL and the token that it asks for.

Pure: nothing is looked up or connected here.
"""

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
    """A server's address, with the token that it asks for if it asks for one.

    Equal endpoints have equal addresses and tokens. The token is masked in ``repr``.

    Attributes
    ----------
    url : str
        Base URL as :func:`check_base_url` returns it.
    token : str or None
        Sent as ``Authorization: Bearer``, to this address only.

    Raises
    ------
    ConfigurationError
        If the URL or the token cannot be used.
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


def check_base_url(url: object) -> str:
    """Return a server's base URL without a slash at its end, its path in ASCII.

    Parameters
    ----------
    url
        ``http://`` or ``https://``, a host (a name, an IPv4 address or an IPv6 address
        in brackets), and optionally a port and a path prefix, which is kept; what is
        not ASCII in it is percent-encoded.

    Raises
    ------
    ConfigurationError
        If it is anything else: another scheme, no host, a bad port, a user name or
        password, a query, a fragment, white space or control characters.
    """
    shown = _without_user(url)
    if not isinstance(url, str) or _UNPRINTABLE.search(url.strip()):
        raise ConfigurationError(
            f"expected a server address like https://chat.example.org, got {shown!r}"
        )
    try:
        parts = urlsplit(url.strip())
        parts.port  # noqa: B018 - reading it checks it
        # What is ASCII stays: its percent signs are those of an encoded path.
        path = quote(parts.path.rstrip("/"), safe=string.punctuation)
    except ValueError as error:
        raise ConfigurationError(f"{shown!r} is no server address: {error}") from None
    _check_parts(parts, shown)
    host = parts.netloc.lower()
    return f"{parts.scheme}://{host}{path}"


def _check_parts(parts: SplitResult, shown: str) -> None:
    if parts.scheme not in ("http", "https") or not parts.hostname:
        raise ConfigurationError(
            f"expected a server address that starts with http:// or https:// and "
            f"names a host, got {shown!r}"
        )
    if "@" in parts.netloc:
        raise ConfigurationError(
            f"a server address must not hold a user name or password ({shown!r}): "
            "give the key apart from it (`--key-env VAR`, in Python `token=...`)"
        )
    if parts.query or parts.fragment:
        raise ConfigurationError(
            f"a server address has no '?' or '#', got {shown!r}: give the part before"
        )
    if parts.port == 0 or parts.netloc.endswith(":"):
        raise ConfigurationError(f"expected a port from 1 to 65535, got {shown!r}")


def check_header_value(what: str, value: object) -> str:
    """Return `value` if it can stand in an HTTP header, without ever showing it.

    Raises
    ------
    ConfigurationError
        If it is no text, is empty, or has line ends, control or other characters than
        visible ASCII.
    """
    if not isinstance(value, str) or not re.fullmatch(r"[\x21-\x7e]+", value):
        raise ConfigurationError(
            f"{what} must be visible ASCII characters without spaces or line ends"
        )
    return value


def _without_user(url: object) -> str:
    return re.sub(r"//[^/]*@", "//***@", str(url))


def is_loopback(host: str) -> bool:
    """Return whether `host` is this machine, by its name or address."""
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return host == "localhost" or host.endswith(".localhost")
