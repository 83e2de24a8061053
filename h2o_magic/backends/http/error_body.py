"""The message of a server's error response, whatever is wrapped around it.

Pure. The shapes are those of chat-ui of June 2023, text-generation-inference 0.9, the
proxies before them and seven OpenAI-compatible servers (tests/recordings), and those
that OpenRouter, LiteLLM, Google, Azure, AWS, Cloudflare and others document.
"""

from __future__ import annotations

import html
import json
import re
from collections.abc import Iterator, Mapping

_CONTROL = re.compile(r"[\x00-\x1f\x7f-\x9f]+")
#: An image that the server quotes from the question.
_DATA = re.compile(r"(data:[\w./+-]+;base64,)[A-Za-z0-9+/=]+")
#: XML has its message in a tag of that name.
_TITLE_TAG = re.compile(r"<(/?)(title|h1|message)\b[^<>]*>", re.IGNORECASE)
_BEFORE_QUOTED = " \t\r\n:[-'\""
#: What may hold the words of an error, or hold what holds them; the best first.
_WORDS = (
    *("error_description", "error", "message", "Message", "detail", "errors", "msg"),
    *("error_msg", "errorMessage", "status_msg", "fault", "faultstring", "reason"),
    *("base_resp", "details", "title", "text"),
)
#: One of them is in each error that is quoted in the words of another.
_WRAPS = ("error", "message", "detail", "errors", "fault")
_DEEPEST = 8  # wrappers around each other
#: The message of an error that Python has written.
_IN_PYTHON = re.compile(r"""['"]message['"]:\s?(?:'([^']{1,2000})'|"([^"]{1,2000})")""")
#: Codes that the message alone may not tell from other limits, and a word of it that
#: does.
_TOLD_CODES = {
    "insufficient_quota": "",
    "insufficient_user_quota": "",
    "exceeded_current_quota_error": "",
    "billing_not_active": "",
    "billing_hard_limit_reached": "",
    "invalid_api_key": "key",
    "context_length_exceeded": "context",
}


def error_text(body: bytes, *, limit: int = 500) -> str:
    """Return the message of an error body, or the body, in one line."""
    text = _text(body)
    if text.startswith("<"):
        return html_title(text, limit=limit)
    document = json_of(text)  # SiliconFlow's is a text alone
    words = document if isinstance(document, str) else error_message(document)
    return _one_line(words or text, limit)


def error_message(document: object) -> str:
    """Return the message in an error document, or an empty text if it holds none."""
    return _words(document, _DEEPEST) if isinstance(document, dict) else ""


def html_title(page: str, *, limit: int = 500) -> str:
    """Return the title of an HTML page, or that it has none."""
    bare = (re.sub(r"<[^<>]*>", " ", title) for title in _titles(page))
    lines = (_one_line(html.unescape(title), limit) for title in bare)
    return next(filter(None, lines), "an HTML page without a title")


def _titles(page: str) -> Iterator[str]:
    """Yield what stands between the tags of titles and headings, in linear time."""
    tags = list(_TITLE_TAG.finditer(page))
    last_ends = {tag[2].lower(): tag.start() for tag in tags if tag[1]}
    opened: re.Match[str] | None = None
    for tag in tags:
        name = tag[2].lower()
        if opened is None and not tag[1] and tag.start() < last_ends.get(name, -1):
            opened = tag
        elif opened is not None and tag[1] and name == opened[2].lower():
            yield page[opened.end() : tag.start()]
            opened = None


def _words(value: object, depth: int) -> str:
    if isinstance(value, str):
        return _unwrapped(value, depth)
    if isinstance(value, list) and depth:
        return "; ".join(filter(None, (_words(part, depth - 1) for part in value)))
    if not isinstance(value, dict) or not depth:
        return ""
    if "loc" in value:
        return _validation_error(value)
    found = (_words(value.get(name), depth - 1) for name in _WORDS)
    # The message may be empty (FastChat), and then the code says it.
    codes = [c for c in map(value.get, ("code", "type")) if isinstance(c, str)]
    message = next(filter(None, [*found, *(codes if depth < _DEEPEST else ())]), "")
    return _with_details(message, value, codes, depth) if message else ""


def _with_details(
    message: str, error: Mapping[str, object], codes: list[str], depth: int
) -> str:
    """Add what is said beside a message: its cause, its field, and its code."""
    cause = _cause(error, depth - 1)
    if cause and cause not in message:
        start = message.rstrip(".")
        message = cause if cause.startswith(start) else f"{start}: {cause}"
    field = error.get("param")
    if isinstance(field, str) and field and field not in message:
        message = f"{message} (`{field}`)"
    for code in codes:
        word = _TOLD_CODES.get(code)
        if word is not None and code not in message and not (word and word in message):
            message = f"{message} ({code})"
    return message


def _cause(error: Mapping[str, object], depth: int) -> str:
    """Return what OpenRouter passes on of a provider, or Azure of a service."""
    metadata = error.get("metadata")
    raw, reasons = part_of(metadata, "raw"), part_of(metadata, "reasons")
    if isinstance(reasons, list):  # of a moderation
        return ", ".join(reason for reason in reasons if isinstance(reason, str))
    if isinstance(raw, str) and raw.lstrip().startswith("<"):
        return html_title(raw)
    before = part_of(metadata, "previous_errors")
    details = error.get("details")
    inner = [
        detail
        for detail in (details if isinstance(details, list) else [])
        if isinstance(detail, dict) and "message" in detail and "@type" not in detail
    ]
    return next(
        filter(None, (_words(said, depth) for said in (raw, before, inner))), ""
    )


def _unwrapped(text: str, depth: int) -> str:
    """Return a message with the words of an error that is quoted in it."""
    start = text.find("{")
    if start < 0 or not depth:
        return text.strip()
    try:
        quoted, end = json.JSONDecoder().raw_decode(text, start)
    except (ValueError, RecursionError):
        found = _IN_PYTHON.search(text, start)
        return f"{_lead(text[:start])}{found[1] or found[2]}" if found else text.strip()
    wraps = isinstance(quoted, dict) and any(name in quoted for name in _WRAPS)
    words = _words(quoted, depth - 1) if wraps else ""
    rest = text[end:].lstrip("]}'\" .\n\\")
    return f"{_lead(text[:start])}{words} {rest}".strip() if words else text.strip()


def _lead(text: str) -> str:
    """Return what stands before an error that is quoted: ``VertexAIException: ``."""
    lead = f" {text}".rstrip(_BEFORE_QUOTED).removesuffix(" b").strip(_BEFORE_QUOTED)
    return f"{lead}: " if lead else ""


def _validation_error(error: Mapping[str, object]) -> str:
    words, location = error.get("msg"), error.get("loc")
    if not isinstance(words, str):
        return ""
    field = ".".join(map(str, location)) if isinstance(location, list) else ""
    return f"{field}: {words}" if field else words


def _text(body: bytes) -> str:
    return body.decode("utf-8-sig", errors="replace").strip()


def json_of(text: str) -> object:
    """Return the one document of a text; None if it is not JSON."""
    try:
        return unlisted(json.loads(text))
    except (ValueError, RecursionError):
        return None


def unlisted(document: object) -> object:
    """Return a document, out of the list that Google puts an error into."""
    if isinstance(document, list) and len(document) == 1:
        return document[0]
    return document


def part_of(document: object, *path: str) -> object:
    for name in path:
        document = document.get(name) if isinstance(document, dict) else None
    return document


def _one_line(text: str, limit: int) -> str:
    line = " ".join(_CONTROL.sub(" ", _DATA.sub(r"\1…", text)).split())
    return line if len(line) <= limit else line[: limit - 1] + "…"
