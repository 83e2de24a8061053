"""How errors and interrupts of a cell are shown: in one line, without a traceback."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

from IPython.core.error import UsageError

from h2o_magic.errors import BackendError, ConfigurationError, H2OMagicError


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
    except BackendError as error:
        line = " ".join(str(error).split())
        raise ServerError(line, partial=error.partial) from error
    except H2OMagicError as error:
        raise UsageError(" ".join(str(error).split())) from error
    except AnswerStopped:
        raise
    except KeyboardInterrupt:
        raise AnswerStopped("Stopped before any text was received.") from None
