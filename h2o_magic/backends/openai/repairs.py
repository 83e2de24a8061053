"""What may be tried again before the first text, with which body, and when.

Pure. The failures are those in tests/recordings/openai, and those that hosted services
document. Nothing is tried again once text came.
"""

from __future__ import annotations

from dataclasses import dataclass

from h2o_magic.backends.openai.errors import blames_question, lacks_quota
from h2o_magic.backends.openai.request import Body
from h2o_magic.backends.retry import Patience, Waits, names_a_wait
from h2o_magic.errors import BackendError, GenerationError, StatusError

_REFUSED = frozenset({400, 422})
#: A server that starts, loads a model or is overloaded, or what stands before it.
_BUSY = frozenset({408, 500, 502, 503, 504, 529})
#: What an error in the stream is called then.
_BUSY_TYPES = frozenset(map(str, _BUSY)) | {"overloaded", "overloaded_error"}
_MOST_MENDED = 8  # there are not more fields that could be left out


@dataclass(frozen=True, slots=True)
class Repair:
    """What to try next."""

    body: Body | None
    delay: float = 0.0


class Repairs:
    """The repairs of one question."""

    def __init__(self, patience: Patience) -> None:
        self._waits = Waits(patience)
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
        if _is_busy(error, body):
            delay = self._waits.after(error)
            return None if delay is None else Repair(body, delay)
        mended = body.mended(_refusal(error)) if body is not None else None
        if mended is None or self._mended == _MOST_MENDED:
            return None
        self._mended += 1
        return Repair(mended)


def _is_busy(error: BackendError, body: Body | None) -> bool:
    if isinstance(error, GenerationError):
        return error.error_type in _BUSY_TYPES
    if not isinstance(error, StatusError):
        return False
    if error.status == 429:
        return names_a_wait(error) and not lacks_quota(error)
    # Some servers answer 500 where it is the question that they cannot take.
    return error.status in _BUSY and not blames_question(error.server_message, body)


def _refusal(error: BackendError) -> str:
    """Return what the server said about the request, if it refused it."""
    if isinstance(error, StatusError):
        return error.server_message if error.status in _REFUSED else ""
    return str(error) if isinstance(error, GenerationError) else ""
