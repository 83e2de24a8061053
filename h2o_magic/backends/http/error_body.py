"""What a server says in an error response: its message, and how long to wait.

Pure. The shapes are those of chat-ui of June 2023, text-generation-inference 0.9, the
proxies before them and seven OpenAI-compatible servers (tests/recordings), and those
that OpenRouter, Google and others document.
"""

from __future__ import annotations

import html
import json
import math
import re
from collections.abc import Iterator, Mapping
from datetime import datetime, timezone
from email.utils import parsedate_to_datetime

_MAX_WAIT = 3600.0
_CONTROL = re.compile(r"[\x00-\x1f\x7f-\x9f]+")
#: An image that the server quotes from the question.
_DATA = re.compile(r"(data:[\w./+-]+;base64,)[A-Za-z0-9+/=]+")
#: Where the words stand, the first of them that are there.
_WORDS = (
    *("error", "message", "Message", "detail", "details", "error_msg", "msg"),
    *("status_msg", "base_resp", "errors", "title", "text"),
)
#: Codes that say more than the message beside them may.
_TELLING = re.compile("quota|context_length")
#: Times since 1970 are larger than any wait; in milliseconds from the second on.
_MIN_EPOCH, _MIN_EPOCH_MS = 1e9, 1e11
_DURATION = re.compile(r"(?:\d+(?:\.\d+)?(?:ms|h|m|s))+")
_UNITS = {"h": 3600.0, "m": 60.0, "s": 1.0, "ms": 0.001}
#: How a wait is said in words: "try again in 1m2.5s", "retry after 6 seconds".
_IN_WORDS = re.compile(
    r"\b(?:again|retry|wait)(?: in| after| for)? ((?:\d+(?:\.\d+)?(?:ms|h|m|s)?)+)\b"
    r"(?! ?minutes| ?hours| ?days)",
    re.IGNORECASE,
)
_RESET = re.compile(r"x-ratelimit-reset(-.+)?|anthropic-ratelimit-(.+)-reset")
_TITLE = re.compile(r"<(title|h1)[^>]*>(.*?)</\1\s*>", re.IGNORECASE | re.DOTALL)


def error_text(body: bytes, *, limit: int = 500) -> str:
    """Return the message of an error body, or the body, in one line."""
    text = _text(body)
    if text.startswith("<"):
        return html_title(text, limit=limit)
    return _one_line(error_message(_document(text)) or text, limit)


def error_message(document: object, depth: int = 6) -> str:
    """Return the message in an error document, or an empty text if it holds none."""
    if isinstance(document, str):
        inner = error_message(_document(document), depth - 1) if depth else ""
        return inner or document
    if isinstance(document, list) and depth:
        return "; ".join(filter(None, (error_message(e, depth - 1) for e in document)))
    if not isinstance(document, dict) or not depth:
        return ""
    name, text = next(_texts(document, depth), ("", ""))
    if name != "error":
        return _with_details(text, document) if text else ""
    # Frameworks write the status there, and the words behind it.
    more = "" if isinstance(document[name], dict) else _string(document, "message")
    return text if more in text else f"{text}: {more}"


def _texts(document: Mapping[str, object], depth: int) -> Iterator[tuple[str, str]]:
    for name in _WORDS:
        part = document.get(name)
        # The message may be empty (FastChat), and then the code says it.
        code = _string(part, "code") or _string(part, "type")
        if text := error_message(part, depth - 1) or code:
            yield name, text


def html_title(page: str, *, limit: int = 500) -> str:
    """Return the title of an HTML page, or that it has none."""
    titles = (html.unescape(m[2]) for m in _TITLE.finditer(page))
    lines = (_one_line(re.sub(r"<[^>]*>", " ", title), limit) for title in titles)
    return next(filter(None, lines), "an HTML page without a title")


def retry_wait(
    headers: Mapping[str, str],
    body: bytes = b"",
    *,
    limited: bool = True,
    now: datetime | None = None,
) -> float | None:
    """Return the seconds to wait, 0 to 3600; resets of limits count if `limited`."""
    document = _document(_text(body))
    nested = _part(document, "error", "metadata", "headers")  # OpenRouter's
    named = {
        name.lower(): value.strip()
        for part in (nested if isinstance(nested, dict) else {}, headers)
        for name, value in part.items()
        if isinstance(value, str)
    }
    now = now or datetime.now(timezone.utc)
    waits = [_seconds(f"{named.get('retry-after-ms', '')}ms", now)]
    waits.append(_seconds(named.get("retry-after", ""), now))
    if limited:
        waits += [_seconds(_retry_delay(document), now), _until_reset(named, now)]
        said = _IN_WORDS.search(error_message(document))
        waits.append(_seconds(said[1].lower(), now) if said else None)
    seconds = next((wait for wait in waits if wait is not None), None)
    return None if seconds is None else min(max(seconds, 0.0), _MAX_WAIT)


def _until_reset(headers: Mapping[str, str], now: datetime) -> float | None:
    """Return when the last of the used up limits is reset, else the last of all."""
    waits: dict[bool, list[float]] = {True: [], False: []}
    for name, value in headers.items():
        seconds = _seconds(value, now) if _RESET.fullmatch(name) else None
        if seconds:  # Azure writes 0 where it does not know
            left = headers.get(name.replace("reset", "remaining"), "")
            waits[left == "0"].append(seconds)
    return max(waits[True] or waits[False], default=None)


def _retry_delay(document: object) -> str:
    details = _part(document, "error", "details")
    delays = details if isinstance(details, list) else []
    return next(filter(None, (_string(d, "retryDelay") for d in delays)), "")


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
    if seconds >= _MIN_EPOCH and math.isfinite(seconds):
        scale = 1000 if seconds >= _MIN_EPOCH_MS else 1
        return seconds / scale - now.timestamp()
    return seconds


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


def _with_details(text: str, error: Mapping[str, object]) -> str:
    """Return the message of an error, with what its other fields say about it."""
    if inner := _provider_message(error.get("metadata")):
        text = f"{text.rstrip('.')}: {inner}"
    location, field = error.get("loc"), _string(error, "param")
    if isinstance(location, list):
        text = f"{'.'.join(map(str, location))}: {text}"
    if field and field not in text:
        text = f"{text} (`{field}`)"
    # The message alone may not tell these from other limits.
    codes = (_string(error, "code"), _string(error, "type"))
    code = next((code for code in codes if _TELLING.search(code)), "")
    return text if code in text else f"{text} ({code})"


def _provider_message(metadata: object) -> str:
    """Return what OpenRouter passes on from the provider behind it."""
    raw, reasons = _part(metadata, "raw"), _part(metadata, "reasons")
    if isinstance(raw, str) and raw.strip():
        return error_message(_document(raw)) or raw.strip()
    if isinstance(raw, dict):
        return error_message(raw)
    if isinstance(reasons, list):  # of a moderation
        return ", ".join(reason for reason in reasons if isinstance(reason, str))
    return ""


def _text(body: bytes) -> str:
    return body.decode("utf-8-sig", errors="replace").strip()


def _document(text: str) -> object:
    try:
        document = json.loads(text)
    except (ValueError, RecursionError):
        return None
    single = isinstance(document, list) and len(document) == 1
    return document[0] if single else document


def _part(document: object, *path: str) -> object:
    for name in path:
        document = document.get(name) if isinstance(document, dict) else None
    return document


def _string(document: object, name: str) -> str:
    value = _part(document, name)
    return value if isinstance(value, str) else ""


def _one_line(text: str, limit: int) -> str:
    line = " ".join(_CONTROL.sub(" ", _DATA.sub(r"\1…", text)).split())
    return line if len(line) <= limit else line[: limit - 1] + "…"
