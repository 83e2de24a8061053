"""What may be tried again before the first text, with which body, and when.

Pure. The failures are those in tests/recordings/openai. A status of 500 is often the
client's own fault there, so it is never tried again; and nothing is once text came.
"""

from __future__ import annotations

from dataclasses import dataclass

from h2o_magic.backends.openai.request import Body
from h2o_magic.backends.patience import Patience
from h2o_magic.errors import (
    BackendError,
    GenerationError,
    RateLimitedError,
    StatusError,
)

__all__ = ["Repair", "Repairs"]

_REFUSED = frozenset({400, 422})
_BUSY = frozenset({502, 503})  # a server that starts, or loads a model
_MOST_MENDED = 8  # there are not more fields that could be left out


@dataclass(frozen=True, slots=True)
class Repair:
    """What to try next.

    Attributes
    ----------
    body : Body or None
        The body to send; None if none was made yet.
    delay : float
        Seconds to wait before that.
    """

    body: Body | None
    delay: float = 0.0


class Repairs:
    """The repairs of one question.

    Parameters
    ----------
    patience
        How often to ask a busy server.
    """

    def __init__(self, patience: Patience) -> None:
        self._patience = patience
        self._busy = 0
        self._mended = 0

    def after(self, error: BackendError, body: Body | None) -> Repair | None:
        """Return what to try after a failure; None to give up.

        Parameters
        ----------
        error
            The failure of the last try, which came before any text.
        body
            What was sent then.
        """
        if _is_busy(error):
            delay = self._next_wait(error)
            return None if delay is None else Repair(body, delay)
        mended = body.mended(_refusal(error)) if body is not None else None
        if mended is None or self._mended == _MOST_MENDED:
            return None
        self._mended += 1
        return Repair(mended)

    def _next_wait(self, error: BackendError) -> float | None:
        self._busy += 1
        if self._busy >= self._patience.tries:
            return None
        wait = self._patience.wait * 2 ** (self._busy - 1)
        if isinstance(error, RateLimitedError) and error.retry_after is not None:
            wait = error.retry_after
        return wait if wait <= self._patience.longest_wait else None


def _is_busy(error: BackendError) -> bool:
    if not isinstance(error, StatusError):
        return False
    # A limit of questions a minute does not pass within seconds, unless it says so.
    asked_to_wait = (
        isinstance(error, RateLimitedError) and error.retry_after is not None
    )
    return error.status in _BUSY or (error.status == 429 and asked_to_wait)


def _refusal(error: BackendError) -> str:
    """Return what the server said about the request, if it refused it."""
    if isinstance(error, StatusError):
        return error.server_message if error.status in _REFUSED else ""
    return str(error) if isinstance(error, GenerationError) else ""
