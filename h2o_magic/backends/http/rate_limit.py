"""What a server says about its limit of requests, in the headers of an answer.

Pure. They are those of OpenAI, Azure, Groq, Anthropic, GitHub and the drafts of the
IETF. Limits of tokens are left to the server, which says when one is reached.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from datetime import datetime, timezone

from h2o_magic.backends.http.retry_wait import seconds_of
from h2o_magic.chat.events import RateLimit

#: Names of the headers, the most exact first, with the fact that each has.
_FORMS = (
    "x-ratelimit-{}-requests",
    "anthropic-ratelimit-requests-{}",
    "x-ratelimit-{}",
    "ratelimit-{}",
)
#: The same in one header, such as ``limit=100, remaining=50, reset=5`` or
#: ``"default";r=50;t=5``, whose policy is ``"default";q=100;w=10``.
_IN_ONE = {
    "remaining": re.compile(r"(?:\bremaining|;\s*r)\s*=\s*(\d{1,9})"),
    "reset": re.compile(r"(?:\breset|;\s*t)\s*=\s*(\d{1,9})"),
    "limit": re.compile(r"(?:\blimit|;\s*q)\s*=\s*(\d{1,9})"),
}


def rate_limit(headers: Mapping[str, str]) -> RateLimit | None:
    """Return what headers say about the limit of requests; None if nothing."""
    found = {
        name.lower(): value for name, value in headers.items() if _is_one(name.lower())
    }
    if not found:
        return None
    for form in _FORMS:
        said = [found.get(form.format(fact)) for fact in _IN_ONE]
        if any(said):
            return _limit(*said)
    whole = ", ".join(found.get(n, "") for n in ("ratelimit", "ratelimit-policy"))
    said = [m[1] if (m := fact.search(whole)) else None for fact in _IN_ONE.values()]
    return _limit(*said) if any(said) else None


def _is_one(name: str) -> bool:
    return "ratelimit" in name


def _limit(
    remaining: str | None, reset: str | None, limit: str | None
) -> RateLimit | None:
    now = datetime.now(timezone.utc)
    seconds = None if reset is None else seconds_of(reset.strip(), now)
    wait = None if seconds is None else max(seconds, 0.0)
    found = RateLimit(_count(remaining), wait, _count(limit))
    return None if found == RateLimit() else found


def _count(text: str | None) -> int | None:
    """Return a count, also of ``100, 100;w=60``, or of ``50.0``."""
    number = re.match(r"\s*(\d{1,12})", text or "")
    return int(number[1]) if number else None
