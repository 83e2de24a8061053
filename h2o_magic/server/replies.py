"""The shapes of answers that are not streams, and which shape a client wants."""

from __future__ import annotations

from collections.abc import Mapping
from html import escape
from typing import Literal

from starlette.responses import HTMLResponse, JSONResponse, PlainTextResponse, Response

__all__ = [
    "RouteError",
    "early_error",
    "error_page",
    "front_page",
    "method_not_allowed",
    "preferred",
]

_OWN = "The local server of h2o_magic, for this user only"


class RouteError(Exception):
    """A route refuses.

    Parameters
    ----------
    message
        In the old service's words.
    status
        HTTP status.
    reason
        In our own words, where the old service only said ``Internal Error``.
    """

    def __init__(self, message: str, status: int, *, reason: str | None = None) -> None:
        super().__init__(message)
        self.message = message
        self.status = status
        self.reason = reason

    def response(self, accept: str | None) -> Response:
        """Return it as JSON or as an HTML page, as the client prefers."""
        if preferred(accept) == "html":
            return error_page(self.message, self.status, self.reason)
        reason = {"reason": self.reason} if self.reason else {}
        return JSONResponse({"message": self.message} | reason, self.status)


def preferred(accept: str | None) -> Literal["json", "html"]:
    """Return the kind of answer that an ``Accept`` header wants.

    No header means HTML and ``*/*`` means JSON, as in SvelteKit 1.15's negotiation of
    errors (``utils/http.js``); at equal weight the more specific one wins, then JSON.
    """
    weights = {"application/json": (0.0, -1), "text/html": (0.0, -1)}
    for part in (accept or "text/html").split(","):
        kind, *attributes = (piece.strip() for piece in part.lower().split(";"))
        weight = (_quality(attributes), 2 - kind.count("*"))
        for offered, best in weights.items():
            if kind in (offered, offered.split("/")[0] + "/*", "*/*"):
                weights[offered] = max(best, weight)
    html = weights["text/html"] > weights["application/json"]
    return "html" if html else "json"


def _quality(attributes: list[str]) -> float:
    values = [a[2:] for a in attributes if a.startswith("q=")]
    try:
        return float(values[0]) if values else 1.0
    except ValueError:
        return 0.0


def early_error(message: str, status: int, asked: Mapping[str, str]) -> Response:
    """Return an error of the checks before any route: who is asking, and from where.

    JSON if ``Accept`` or ``Content-Type`` of the headers `asked` names it, else plain
    text (chat-ui ``hooks.server.ts``).
    """
    if "application/json" in asked.get("accept", "") + asked.get("content-type", ""):
        return JSONResponse({"error": message}, status)
    return Response(message, status, {"content-type": "text/plain"})


def error_page(message: str, status: int, reason: str | None = None) -> Response:
    """Return an error as a page."""
    said = f"<p>{escape(reason)}</p>" if reason else ""
    return HTMLResponse(
        f'<!DOCTYPE html>\n<html lang="en"><head><meta charset="utf-8" />'
        f"<title>{escape(message)}</title></head>"
        f"<body><h1>{status}: {escape(message)}</h1>{said}</body></html>\n",
        status,
    )


def method_not_allowed(method: str, allow: str) -> Response:
    """Return the answer to a verb that a route does not have; always plain text."""
    return PlainTextResponse(f"{method} method not allowed", 405, {"allow": allow})


def front_page(version: str, *, shared: bool = False) -> Response:
    """Return the page that says what this server is."""
    whose = "A shared server of h2o_magic" if shared else _OWN
    return HTMLResponse(
        '<!DOCTYPE html>\n<html lang="en"><head><meta charset="utf-8" />'
        "<title>h2o_magic</title></head><body>"
        f"<h1>h2o_magic {escape(version)}</h1>"
        f"<p>{whose}. In a notebook: "
        "<code>%load_ext h2o_magic</code>, then a cell that begins with "
        "<code>%%h2o</code>. <code>%h2o models</code> lists what can answer.</p>"
        "</body></html>\n"
    )
