"""What a request says about who sends it: whose turn it is, and what is understood."""

from __future__ import annotations

from aiohttp import web

#: Sent by the notebook: a random id of its own, and that it takes notices.
NOTEBOOK_HEADER = "X-H2O-Magic-Notebook"
NOTICES_HEADER = "X-H2O-Magic"
_LONGEST = 64


def client_of(request: web.BaseRequest) -> str:
    """Return whose request this is: a notebook's, else its machine's."""
    notebook = request.headers.get(NOTEBOOK_HEADER, "")[:_LONGEST]
    return notebook or (request.remote or "")


def takes_notices(request: web.BaseRequest) -> bool:
    words = request.headers.get(NOTICES_HEADER, "")
    return "notices" in {word.strip() for word in words.split(",")}
