"""How often a busy server is asked again."""

from __future__ import annotations

import math
from dataclasses import dataclass

from h2o_magic.errors import BackendError, ConfigurationError, RateLimitedError


@dataclass(frozen=True, slots=True)
class Patience:
    """How often a busy server is asked again before the first token."""

    tries: int = 3
    wait: float = 1.0
    longest_wait: float = 20.0

    def __post_init__(self) -> None:
        if type(self.tries) is not int or self.tries < 1:
            raise ConfigurationError(
                f"expected the tries as a whole number above 0, got {self.tries!r}"
            )
        for name in ("wait", "longest_wait"):
            wait = getattr(self, name)
            number = isinstance(wait, int | float) and not isinstance(wait, bool)
            if not number or not math.isfinite(wait) or wait < 0:
                raise ConfigurationError(f"expected {name} in seconds, got {wait!r}")


DEFAULT_PATIENCE = Patience()


class Waits:
    """The waits for a busy server, for one question."""

    def __init__(self, patience: Patience) -> None:
        self._patience = patience
        self._busy = 0

    def after(self, error: BackendError) -> float | None:
        """Return the seconds after which to ask again, or None to give up.

        Parameters
        ----------
        error
            What the busy server said; a time in it counts instead of our own.
        """
        self._busy += 1
        if self._busy >= self._patience.tries:
            return None
        wait = self._patience.wait * 2 ** (self._busy - 1)
        if isinstance(error, RateLimitedError) and error.retry_after is not None:
            wait = error.retry_after
        return wait if wait <= self._patience.longest_wait else None


def names_a_wait(error: BackendError) -> bool:
    """Return whether the server said when to come back.

    A limit of questions a minute does not pass within seconds, unless it says so.
    """
    return isinstance(error, RateLimitedError) and error.retry_after is not None
