"""What a server says in an error answer: its words, and when to come back.

Pure. Known are the shapes of chat-ui of June 2023, of text-generation-inference 0.9, of
the proxies before them and of seven OpenAI-compatible servers (tests/recordings), those
that OpenRouter, Google and others document, and this package's own, which has a
``reason``.
"""

from __future__ import annotations

import html
import json
import math
import re
from collections.abc import Mapping
from datetime import datetime, timezone
from email.utils import parsedate_to_datetime

_LONGEST_WAIT = 3600.0
_CONTROL = re.compile(r"[\x00-\x1f\x7f-\x9f]+")
_NO_QUOTA = "insufficient_quota"
#: Times since 1970 are larger than any wait; in milliseconds from the second on.
_LEAST_EPOCH, _LEAST_EPOCH_MS = 1e9, 1e11
_DURATION = re.compile(r"(?:\d+(?:\.\d+)?(?:ms|h|m|s))+")
_UNITS = {"h": 3600.0, "m": 60.0, "s": 1.0, "ms": 0.001}
_RESET = re.compile(r"x-ratelimit-reset(-.+)?|anthropic-ratelimit-(.+)-reset")
_TITLE = re.compile(r"<(title|h1)[^>]*>(.*?)</\1\s*>", re.IGNORECASE | re.DOTALL)


def error_text(body: bytes, *, limit: int = 500) -> str:
    """Return the words of an error answer's body, fit for one line."""
    text = _text(body)
    if text.startswith("<"):
        return html_title(text, limit=limit)
    return _one_line(words_of(_document(text)) or text, limit)


def reason_of(body: bytes, *, limit: int = 500) -> str:
    """Return the ``reason`` of an error answer's body, or an empty text without one.

    A server of this package gives it where chat-ui only says ``Internal Error``. It
    says it all, so nothing needs to be added to it.
    """
    return _one_line(_reason(_document(_text(body))), limit)


def words_of(document: object) -> str:
    """Return the message in an error document, or an empty text if it holds none."""
    if not isinstance(document, dict):
        return ""
    detail = document.get("detail")  # FastAPI's
    if isinstance(detail, list):
        said = "; ".join(filter(None, map(_fault, detail)))
    else:
        said = detail if isinstance(detail, str) else _said(detail)
    return _said(document) or said


def html_title(page: str, *, limit: int = 500) -> str:
    """Return the title of an HTML page, or words that say that it has none."""
    titles = (html.unescape(m[2]) for m in _TITLE.finditer(page))
    named = (_one_line(re.sub(r"<[^>]*>", " ", title), limit) for title in titles)
    return next(filter(None, named), "an HTML page without a title")


def asked_wait(
    headers: Mapping[str, str],
    body: bytes = b"",
    *,
    limited: bool = True,
    now: datetime | None = None,
) -> float | None:
    """Return the seconds after which a server asks to come back."""
    document = _document(_text(body))
    named = {
        name.lower(): value.strip()
        for name, value in (*_headers_in(document), *headers.items())
    }
    now = now or datetime.now(timezone.utc)
    waits = [_seconds(f"{named.get('retry-after-ms', '')}ms", now)]
    waits.append(_seconds(named.get("retry-after", ""), now))
    if limited:
        waits += [_seconds(_retry_delay(document), now)]
        waits.append(_until_reset(named, now))
    seconds = next((wait for wait in waits if wait is not None), None)
    return None if seconds is None else min(max(seconds, 0.0), _LONGEST_WAIT)


def _until_reset(headers: Mapping[str, str], now: datetime) -> float | None:
    """Return when the limits that are used up are not so any more."""
    waits: dict[bool, list[float]] = {True: [], False: []}
    for name, value in headers.items():
        seconds = _seconds(value, now) if _RESET.fullmatch(name) else None
        if seconds:  # Azure writes 0 where it does not know
            left = headers.get(name.replace("reset", "remaining"), "")
            waits[left == "0"].append(seconds)
    return max(waits[True] or waits[False], default=None)


def _retry_delay(document: object) -> str:
    """Return the wait in the details of an error of Google's."""
    details = _part(_part(document, "error"), "details")
    for detail in details if isinstance(details, list) else ():
        delay = _part(detail, "retryDelay")
        if isinstance(delay, str):
            return delay
    return ""


def _headers_in(document: object) -> list[tuple[str, str]]:
    """Return the headers in an error of OpenRouter's."""
    headers = _part(_part(_part(document, "error"), "metadata"), "headers")
    given = headers.items() if isinstance(headers, dict) else ()
    return [(name, value) for name, value in given if isinstance(value, str)]


def _part(document: object, name: str) -> object:
    return document.get(name) if isinstance(document, dict) else None


def _seconds(value: str, now: datetime) -> float | None:
    """Read seconds, a duration such as ``1m2.5s``, or a point in time."""
    if _DURATION.fullmatch(value):
        parts = re.findall(r"([\d.]+)(ms|h|m|s)", value)
        return sum(float(number) * _UNITS[unit] for number, unit in parts)
    try:
        seconds = float(value)
    except ValueError:
        return _seconds_until(value, now)
    if math.isnan(seconds):
        return None
    if seconds >= _LEAST_EPOCH and math.isfinite(seconds):
        scale = 1000 if seconds >= _LEAST_EPOCH_MS else 1
        return seconds / scale - now.timestamp()
    return seconds


def _text(body: bytes) -> str:
    return body.decode("utf-8-sig", errors="replace").strip()


def _document(text: str) -> object:
    """Return the JSON document `text`, without a list around it; None if it is none."""
    try:
        document = json.loads(text)
    except (ValueError, RecursionError):
        return None
    single = isinstance(document, list) and len(document) == 1
    return document[0] if single else document


def _reason(document: object) -> str:
    reason = document.get("reason") if isinstance(document, dict) else None
    return reason.strip() if isinstance(reason, str) else ""


def _said(document: object) -> str:
    """Return the message of an error document, whatever `detail` it may have."""
    if not isinstance(document, dict):
        return ""
    if reason := _reason(document):
        return reason
    error, message = document.get("error"), document.get("message")
    if isinstance(error, list):
        error = "; ".join(part for part in error if isinstance(part, str))
    if isinstance(error, dict):
        # A message may be empty (FastChat), and then the code says it.
        error = _named(error)
    if isinstance(error, str) and error:
        return error
    return message if isinstance(message, str) else ""


def _named(error: Mapping[str, object]) -> str:
    """Return the words of an OpenAI error, with the field that it is about."""
    words = [error.get(name) for name in ("message", "code", "type")]
    said = next((word for word in words if word and isinstance(word, str)), "")
    if not said:
        return ""
    if inner := _inner(error.get("metadata")):
        said = f"{said.rstrip('.')}: {inner}"
    field = error.get("param")
    if isinstance(field, str) and field and field not in said:
        said = f"{said} (`{field}`)"
    # The words alone do not tell this from a limit that passes.
    return f"{said} ({_NO_QUOTA})" if _NO_QUOTA in words and said != _NO_QUOTA else said


def _inner(metadata: object) -> str:
    """Return what OpenRouter passes on of the provider that answered it."""
    if not isinstance(metadata, dict):
        return ""
    raw, reasons = metadata.get("raw"), metadata.get("reasons")
    if isinstance(raw, str) and raw.strip():
        return words_of(_document(raw)) or raw.strip()
    if isinstance(raw, dict):
        return words_of(raw)
    if isinstance(reasons, list):  # of a moderation
        return ", ".join(reason for reason in reasons if isinstance(reason, str))
    return ""


def _fault(fault: object) -> str:
    """Return what FastAPI says of one fault in a request, and of which field."""
    words = fault.get("msg") if isinstance(fault, dict) else fault
    if not isinstance(words, str):
        return ""
    place = fault.get("loc") if isinstance(fault, dict) else None
    parts = map(str, place) if isinstance(place, list | tuple) else ()
    return ": ".join(filter(None, [".".join(parts), words]))


def _seconds_until(date: str, now: datetime) -> float | None:
    try:
        then = parsedate_to_datetime(date)
    except (ValueError, TypeError):
        try:
            then = datetime.fromisoformat(date.replace("Z", "+00:00"))
        except ValueError:
            return None
    if then.tzinfo is None:
        then = then.replace(tzinfo=timezone.utc)
    return (then - now).total_seconds()


def _one_line(text: str, limit: int) -> str:
    line = " ".join(_CONTROL.sub(" ", text).split())
    return line if len(line) <= limit else line[: limit - 1] + "…"
