"""The messages of failures that all dialects share, with what to do about them.

Pure. Where the meaning is known, the server's words begin the message; else the
request and the status stay in it.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager

from h2o_magic.backends.retry import requested_wait
from h2o_magic.errors import (
    BackendError,
    ConnectionFailedError,
    StatusError,
    TimedOutError,
)

#: Status, a pattern in the server's message, advice. No advice means that the server's
#: words are enough. Names in braces are filled in.
Row = tuple[int, str, str]

KEY = "the server needs a valid key: `%h2o connect {url} --key-env VAR`"
TOO_LONG = (
    "the question with its history is too long for the model: shorten it, or send "
    "fewer earlier turns"
)
ADDRESS = "no {kind} found at {url}; check the address and its path"
FAILED = "the server failed; its log may say why"
_SLOW = "ask again, or check whether the server is busy"
_UNREACHABLE = "check that a server runs at this address"
_FAR = "check the address, that a server runs there, and whether you need a VPN"

#: What to do where there is no connection, by `ConnectionFailedError.why`.
_CONNECTION_ADVICE = {
    "refused": (
        "check that a server runs there, and its port (`%h2o connect --scan` searches "
        "this machine)"
    ),
    "unknown host": "check the spelling of the host, and that this machine is online",
    "certificate": (
        "if you trust that server, set the file with its certificate, or its "
        "authority's: `%env REQUESTS_CA_BUNDLE=/path/to/ca.pem`"
    ),
    "expired": "the server's operator must renew it",
    "other name": "use the host name that the certificate was issued for",
    "no TLS": "use http:// if the server does not speak TLS",
    "bundle": "set REQUESTS_CA_BUNDLE to an existing file",
    "proxy": (
        "check the proxy in the environment (HTTP_PROXY, HTTPS_PROXY), or add the host "
        "to NO_PROXY"
    ),
}

#: What is said where no wait helps: an account without credit, and a wrong key.
_NO_CREDIT = (
    r"insufficient[_ ](?:user[_ ])?(?:quota|balance|credit|fund)|arrears"
    r"|exceeded_current_quota"
    r"|(?:out of|no|more|not enough|included) credits?\b|credit balance"
    r"|billing[_ ](?:hard|not|limit)|payment required|spend\w* (?:limit|cap)"
    r"|budget.{0,20}exceeded|exceeded.?budget|(?:over|within) budget"
    r"|(?:account|organization).{0,80}(?:suspended|not active|disabled)"
    r"|欠费|余额不足"
)
_NO_KEY = (
    r"\b(?:invalid|incorrect|wrong|missing|expired|revoked|disabled|no)[\w ]{0,20}"
    r"(?:api[_ -]?key|access token|bearer|credentials|subscription key|authentication)"
    r"|api[_ -]?key[\w ]{0,20}(?:not valid|not found|invalid|missing|expired|incorrect)"
    r"|account_deactivated|authentication[_ ](?:error|failed)|\bunauthori[sz]ed\b"
)
_FINAL = re.compile(f"{_NO_CREDIT}|{_NO_KEY}", re.IGNORECASE | re.DOTALL)
_BILLING = "check the plan and the billing of the account that the key belongs to"
_BEHIND = "the server behind it is down, starting or too slow; ask again {soon}"
_REDIRECTS = (301, 302, 303, 307, 308)
_REDIRECTED = (
    "expected an answer: connect to the target of the redirect if you trust it, or "
    "pass the server's key (`%h2o connect {url} --key-env VAR`)"
)
_ODD = "expected an answer with status 200: check that {url} is the {kind} itself"
_REFUSED = "expected an answer: check that the {kind} is at {url}"

#: What holds for every server, after what is known about its kind.
COMMON: tuple[Row, ...] = (
    (401, "", KEY),
    (402, "", _BILLING),
    (403, "country|region|territory|moderat|flagged", ""),
    (403, "", KEY),
    (404, "", ADDRESS),
    (408, "", "the server timed out; ask again {soon}"),
    (410, "", "the server no longer has the model {model!r}; choose another"),
    (413, "", TOO_LONG),
    (429, "login", "its limit for guests is reached"),
    (429, "exceeded your current quota", f"{_BILLING}, or ask again {{later}}"),
    (429, "", "ask again {later}"),
    (502, "", "the server behind it is down or starting; ask again {soon}"),
    (503, "", "the server is busy or loading the model; ask again {soon}"),
    (504, "", "the server behind it is too slow or down; ask again {soon}"),
    *((status, "", _BEHIND) for status in range(520, 528)),  # Cloudflare
    (529, "", "the server is overloaded; ask again {soon}"),
    (530, "", _BEHIND),
)
_ANY = 0
#: What holds for every server and status, before all that is known of them.
_FIRST: tuple[Row, ...] = ((_ANY, _NO_CREDIT, _BILLING), (_ANY, _NO_KEY, KEY))


def is_final(said: str) -> bool:
    """Return whether a server says something that no wait mends."""
    return _FINAL.search(said) is not None


def refusal_message(
    error: StatusError,
    rows: Iterable[Row],
    *,
    usual_wait: float | None = None,
    **facts: str,
) -> str:
    """Return the message of an HTTP status with the first advice that fits."""
    said = error.server_message
    wait = requested_wait(error)
    soon = _in_seconds(wait) or "in a minute"
    later = _in_seconds(usual_wait if wait is None else wait) or "later"
    for status, words, advice in (*_FIRST, *rows):
        fits = status in (_ANY, error.status) and re.search(words, said, re.IGNORECASE)
        if fits and (said or advice):
            hint = advice.format(soon=soon, later=later, **facts)
            start = said.rstrip(".") if hint else said
            return ": ".join(filter(None, [start or str(error), hint]))
    hint = _of_any(error.status, said).format(**facts)
    return f"{error}: {hint}" if hint else str(error)


def _in_seconds(wait: float | None) -> str:
    return f"in {wait:.0f} s" if wait and wait >= 1 else ""


def _of_any(status: int, said: str) -> str:
    if status in _REDIRECTS:
        return _REDIRECTED
    if status < 400:
        return _ODD
    if said:
        return ""  # the server's own words are better
    return _REFUSED if status < 500 else FAILED


def message_of(error: BackendError, refusal: Callable[[StatusError], str]) -> str:
    """Return an error's message with advice; `refusal` makes that of a status."""
    if isinstance(error, ConnectionFailedError):
        return f"{error}: {_CONNECTION_ADVICE.get(error.why, _UNREACHABLE)}"
    if isinstance(error, TimedOutError):
        return f"{error}: {_FAR if error.connecting else _SLOW}"
    return refusal(error) if isinstance(error, StatusError) else str(error)


@contextmanager
def explaining_errors(explain: Callable[[BackendError], str]) -> Iterator[None]:
    """Give the failures of this block the message that `explain` returns."""
    try:
        yield
    except BackendError as error:
        said = error.server_message if isinstance(error, StatusError) else ""
        before = (f"{words}: " for words in (said.rstrip("."), str(error)) if words)
        message = explain(error)
        start = next(filter(message.startswith, before), message)
        error.args, error.advice = (message,), message.removeprefix(start)
        raise
