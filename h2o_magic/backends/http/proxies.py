"""The proxy that the environment names for an address, and what its failures mean."""

from __future__ import annotations

import os
from typing import Any, NamedTuple
from urllib.parse import urlsplit

import requests.exceptions as requests_errors
from requests import utils
from urllib3.exceptions import LocationParseError
from urllib3.util import parse_url

from h2o_magic.config.url import is_this_machine, without_login
from h2o_magic.errors import ConfigurationError, ConnectionFailedError, H2OMagicError

_with_scheme: Any = utils.prepend_scheme_if_needed
_SCHEMES = ("http", "https", "socks4", "socks4a", "socks5", "socks5h")
_BYPASS = "or add the host to NO_PROXY"


class Proxy(NamedTuple):
    """A proxy's address, which may hold a login, and the variable that names it."""

    url: str
    variable: str

    def __str__(self) -> str:
        return f"{without_login(self.url)!r} ({self.variable})"

    @property
    def is_valid(self) -> bool:
        try:
            parts = parse_url(_with_scheme(self.url, "http"))
        except LocationParseError:
            return False
        return bool(parts.host) and parts.scheme in _SCHEMES


def proxy_of(server: str) -> Proxy | None:
    """Return the proxy through which requests to an address go, if any."""
    parts = urlsplit(server)
    if not parts.hostname or is_this_machine(parts.hostname):
        return None
    url = utils.select_proxy(server, utils.get_environ_proxies(server))
    names = (f"{parts.scheme}_proxy", "all_proxy")
    spelled = (n for name in names for n in (name, name.upper()))
    variable = next((n for n in spelled if os.environ.get(n) == url), "the system's")
    return Proxy(url, variable) if url else None


def proxy_failure(
    error: Exception, server: str, proxy: Proxy, reason: str
) -> H2OMagicError | None:
    """Return what a failure on the way to a proxy means; None if it is the server's."""
    if not proxy.is_valid:
        return invalid_proxy(proxy)
    if "SOCKS support" in str(error):
        return ConfigurationError(
            f"the proxy {proxy} needs a package that is not installed: run "
            f'`pip install "requests[socks]"`, {_BYPASS}'
        )
    tls = isinstance(error, requests_errors.SSLError)
    if tls or not isinstance(error, requests_errors.ConnectionError):
        return None
    if "407" in reason:
        return proxy_refusal(server, proxy)
    return ConnectionFailedError(
        f"cannot connect to {server} through the proxy {proxy}{reason}", why="proxy"
    )


def invalid_proxy(proxy: Proxy) -> ConfigurationError:
    return ConfigurationError(
        f"expected a proxy like http://HOST:PORT, got {proxy}: correct it, {_BYPASS}"
    )


def proxy_refusal(server: str, proxy: Proxy) -> ConnectionFailedError:
    return ConnectionFailedError(
        f"cannot connect to {server} through the proxy {proxy}, which requires a user "
        "name and a password (407)",
        why="proxy",
    )
