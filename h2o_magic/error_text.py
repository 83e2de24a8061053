"""What a server says in an error answer: its words, and when to come back.

Pure. Known are the shapes of chat-ui of June 2023, of text-generation-inference 0.9, of
the proxies before them and of seven OpenAI-compatible servers (tests/recordings), and
this package's own, which has a ``reason``.
"""

from __future__ import annotations

import html
import json
import math
import re
from collections.abc import Mapping
from datetime import datetime, timezone
from email.utils import parsedate_to_datetime

__all__ = ["error_text", "html_title", "reason_of", "retry_after", "words_of"]

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
    words = (error.get(name) for name in ("message", "code", "type"))
    said = next((word for word in words if word and isinstance(word, str)), "")
    field = error.get("param")
    if not said or not isinstance(field, str) or not field or field in said:
        return said
    return f"{said} (`{field}`)"


def _fault(fault: object) -> str:
    """Return what FastAPI says of one fault in a request, and of which field."""
    words = fault.get("msg") if isinstance(fault, dict) else fault
    if not isinstance(words, str):
        return ""
    place = fault.get("loc") if isinstance(fault, dict) else None
    parts = map(str, place) if isinstance(place, list | tuple) else ()
    return ": ".join(filter(None, [".".join(parts), words]))


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
