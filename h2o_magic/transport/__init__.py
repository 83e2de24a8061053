"""HTTP: requests, cookies, waits, and every error in our own words.

The only part of the package that imports ``requests`` and ``urllib3``, which takes some
80 ms: whatever is imported when the extension is loaded must not import this.
"""

from h2o_magic.config.url import Endpoint
from h2o_magic.transport.cancellation import Cancellation
from h2o_magic.transport.client import Transport
from h2o_magic.transport.failures import mapped
from h2o_magic.transport.reply import Reply
from h2o_magic.transport.timeouts import DEFAULT_TIMEOUTS, QUICK, Timeouts

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
