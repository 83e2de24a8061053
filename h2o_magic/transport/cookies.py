"""What cookies go to a server: those that it gave, whatever it calls them."""

from __future__ import annotations

import re
from http.cookiejar import DefaultCookiePolicy
from urllib.parse import urlsplit

__all__ = ["any_scheme", "domain_of"]

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
