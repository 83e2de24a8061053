"""The one tree of errors that h2o_magic raises.

::

    H2OMagicError
    ├── ConfigurationError      what the user gave cannot be used; nothing was sent
    │   ├── ParameterError      a generation parameter: unknown, wrong type or range
    │   ├── MessagesError       a list of chat messages that no server would accept
    │   └── MissingExtraError   an optional part of the package is not installed
    ├── BackendError            the server, or the connection to it, failed
    │   ├── ConnectionFailedError   refused, unknown host, TLS, lost before an answer
    │   ├── TimedOutError           a timeout: connect, first byte, between bytes
    │   ├── StatusError             an HTTP status other than success
    │   │   └── RateLimitedError    429, with the seconds to wait if the server says so
    │   ├── ProtocolError           a response that breaks the protocol
    │   ├── GenerationError         the server reported that generation failed
    │   └── IncompleteAnswerError   the stream ended without its final event
    ├── StoreError              the file with the conversations cannot be used
    └── MisuseError             the program used an object wrongly (also a RuntimeError)

and one warning, :class:`DemoWeightsWarning`.

A message says what was expected, what was received, and what to do. No message ever
contains a key, a token or a cookie.
"""

from __future__ import annotations

import difflib
import re
from collections.abc import Iterable
from types import UnionType


class H2OMagicError(Exception):
    """Base class of all errors of this package."""


class ConfigurationError(H2OMagicError):
    """The input cannot be used; nothing was sent."""


class ParameterError(ConfigurationError):
    """A generation parameter is unknown, of the wrong type or out of range."""


class MessagesError(ConfigurationError):
    """A list of chat messages is empty, malformed or does not end with a question."""


class MissingExtraError(ConfigurationError):
    """An optional part of the package is needed but not installed."""

    def __init__(self, purpose: str, extra: str) -> None:
        super().__init__(
            f"{purpose} needs packages that are not installed: run "
            f"`pip install {' '.join(_packages(extra))}`"
        )


def _packages(extra: str) -> list[str]:
    # Not `h2o-magic[extra]`: no package index has this package.
    from importlib.metadata import requires  # noqa: PLC0415 - only for this error

    lines = [line.partition(";") for line in requires("h2o-magic") or ()]
    of_extra = re.compile(rf"""extra\s*==\s*['"]{extra}['"]""")
    found = [name.strip() for name, _, marker in lines if of_extra.search(marker)]
    return [f'"{name}"' if re.search(r"[<>=]", name) else name for name in found]


class BackendError(H2OMagicError):
    """The server, or the connection to it, failed.

    Attributes
    ----------
    partial : str
        Answer text that arrived before the failure; may be empty.
    """

    def __init__(self, message: str, *, partial: str = "") -> None:
        super().__init__(message)
        self.partial = partial


class ConnectionFailedError(BackendError):
    """The server could not be reached, or the connection was lost before an answer.

    Attributes
    ----------
    why : str
        ``refused``, ``unknown host``, ``certificate``, ``expired``, ``other name``,
        ``no TLS``, ``bundle`` or ``proxy``; empty for any other reason.
    """

    def __init__(self, message: str, *, why: str = "", partial: str = "") -> None:
        super().__init__(message, partial=partial)
        self.why = why


class TimedOutError(BackendError):
    """The server did not respond in time.

    Attributes
    ----------
    connecting : bool
        True if connecting timed out.
    """

    def __init__(
        self, message: str, *, connecting: bool = False, partial: str = ""
    ) -> None:
        super().__init__(message, partial=partial)
        self.connecting = connecting


class StatusError(BackendError):
    """The server answered with an HTTP status other than success.

    Attributes
    ----------
    status : int
        The HTTP status code.
    server_message : str
        The server's error message, shortened; may be empty.
    """

    def __init__(
        self,
        message: str,
        *,
        status: int,
        server_message: str = "",
        partial: str = "",
    ) -> None:
        super().__init__(message, partial=partial)
        self.status = status
        self.server_message = server_message


class RateLimitedError(StatusError):
    """The server limits the rate of requests (429).

    Attributes
    ----------
    retry_after : float or None
        Seconds to wait, if the server sent them.
    """

    def __init__(
        self,
        message: str,
        *,
        status: int = 429,
        server_message: str = "",
        retry_after: float | None = None,
    ) -> None:
        super().__init__(message, status=status, server_message=server_message)
        self.retry_after = retry_after


class ProtocolError(BackendError):
    """The server's response breaks the protocol."""


class GenerationError(BackendError):
    """The server reported that generating the answer failed.

    Attributes
    ----------
    error_type : str
        The server's type of the error (``validation``, ``overloaded``, ``generation``,
        ...); may be empty.
    """

    def __init__(
        self, message: str, *, error_type: str = "", partial: str = ""
    ) -> None:
        super().__init__(message, partial=partial)
        self.error_type = error_type


class IncompleteAnswerError(BackendError):
    """The stream ended without its final event; the answer may be incomplete."""


class StoreError(H2OMagicError):
    """The file with the conversations cannot be used.

    Attributes
    ----------
    what, remedy : str
        What happened, and what the user can do about it.
    readable : bool
        False if this version cannot read the file's format.
    """

    def __init__(self, what: str, remedy: str, *, readable: bool = True) -> None:
        super().__init__(f"{what}: {remedy}")
        self.what = what
        self.remedy = remedy
        self.readable = readable


class MisuseError(H2OMagicError, RuntimeError):
    """An object of this package was used incorrectly."""


class DemoWeightsWarning(UserWarning):
    """The built-in demo weights answered: the model's own are not installed."""


def did_you_mean(name: str, known: Iterable[str], *, most: int | None = None) -> str:
    """Return a hint for an unknown name.

    Parameters
    ----------
    name, known
        The unknown name, and the accepted names.
    most
        The largest number of names to list, the most similar ones; None for all.

    Returns
    -------
    str
        ``"did you mean 'x'?"`` where one name is similar, else ``"known: a, b, c"`` or
        ``"known: a, b and 7 others"``.
    """
    candidates = list(known)
    near = nearest(name, candidates)
    if near is not None:
        return f"did you mean {near!r}?"
    if most is None or len(candidates) <= most:
        return f"known: {', '.join(sorted(candidates))}"
    wanted = _normalize(name)
    score = {
        c: difflib.SequenceMatcher(None, wanted, _normalize(c)).ratio()
        for c in candidates
    }
    listed = sorted(sorted(candidates, key=score.__getitem__)[-most:])
    rest = len(candidates) - most
    return f"known: {', '.join(listed)} and {rest} other{'s' if rest > 1 else ''}"


def nearest(name: str, known: Iterable[str]) -> str | None:
    """Return the known name that `name` abbreviates or resembles most, or None."""
    wanted = _normalize(name)
    by_normalized = {_normalize(candidate): candidate for candidate in known}
    found = [n for n in by_normalized if wanted and n.startswith(wanted)]
    found = found or difflib.get_close_matches(wanted, by_normalized, 1, 0.5)
    return by_normalized[found[0]] if found else None


def _normalize(name: str) -> str:
    # Options are typed with dashes or underscores; both spellings are one name.
    return name.replace("-", "_").strip("_").lower()


def expect(
    what: str, value: object, kind: type | UnionType, *, optional: bool = False
) -> None:
    """Check the type of an argument; a bool does not count as a number.

    Parameters
    ----------
    what
        The argument, for the message: ``"a turn's number"``.
    optional
        True accepts None, too.

    Raises
    ------
    ConfigurationError
        If `value` is not of the type `kind`.
    """
    if optional and value is None:
        return
    if not isinstance(value, kind) or (isinstance(value, bool) and kind is not bool):
        wanted = getattr(kind, "__name__", str(kind))
        raise ConfigurationError(
            f"expected {what} ({wanted}), got {type(value).__name__}"
        )
