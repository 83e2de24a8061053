"""The one tree of errors that h2o_magic raises.

::

    H2OMagicError
    ├── ConfigurationError      what the user gave cannot be used; nothing was sent
    │   ├── ParameterError      a generation parameter: unknown, wrong type or range
    │   ├── MessagesError       a list of chat messages that no server would accept
    │   ├── MissingExtraError   an optional part of the package is not installed
    │   └── ReplayMissError     no stored answer, and nobody may be asked
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

#: The rank of a name that is not near, and the longest name that may have slips.
_FAR = 99
_LONGEST = 100


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


class ReplayMissError(ConfigurationError):
    """No answer is stored for a question, and nobody may be asked (``only``)."""


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
    advice : str
        What to do about it, with which the message ends; may be empty.
    """

    def __init__(self, message: str, *, partial: str = "") -> None:
        super().__init__(message)
        self.partial = partial
        self.advice = ""


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
        ``"did you mean 'x'?"`` where names are near (see :func:`nearest`), else
        ``"known: a, b, c"`` or ``"known: a, b and 7 others"``.
    """
    candidates = list(dict.fromkeys(known))
    if near := nearest(name, candidates):
        *others, last = map(repr, near)
        return f"did you mean {', '.join(others)}{' or ' if others else ''}{last}?"
    if most is None or len(candidates) <= most:
        return f"known: {', '.join(sorted(candidates))}"
    listed = sorted(sorted(candidates, key=lambda c: _likeness(name, c))[-most:])
    rest = len(candidates) - most
    return f"known: {', '.join(listed)} and {rest} other{'s' if rest > 1 else ''}"


def nearest(name: str, known: Iterable[str]) -> list[str]:
    """Return the known names that `name` may well be a slip for, three at most.

    A slip is a letter that is missing, extra, wrong, or swapped with the next one. Up
    to 5 letters allow one, up to 8 two, and more three; 1 or 2 letters none but the
    swap. Case, and what separates words, do not count. A name may also be cut short, or
    lack words (``max-tokens`` for ``max-new-tokens``). Private names are not returned.
    """
    private = "__" if name.startswith("_") else "_"
    ranks = {each: _rank(name, each) for each in known if not each.startswith(private)}
    best = min(ranks.values(), default=_FAR)
    return [each for each in ranks if ranks[each] == best < _FAR][:3]


def _rank(name: str, known: str) -> int:
    """Return how far a known name is, from 0; `_FAR` if it is not near."""
    typed, meant = _letters(name), _letters(known)
    if typed == meant:
        return 0 if typed else _FAR
    slips, shorter = _slips(typed, meant), min(len(typed), len(meant))
    swapped = len(typed) == len(meant) == 2 and typed == meant[::-1]
    # Few people miss the first letter, and short words differ by little else.
    alike = shorter > 4 or (shorter > 2 and typed[0] == meant[0])
    if swapped or (alike and slips == 1):
        return 1
    if len(typed) > 2 and _cut_short(name, known):
        return 2
    return slips + 1 if alike and slips <= min((shorter + 3) // 3 - 1, 3) else _FAR


def _cut_short(name: str, known: str) -> bool:
    """Return whether a name is the beginning of a known one, or some of its words."""
    typed, meant = _letters(name), _letters(known)
    beginning = meant[: len(typed)]
    if typed == beginning or (len(typed) > 4 and _slips(typed, beginning) == 1):
        return True
    words = iter(_words(known))
    return all(
        any(w == word or (len(word) > 2 and w.startswith(word)) for w in words)
        for word in _words(name)
    )


def _likeness(name: str, known: str) -> float:
    return difflib.SequenceMatcher(None, _letters(name), _letters(known)).ratio()


def _words(name: str) -> list[str]:
    parts = re.split(r"[\W_]+|(?<=[a-z0-9])(?=[A-Z])", name)
    return [part.casefold() for part in parts if part]


def _letters(name: str) -> str:
    return "".join(_words(name))


def _slips(one: str, other: str) -> int:
    """Return about how many slips lead from one text to the other; `_FAR` for many."""
    if abs(len(one) - len(other)) > 3 or len(one) > _LONGEST:
        return _FAR
    blocks = difflib.SequenceMatcher(None, one, other).get_matching_blocks()
    slips = max(len(one), len(other)) - sum(block.size for block in blocks)
    return slips if slips <= 3 else _FAR


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
