"""The HTTP client: requests, cookies, timeouts, and every failure as an error of ours.

The only room that imports ``requests`` and ``urllib3``, which takes some 80 ms:
whatever is imported when the extension is loaded must not import this.
"""

from h2o_magic.backends.http.client import DEFAULT_CONNECTIONS, HttpClient
from h2o_magic.backends.http.connections import Cancellation
from h2o_magic.backends.http.response import (
    DEFAULT_TIMEOUTS,
    QUICK,
    Response,
    Timeouts,
)
from h2o_magic.config.url import Endpoint

__all__ = [
    "DEFAULT_CONNECTIONS",
    "DEFAULT_TIMEOUTS",
    "QUICK",
    "Cancellation",
    "Endpoint",
    "HttpClient",
    "Response",
    "Timeouts",
]
