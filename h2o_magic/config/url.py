"""The address of a server: its base URL and token, checked but not connected to."""

from __future__ import annotations

import ipaddress
import re
import socket
import string
import unicodedata
from contextlib import suppress
from dataclasses import dataclass
from urllib.parse import SplitResult, parse_qsl, quote, urlsplit

from h2o_magic.errors import ConfigurationError

_UNPRINTABLE = re.compile(r"[\x00-\x20\x7f\\]")
#: What stands around an address in the text that it is copied from.
_AROUND = string.whitespace + "\"'`<>.,;“”"
#: An address among other words, such as a command's.
_ADDRESS = re.compile(r"https?://[^/\s\\\"'`<>][^\s\\\"'`<>]*")
_NO_SCHEME = re.compile(r"([\w.-]+|\[[0-9A-Fa-f:.]+\])(?::(\d+))?(?:/.*)?")
#: Where Azure's older API is, and perhaps a deployment in it.
_AZURE = re.compile(
    r"(.+?)/openai(?:/deployments/([^/]+))?(?:/.*)?|(.+?\.azure\.com)(?:/.*)?"
)
#: Names of parts of a query whose values are secrets.
_SECRET = re.compile(r"key|token|secret|auth|passw|\bsig|\bcode")
#: What systems call this machine in their tables of hosts, besides ``localhost``.
_LOCAL = re.compile(
    r"localhost[46]?(?:\.localdomain[46]?)?|ip6-(?:localhost|loopback)|.+\.localhost"
)
#: A part of an IPv4 address, or all of it, in any base.
_NUMBERS = re.compile(r"(?:0x[0-9a-f]+|\d+)(?:\.(?:0x[0-9a-f]+|\d+)){0,3}")


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
    address in brackets), and optionally a port and a path; quotes and punctuation
    around it are left out. ConfigurationError, with what to write, for anything else,
    such as a user name, a query, a fragment or other words; it shows no secret.
    """
    text = url.strip(_AROUND) if isinstance(url, str) else ""
    if not text or _UNPRINTABLE.search(text):
        raise _not_an_address(url)
    shown = _shown(text)
    try:
        parts = urlsplit(text)
        parts.port  # noqa: B018 - reading it checks it
        # ASCII is left as it is: its percent signs are those of an encoded path.
        path = quote(parts.path.rstrip("/"), safe=string.punctuation)
    except ValueError:
        raise ConfigurationError(
            f"invalid server address {shown!r}: check its host and its port"
        ) from None
    _check_parts(parts, shown)
    base = f"{parts.scheme}://{parts.netloc.lower()}{path}"
    if parts.query or parts.fragment:
        raise _with_more(base, parts.query, shown)
    return base


def without_login(url: str) -> str:
    """Return an address for a message, without a user name and a password."""
    return re.sub(r"^(\w+://)?.*@", r"\1***@", url, flags=re.DOTALL)


def _shown(url: object) -> str:
    """Return an address for a message, without what may be a secret."""
    masked = without_login(str(url).strip())
    head = re.split(r"(?<=[?#])|[\s\x00-\x1f]", masked)[0]
    return head if head == masked else f"{head}…"


def _not_an_address(url: object) -> ConfigurationError:
    found = _ADDRESS.search(without_login(url)) if isinstance(url, str) else None
    if found is None:
        return ConfigurationError(
            f"expected a server address like https://chat.example.org, "
            f"got {_shown(url)!r}"
        )
    return ConfigurationError(
        f"expected a server address alone, got more words: write "
        f"{check_base_url(found[0])}"
    )


def _check_parts(parts: SplitResult, shown: str) -> None:
    if parts.scheme not in ("http", "https") or not parts.hostname:
        raise ConfigurationError(
            f"expected a server address that starts with http:// or https:// and "
            f"names a host, got {shown!r}{_with_scheme(shown)}"
        )
    if "@" in parts.netloc:
        raise ConfigurationError(
            f"a server address must not contain a user name or password ({shown!r}): "
            "pass the key separately (`--key-env VAR`, in Python `key_env=...`)"
        )
    if parts.port == 0 or parts.netloc.endswith(":"):
        raise ConfigurationError(f"expected a port from 1 to 65535, got {shown!r}")


def _with_scheme(text: str) -> str:
    """Return what to write in place of an address without a scheme, if it is one."""
    if scheme := re.match(r"(https?)[:/]+(?=[^:/])", text):
        return f": write {scheme[1]}://{text[scheme.end() :]}"
    if found := _ADDRESS.search(text):  # BASE_URL=https://...
        return f": write {found[0]}"
    match = _NO_SCHEME.fullmatch(text)
    if match is None:
        return ""
    host, port = match.groups()
    secure = port == "443" or (port is None and not is_this_machine(host.strip("[]")))
    return f": write {'https' if secure else 'http'}://{text}"


def _with_more(base: str, query: str, shown: str) -> ConfigurationError:
    """Return the error of an address with a query or a fragment: none is sent."""
    names = {name.lower() for name, _ in parse_qsl(query, keep_blank_values=True)}
    if "api-version" in names and (azure := _AZURE.fullmatch(base)):
        model = f" (its model is {azure[2]})" if azure[2] else ""
        return ConfigurationError(
            "expected the address of Azure's API that takes keys as other servers do, "
            "got one with `?api-version=`: write "
            f"{azure[1] or azure[3]}/openai/v1{model}"
        )
    hint = f"write {base}"
    if any(map(_SECRET.search, names)):
        hint = f"write `%h2o connect {base} --key-env VAR`, where VAR holds the key"
    return ConfigurationError(
        f"expected a server address without '?' or '#', got {shown!r}, whose end would "
        f"not be sent along: {hint}"
    )


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
    """Return whether a host is a loopback address, or ``localhost``, and so written."""
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return host.lower() == "localhost"


def is_this_machine(host: str) -> bool:
    """Return whether a host is the machine that this runs on, however it is written.

    Nothing is sent, and no name is looked up.
    """
    name = unicodedata.normalize("NFKC", host).rstrip(".").lower()
    address = _ip_address(name.partition("%")[0])
    if address is None:
        own = socket.gethostname().lower()
        short = own.partition(".")[0]
        return bool(_LOCAL.fullmatch(name)) or name in (own, short, f"{short}.local")
    return address.is_loopback or address.is_unspecified or _is_own(str(address))


def _ip_address(host: str) -> ipaddress.IPv4Address | ipaddress.IPv6Address | None:
    with suppress(ValueError):
        address = ipaddress.ip_address(host)
        return getattr(address, "ipv4_mapped", None) or address
    with suppress(OSError):  # 127.1, 0x7f.1 and 2130706433 are 127.0.0.1, too
        if _NUMBERS.fullmatch(host):
            return ipaddress.IPv4Address(socket.inet_aton(host))
    return None


def _is_own(address: str) -> bool:
    """Return whether one of this machine's interfaces has an address."""
    family = socket.AF_INET6 if ":" in address else socket.AF_INET
    with suppress(OSError), socket.socket(family, socket.SOCK_DGRAM) as sock:
        sock.connect((address, 9))  # which sends nothing, and chooses an interface
        return str(sock.getsockname()[0]) == address
    return False
