"""How long a server asks to wait: in headers of many names, or in its words.

Pure. They are those of OpenAI, Azure, Anthropic, Groq, Google, OpenRouter, GitHub and
the drafts of the IETF.
"""

from __future__ import annotations

import math
import re
from collections.abc import Mapping
from datetime import datetime, timezone
from email.utils import parsedate_to_datetime

from h2o_magic.backends.http.error_body import json_of, part_of

_MAX_WAIT = 3600.0
#: Times since 1970 are larger than any wait; in milliseconds from the second on.
_MIN_EPOCH, _MIN_EPOCH_MS = 1e9, 1e11
_DURATION = re.compile(r"(?:\d+(?:\.\d+)?(?:ms|us|µs|ns|d|h|m|s))+")
_AMOUNT = re.compile(r"(\d+(?:\.\d+)?) ?(ms|milli|us|µs|ns|[smhd])", re.IGNORECASE)
_UNITS = {"d": 86400.0, "h": 3600.0, "m": 60.0, "s": 1.0}
_UNITS |= {"ms": 1e-3, "milli": 1e-3, "us": 1e-6, "µs": 1e-6, "ns": 1e-9}
#: Headers with the wait, the best first, and what its unit is.
_WAITS = (
    *(("retry-after-ms", "ms"), ("x-ms-retry-after-ms", "ms"), ("retry-after", "")),
    *(("x-retry-after", ""), ("x-ratelimit-retry-after", "")),
)
#: Headers with the time at which a limit is reset.
_RESET = re.compile(
    r"(?:x-)?rate-?limit-reset(?:-.+)?|x-ratelimit-.+-reset|anthropic-ratelimit-.+-reset"
)
#: The same in one header, of several drafts of a standard.
_IN_ONE = re.compile(r"(?:\breset|;\s*t)\s*=\s*(\d{1,9})")
_IN_JSON = (("retry_after_ms", "ms"), ("retry_after", ""), ("retryAfter", ""))
_IN_WORDS = re.compile(
    r"(?:try|retry)(?: again)? (?:in|after) "
    r"((?:\d{1,9}(?:\.\d{1,9})? ?[a-z]{1,12} ?){1,4})",
    re.IGNORECASE,
)


def retry_wait(
    headers: Mapping[str, str],
    body: bytes = b"",
    *,
    limited: bool = True,
    now: datetime | None = None,
) -> float | None:
    """Return the seconds to wait, 0 to 3600; resets of limits count if `limited`."""
    text = body.decode("utf-8", errors="replace")
    document = json_of(text)
    nested = part_of(document, "error", "metadata", "headers")  # OpenRouter's
    named = {
        name.lower(): value.strip()
        for part in (nested if isinstance(nested, dict) else {}, headers)
        for name, value in part.items()
        if isinstance(value, str)
    }
    now = now or datetime.now(timezone.utc)
    waits = [
        seconds_of(named[name] + unit, now) for name, unit in _WAITS if name in named
    ]
    if limited:
        waits += [seconds_of(_retry_delay(document), now), _until_reset(named, now)]
    waits += [_in_document(document, now), _in_words(text)]
    seconds = next((wait for wait in waits if wait is not None), None)
    return None if seconds is None else min(max(seconds, 0.0), _MAX_WAIT)


def _until_reset(headers: Mapping[str, str], now: datetime) -> float | None:
    """Return when the last of the used up limits is reset, else the last of all."""
    waits: dict[bool, list[float]] = {True: [], False: []}
    for name, value in headers.items():
        seconds = seconds_of(value, now) if _RESET.fullmatch(name) else None
        if seconds:  # Azure writes 0 where it does not know
            left = headers.get(name.replace("reset", "remaining"), "")
            waits[left == "0"].append(seconds)
    waits[False] += map(float, _IN_ONE.findall(headers.get("ratelimit", "")))
    return max(waits[True] or waits[False], default=None)


def _retry_delay(document: object) -> str:
    details = part_of(document, "error", "details")  # Google's
    delays = (
        [part_of(d, "retryDelay") for d in details] if isinstance(details, list) else []
    )
    return next((delay for delay in delays if isinstance(delay, str)), "")


def _in_document(document: object, now: datetime) -> float | None:
    for holder in (document, part_of(document, "error")):
        for name, unit in _IN_JSON:
            value = part_of(holder, name)
            if isinstance(value, int | float | str) and not isinstance(value, bool):
                return seconds_of(f"{value}{unit}", now)
    return None


def _in_words(text: str) -> float | None:
    found = _IN_WORDS.search(text)
    return _duration(found[1]) if found else None


def _duration(text: str) -> float | None:
    amounts = _AMOUNT.findall(text.lower())
    waits = [float(number) * _UNITS[unit] for number, unit in amounts]
    return sum(waits) if waits else None


def seconds_of(value: str, now: datetime) -> float | None:
    """Read seconds, a duration such as ``1m2.5s``, or a point in time."""
    if _DURATION.fullmatch(value):
        return _duration(value)
    try:
        seconds = float(value)
    except ValueError:
        return _seconds_until(value, now)
    if math.isnan(seconds):
        return None
    if seconds >= _MIN_EPOCH and math.isfinite(seconds):
        scale = 1000 if seconds >= _MIN_EPOCH_MS else 1
        return seconds / scale - now.timestamp()
    return seconds


def _seconds_until(date: str, now: datetime) -> float | None:
    try:
        then = parsedate_to_datetime(date)
    except (ValueError, TypeError, OverflowError):
        try:
            then = datetime.fromisoformat(date.replace("Z", "+00:00"))
        except ValueError:
            return None
    if then.tzinfo is None:
        then = then.replace(tzinfo=timezone.utc)
    return (then - now).total_seconds()
