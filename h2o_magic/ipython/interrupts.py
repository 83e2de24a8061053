"""How errors and interrupts of a cell are shown: in one line, without a traceback."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

from IPython.core.error import UsageError

from h2o_magic.errors import (
    BackendError,
    ConfigurationError,
    H2OMagicError,
    StatusError,
)

#: Statuses from 400 to 499 that are not the user's mistake: too slow, too many.
_OF_THE_SERVER = (408, 429)


class AnswerStopped(KeyboardInterrupt):
    """The user stopped an answer. It ends a Run All, and shows one line."""

    def _render_traceback_(self) -> list[str]:
        return [str(self)]


class AnswerError(ConfigurationError):
    """An answer is not in the requested format. It is shown as it came."""


class ServerError(BackendError):
    """The server, or the connection to it, failed. It shows one line."""

    def _render_traceback_(self) -> list[str]:
        return [f"{type(self).__name__}: {self}"]


@contextmanager
def usage_errors() -> Iterator[None]:
    """Turn this package's errors and interrupts into errors of one line.

    IPython tests for exactly ``UsageError``; a subclass would show a traceback.
    """
    try:
        yield
    except H2OMagicError as error:
        line = " ".join(str(error).split())
        if isinstance(error, BackendError) and not _is_refusal(error):
            raise ServerError(line, partial=error.partial) from error
        raise UsageError(line) from error
    except AnswerStopped:
        raise
    except KeyboardInterrupt:
        raise AnswerStopped("Stopped before any text was received.") from None


def _is_refusal(error: BackendError) -> bool:
    """Return whether the server works, and refused what it was given."""
    status = error.status if isinstance(error, StatusError) else 0
    return 400 <= status < 500 and status not in _OF_THE_SERVER
