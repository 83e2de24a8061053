"""What a server says in an error answer: its words, and when to come back.

Pure. Section 1.7 of the protocol notes lists the shapes of the bodies; they are tried
in that order.
"""

from __future__ import annotations

import html
import json
import math
import re
from datetime import datetime, timezone
from email.utils import parsedate_to_datetime

__all__ = ["error_text", "html_title", "retry_after", "words_of"]

_LONGEST_WAIT = 3600.0
_CONTROL = re.compile(r"[\x00-\x1f\x7f-\x9f]+")
_TITLE = re.compile(r"<(title|h1)[^>]*>(.*?)</\1\s*>", re.IGNORECASE | re.DOTALL)


def error_text(body: bytes, *, limit: int = 500) -> str:
    """Return the words of an error answer's body, fit for one line.

    Parameters
    ----------
    body
        JSON, HTML (of which only the title is used) or plain text, in UTF-8.
    limit
        The longest result, in characters.

    Returns
    -------
    str
        Without control characters; empty if the body says nothing.
    """
    text = body.decode("utf-8-sig", errors="replace").strip()
    if text.startswith("<"):
        return html_title(text, limit=limit)
    try:
        document = json.loads(text)
    except (ValueError, RecursionError):
        return _one_line(text, limit)
    if isinstance(document, list) and len(document) == 1:
        document = document[0]
    return _one_line(words_of(document) or text, limit)


def words_of(document: object) -> str:
    """Return the message in an error document, or an empty text if it holds none."""
    if not isinstance(document, dict):
        return ""
    error = document.get("error")
    if isinstance(error, str):
        return error
    if isinstance(error, list):
        return "; ".join(part for part in error if isinstance(part, str))
    message = error.get("message") if isinstance(error, dict) else None
    if message is None:
        message = document.get("message")
    return message if isinstance(message, str) else ""


def html_title(page: str, *, limit: int = 500) -> str:
    """Return the title of an HTML page, or words that say that it has none."""
    titles = (html.unescape(m[2]) for m in _TITLE.finditer(page))
    named = (_one_line(re.sub(r"<[^>]*>", " ", title), limit) for title in titles)
    return next(filter(None, named), "an HTML page without a title")


def retry_after(value: str | None, *, now: datetime | None = None) -> float | None:
    """Return the seconds to wait that a ``Retry-After`` header asks for.

    Parameters
    ----------
    value
        The header: seconds, or an HTTP date (RFC 9110, section 10.2.3).
    now
        The current time; the clock's if None.

    Returns
    -------
    float or None
        From 0 to 3600 seconds; None without a header or with one that says nothing.
    """
    if value is None:
        return None
    try:
        seconds = float(value)
    except ValueError:
        seconds = _seconds_until(value, now or datetime.now(timezone.utc))
    return None if math.isnan(seconds) else min(max(seconds, 0.0), _LONGEST_WAIT)


def _seconds_until(date: str, now: datetime) -> float:
    try:
        then = parsedate_to_datetime(date)
    except (ValueError, TypeError):
        return math.nan
    if then.tzinfo is None:
        then = then.replace(tzinfo=timezone.utc)
    return (then - now).total_seconds()


def _one_line(text: str, limit: int) -> str:
    line = " ".join(_CONTROL.sub(" ", text).split())
    return line if len(line) <= limit else line[: limit - 1] + "…"
