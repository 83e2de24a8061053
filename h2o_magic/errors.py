"""The one tree of errors that h2o_magic raises.

::

    H2OMagicError
    ├── ConfigurationError      what the user gave cannot be used; nothing was sent
    │   ├── ParameterError      a generation parameter: unknown, wrong type or range
    │   ├── MessagesError       a list of chat messages that no server would accept
    │   └── MissingExtraError   an optional part of the package is not installed
    ├── BackendError            the server, or the way to it, failed
    │   ├── ConnectionFailedError   refused, unknown host, TLS, lost before an answer
    │   ├── TimedOutError           a wait ran out: connect, first byte, between bytes
    │   ├── StatusError             an HTTP status other than success
    │   │   └── RateLimitedError    429, with the seconds to wait if the server says so
    │   ├── ProtocolError           an answer that is not what the protocol allows
    │   ├── GenerationError         the server said that generating failed
    │   └── IncompleteAnswerError   the stream ended without its final event
    ├── StoreError              the file that keeps the conversations cannot be used
    └── MisuseError             the program used an object wrongly (also a RuntimeError)

and the one warning, :class:`DemoWeightsWarning`, which is no error.

A message says what was expected, what came, and what to do. No message ever holds a
key, a token or a cookie.
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from types import UnionType


class H2OMagicError(Exception):
    """Base of everything that this package raises on purpose."""


class ConfigurationError(H2OMagicError):
    """What the user gave cannot be used; nothing was sent."""


class ParameterError(ConfigurationError):
    """A generation parameter is unknown, of the wrong type or out of range."""


class MessagesError(ConfigurationError):
    """A list of chat messages is empty, malformed or does not end with a question."""


class MissingExtraError(ConfigurationError):
    """An optional part of the package is needed and not installed."""

    def __init__(self, purpose: str, extra: str) -> None:
        super().__init__(
            f"{purpose} needs packages that are not installed: run "
            f"`pip install {' '.join(_packages(extra))}`"
        )


def _packages(extra: str) -> list[str]:
    """Return what an extra brings, as pip takes it.

    Nothing of this name is on a package index, so the packages are named themselves.
    """
    from importlib.metadata import requires  # noqa: PLC0415 - an error is being made

    marked = [line.partition(";") for line in requires("h2o-magic") or ()]
    of = re.compile(rf"""extra\s*==\s*['"]{extra}['"]""")
    found = [name.strip() for name, _, marker in marked if of.search(marker)]
    return [f'"{name}"' if re.search(r"[<>=]", name) else name for name in found]


class BackendError(H2OMagicError):
    """The server, or the way to it, failed.

    Attributes
    ----------
    partial : str
        Answer text that had arrived before the failure; empty if none had.
    """

    def __init__(self, message: str, *, partial: str = "") -> None:
        super().__init__(message)
        self.partial = partial


class ConnectionFailedError(BackendError):
    """The server could not be reached, or the connection was lost before an answer.

    Attributes
    ----------
    why : str
        Why there is no connection: ``refused``, ``unknown host``, ``certificate``,
        ``expired``, ``other name``, ``no TLS``, ``bundle`` or ``proxy``; empty if it
        is none of these.
    """

    def __init__(self, message: str, *, why: str = "", partial: str = "") -> None:
        super().__init__(message, partial=partial)
        self.why = why


class TimedOutError(BackendError):
    """A wait ran out of time.

    Attributes
    ----------
    connecting : bool
        True if it was the wait for the connection.
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
        The server's own words, shortened; empty if it sent none.
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
    """The server asks to slow down (429).

    Attributes
    ----------
    retry_after : float or None
        Seconds to wait, where the server said so.
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
    """The server's answer is not what its protocol allows."""


class GenerationError(BackendError):
    """The server reported that generating the answer failed.

    Attributes
    ----------
    error_type : str
        The server's class of the error (``validation``, ``overloaded``,
        ``generation``, ...); empty if it gave none.
    """

    def __init__(
        self, message: str, *, error_type: str = "", partial: str = ""
    ) -> None:
        super().__init__(message, partial=partial)
        self.error_type = error_type


class IncompleteAnswerError(BackendError):
    """The stream ended without its final event, so the answer may lack its end."""


class StoreError(H2OMagicError):
    """The file that keeps the conversations cannot be used, or no longer.

    Attributes
    ----------
    what : str
        What happened.
    remedy : str
        What the user can do about it.
    readable : bool
        False if the file is none that this version could read.
    """

    def __init__(self, what: str, remedy: str, *, readable: bool = True) -> None:
        super().__init__(f"{what}: {remedy}")
        self.what = what
        self.remedy = remedy
        self.readable = readable


class MisuseError(H2OMagicError, RuntimeError):
    """The program used an object of this package in a way it does not allow."""


class DemoWeightsWarning(UserWarning):
    """Other weights have answered, since the model's own are not there."""


def did_you_mean(name: str, known: Iterable[str], *, most: int | None = None) -> str:
    """Return a half sentence that helps with an unknown name.

    Parameters
    ----------
    name
        What was given.
    known
        The accepted names.
    most
        How many of them are named at most, those that are most like it; None for all.

    Returns
    -------
    str
        ``"did you mean 'x'?"`` where one name is near, else ``"known: a, b, c"`` or
        ``"known: a, b and 7 others"``.
    """
    candidates = list(known)
    near = nearest(name, candidates)
    if near is not None:
        return f"did you mean {near!r}?"
    if most is not None and len(candidates) > most:
        plain_name = _plain(name)
        likest = sorted(candidates, key=lambda c: _likeness(plain_name, c))[-most:]
        rest = len(candidates) - most
        others = "1 other" if rest == 1 else f"{rest} others"
        return f"known: {', '.join(sorted(likest))} and {others}"
    return f"known: {', '.join(sorted(candidates))}"


def nearest(name: str, known: Iterable[str]) -> str | None:
    """Return the known name that `name` begins or resembles most; None if none does."""
    # Options are typed with dashes or underscores; both spellings are one name.
    plain = {_plain(candidate): candidate for candidate in known}
    begun = [p for p in plain if _plain(name) and p.startswith(_plain(name))]
    if begun:
        return plain[begun[0]]
    import difflib  # noqa: PLC0415 - only for a mistake: `%load_ext` makes none

    near = difflib.get_close_matches(_plain(name), plain, 1, 0.5)
    return plain[near[0]] if near else None


def _likeness(plain: str, candidate: str) -> float:
    import difflib  # noqa: PLC0415

    return difflib.SequenceMatcher(None, plain, _plain(candidate)).ratio()


def _plain(name: str) -> str:
    return name.replace("-", "_").strip("_").lower()


def expect(
    what: str, value: object, kind: type | UnionType, *, optional: bool = False
) -> None:
    """Check that an argument is of a kind; a truth value is no number.

    Parameters
    ----------
    what
        What the argument is, for the error: ``"a turn's number"``.
    value
        What came.
    kind
        What is allowed.
    optional
        True allows None, too.

    Raises
    ------
    ConfigurationError
        If it is of another kind.
    """
    if optional and value is None:
        return
    if not isinstance(value, kind) or (isinstance(value, bool) and kind is not bool):
        wanted = getattr(kind, "__name__", str(kind))
        raise ConfigurationError(
            f"expected {what} ({wanted}), got {type(value).__name__}"
        )
