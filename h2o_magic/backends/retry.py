"""How often a busy server is asked again."""

from __future__ import annotations

import math
from dataclasses import dataclass

from h2o_magic.errors import BackendError, ConfigurationError, RateLimitedError

#: HTTP statuses of a server that is busy, or fails only for the moment; Cloudflare's
#: and others' own among them.
BUSY_STATUSES = frozenset({408, 409, 425, *range(500, 600)} - {501, 505, 511})


@dataclass(frozen=True, slots=True)
class RetryPolicy:
    """How often a busy server is asked again before the first token.

    The waits, in seconds, double from `wait` on; a wait that the server asks for is
    used instead. A wait above `longest_wait` ends the retries.
    """

    tries: int = 3
    wait: float = 1.0
    longest_wait: float = 20.0

    def __post_init__(self) -> None:
        if type(self.tries) is not int or self.tries < 1:
            raise ConfigurationError(
                f"expected tries as a whole number above 0, got {self.tries!r}"
            )
        for name in ("wait", "longest_wait"):
            wait = getattr(self, name)
            number = isinstance(wait, int | float) and not isinstance(wait, bool)
            if not number or not math.isfinite(wait) or wait < 0:
                raise ConfigurationError(f"expected {name} in seconds, got {wait!r}")

    def delay(self, failures: int, error: BackendError) -> float | None:
        """Return the seconds to wait after so many failures; None to give up."""
        wait = requested_wait(error)
        if wait is None:
            wait = self.wait * 2 ** (failures - 1)
        return wait if failures < self.tries and wait <= self.longest_wait else None


DEFAULT_RETRY_POLICY = RetryPolicy()


def requested_wait(error: BackendError) -> float | None:
    """Return the seconds that a server asks to wait; None if it does not say."""
    return error.retry_after if isinstance(error, RateLimitedError) else None
