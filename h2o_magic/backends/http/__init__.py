"""HTTP: requests, cookies, waits, and every error in our own words.

The only part of the package that imports ``requests`` and ``urllib3``, which takes some
80 ms: whatever is imported when the extension is loaded must not import this.
"""

from h2o_magic.backends.http.cancellation import Cancellation
from h2o_magic.backends.http.client import Transport
from h2o_magic.backends.http.error_mapping import mapped
from h2o_magic.backends.http.response import Reply
from h2o_magic.backends.http.timeouts import DEFAULT_TIMEOUTS, QUICK, Timeouts
from h2o_magic.config.url import Endpoint

__all__ = [
    "DEFAULT_TIMEOUTS",
    "QUICK",
    "Cancellation",
    "Endpoint",
    "Reply",
    "Timeouts",
    "Transport",
    "mapped",
]
