"""What may be tried again before the first token, and when.

Pure. The failures are those of chat-ui of June 2023 and text-generation-inference 0.9
(tests/recordings). Nothing is tried again once a token was shown.
"""

from __future__ import annotations

from h2o_magic.backends.patience import DEFAULT_PATIENCE, Patience
from h2o_magic.errors import (
    BackendError,
    ConnectionFailedError,
    GenerationError,
    RateLimitedError,
    StatusError,
)

__all__ = [
    "Repairs",
    "conversation_lost",
    "terms_missing",
]


_BUSY_STATUSES = {429, 502, 503, 504}


class Repairs:
    """The repairs of one question. Each kind is done once; a busy server has patience.

    Parameters
    ----------
    patience
        How often to ask a busy server.
    """

    def __init__(self, patience: Patience = DEFAULT_PATIENCE) -> None:
        self._patience = patience
        self._done: set[str] = set()
        self._busy = 0

    def delay(self, error: BackendError) -> float | None:
        """Return the seconds after which to try again, or None to give up.

        Parameters
        ----------
        error
            The failure of the last try, which came before any token.
        """
        if _is_busy(error):
            return self._next_wait(error)
        kind = _repairable(error)
        if kind is None or kind in self._done:
            return None
        self._done.add(kind)
        return 0.0

    def _next_wait(self, error: BackendError) -> float | None:
        self._busy += 1
        if self._busy >= self._patience.tries:
            return None
        wait = self._patience.wait * 2 ** (self._busy - 1)
        if isinstance(error, RateLimitedError) and error.retry_after is not None:
            wait = error.retry_after
        return wait if wait <= self._patience.longest_wait else None


def conversation_lost(error: BackendError | None) -> bool:
    """Return whether the server does not know the conversation (any more)."""
    return _has(error, 404, "conversation not found")


def terms_missing(error: BackendError | None) -> bool:
    """Return whether the server session has not accepted the terms."""
    return _has(error, 405, "modal")


def _has(error: BackendError | None, status: int, words: str) -> bool:
    return (
        isinstance(error, StatusError)
        and error.status == status
        and words in error.server_message.lower()
    )


def _repairable(error: BackendError) -> str | None:
    if conversation_lost(error):
        return "conversation"
    if terms_missing(error):
        return "terms"
    if isinstance(error, ConnectionFailedError):
        return "connection"
    failed = isinstance(error, GenerationError) and error.error_type == "generation"
    if failed or (isinstance(error, StatusError) and error.status == 424):
        return "generation"
    return None


def _is_busy(error: BackendError) -> bool:
    if isinstance(error, GenerationError):
        return error.error_type == "overloaded"
    if not isinstance(error, StatusError) or error.status not in _BUSY_STATUSES:
        return False
    # Limits of messages a minute, or before a login, do not pass within seconds.
    asked_to_wait = (
        isinstance(error, RateLimitedError) and error.retry_after is not None
    )
    return error.status != 429 or asked_to_wait or "overloaded" in error.server_message
