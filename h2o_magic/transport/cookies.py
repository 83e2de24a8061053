"""What cookies go to a server: those that it gave, whatever it calls them."""

from __future__ import annotations

import http.client
import re
from http.cookiejar import Cookie, CookieJar, DefaultCookiePolicy
from typing import Any
from urllib.parse import urlsplit
from urllib.request import Request

__all__ = ["Cookies", "any_scheme", "domain_of"]

_PORT = re.compile(r":[0-9]+$")


def any_scheme() -> DefaultCookiePolicy:
    """Return the policy by which a cookie goes back to where it came from.

    A server behind plain http may still call its cookie "Secure". It goes to the
    configured origin only, which is where it came from.
    """
    return DefaultCookiePolicy(secure_protocols=("http", "https"))


def domain_of(url: str) -> str:
    """Return what a jar of :mod:`http.cookiejar` calls the host of a URL."""
    host = _PORT.sub("", urlsplit(url).netloc)
    return host if "." in host else f"{host}.local"


class Cookies:
    """The cookies of one server.

    Parameters
    ----------
    url
        Its base URL.
    """

    def __init__(self, url: str) -> None:
        self._url = url
        self._jar = CookieJar(any_scheme())

    def header(self, path: str) -> str | None:
        """Return what a request of this path below the base URL says of them."""
        asked = self._request(path)
        self._jar.add_cookie_header(asked)
        return asked.get_header("Cookie")

    def take(self, response: http.client.HTTPResponse, path: str) -> None:
        """Keep those that the answer to such a request brings."""
        self._jar.extract_cookies(response, self._request(path))

    def keep(self, name: str, value: str) -> None:
        """Keep one until the server replaces it."""
        self._jar.set_cookie(_cookie(name, value, domain_of(self._url)))

    def _request(self, path: str) -> Request:
        return Request(self._url + path)  # noqa: S310 - of http alone


def _cookie(name: str, value: str, domain: str) -> Cookie:
    """Return a cookie of one host, for all its paths, until the program ends."""
    unset: dict[str, Any] = dict.fromkeys(("port", "expires", "comment", "comment_url"))
    return Cookie(
        version=0,
        name=name,
        value=value,
        port_specified=False,
        domain=domain,
        domain_specified=bool(domain),
        domain_initial_dot=False,
        path="/",
        path_specified=True,
        secure=False,
        discard=True,
        rest={},
        **unset,
    )
