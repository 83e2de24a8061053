"""Which dialect a server speaks: found with at most three GET requests.

Each asks for a list of models where one dialect has it, and where the others have
nothing (tests/recordings):

=================  ==========================================================
``/api/models``    chat-ui from 2024, and the servers of this package
``/v1/models``     every OpenAI-compatible server
``/__data.json``   chat-ui of 2023: the data of its page, in SvelteKit's shape
=================  ==========================================================

A refusal identifies a server, too, if it does not refuse everything alike.
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from contextlib import closing
from dataclasses import dataclass
from functools import partial
from typing import Any

from h2o_magic.amounts import counted
from h2o_magic.backends.chatui.token import Credential
from h2o_magic.backends.dialects import DIALECTS
from h2o_magic.backends.engines import engine_of
from h2o_magic.backends.gptgm.models import models_of_page
from h2o_magic.backends.openai.address import split_address
from h2o_magic.backends.openai.flavour import entries_of
from h2o_magic.backends.telling import telling, told
from h2o_magic.endpoint import Endpoint
from h2o_magic.error_text import error_text
from h2o_magic.errors import BackendError, ProtocolError
from h2o_magic.transport import Reply, Timeouts, Transport

__all__ = ["Found", "detect"]

_TIMEOUTS = Timeouts(connect=5, first_byte=20, idle=10, overall=30)
_LARGEST = 8 * 2**20  # bytes of a list of models
_LONGEST = 65536  # bytes of an error that are read
_SHOWN = 100  # characters of an answer that fits nothing
_REFUSED = (401, 403)

#: What chat-ui of 2023 and the servers of this package say, and nobody else.
_LOGIN = "You have to be logged in."


@dataclass(frozen=True, slots=True)
class Found:
    """What a server was found to be.

    Attributes
    ----------
    dialect : str
        A name in `DIALECTS`.
    engine : str
        The program that answers, if it can be told; else empty.
    models : int or None
        How many it listed; None if it did not.
    refused : bool
        True if it wants a key, or another one.
    how : str
        The answer that it was known by.
    """

    dialect: str
    engine: str = ""
    models: int | None = None
    refused: bool = False
    how: str = ""

    @property
    def kind(self) -> str:
        """What it is, in words: ``OpenAI-compatible (vLLM)``."""
        return DIALECTS[self.dialect] + (f" ({self.engine})" if self.engine else "")

    def __str__(self) -> str:
        """Say what it is and has: ``OpenAI-compatible (vLLM), 2 models``."""
        has = "" if self.models is None else f", {counted(self.models, 'model')}"
        return f"{self.kind}{has}"


@dataclass(frozen=True, slots=True)
class _Heard:
    """One answer: `document` is None if it is no JSON, `status` 0 if none came."""

    path: str
    status: int
    document: Any = None
    words: str = ""
    server: str = ""

    @property
    def refused(self) -> bool:
        return self.status in _REFUSED

    def __str__(self) -> str:
        said = [str(self.status or "no answer"), *filter(None, [self.words])]
        return f"GET {self.path}: {', '.join(said)}"


def detect(
    endpoint: Endpoint, *, expected: str = "", timeouts: Timeouts = _TIMEOUTS
) -> Found:
    """Find out which dialect a server speaks.

    Parameters
    ----------
    endpoint
        Its address, with ``/v1`` at its end or without, and its key if it has one.
    expected
        The dialect that it is said to speak: some servers speak more than one.
    timeouts
        How long to wait for each answer.

    Raises
    ------
    ConnectionFailedError, TimedOutError
        If the server does not answer.
    ProtocolError
        If nothing fits; the message says what was asked and what came back.
    """
    heard: list[_Heard] = []
    root, version = split_address(endpoint.url)
    routes = [
        ("/api/models", _listed),
        (f"{version}/models", _openai),
        ("/__data.json", _page),
    ]
    if expected == "openai" or root != endpoint.url:  # who writes /v1 means it
        routes.insert(0, routes.pop(1))
    # The cookie of a chat-ui's session is no key, and must not be taken for one.
    given = Credential.of(endpoint.token)
    with closing(Transport(Endpoint(root, given.bearer), timeouts=timeouts)) as way:
        if given.cookie is not None:
            way.keep_cookie(*given.cookie)
        for path, judge in routes:
            heard.append(_ask(way, path, first=not heard))
            found = judge(heard[-1], heard[:-1])
            if found is not None:
                return found
    raise ProtocolError(_nothing(endpoint, heard))


def _ask(way: Transport, path: str, *, first: bool) -> _Heard:
    try:
        with way.send("GET", path, accepted=range(100, 600)) as reply:
            return _heard(path, reply)
    except BackendError as error:
        if first:  # there is nobody, or it is too slow for all
            with telling(partial(told, refusal=str)):
                raise
        return _Heard(path, 0, words=_cut(str(error)))


def _heard(path: str, reply: Reply) -> _Heard:
    body = reply.secrets.mask(reply.read(_LARGEST))
    try:
        document = json.loads(body)
    except (ValueError, RecursionError):
        document = None
    words = error_text(body[:_LONGEST], limit=_LONGEST)
    if target := reply.headers.get("Location"):
        # Its query may hold what is not for everybody's eyes.
        words = f"a redirect to {target.partition('?')[0]!r}, not followed"
    server = reply.headers.get("Server", "")
    shown = _cut(reply.secrets.without(words))
    return _Heard(path, reply.status, document, shown, server)


def _cut(text: str) -> str:
    return text if len(text) <= _SHOWN else f"{text[: _SHOWN - 1]}…"


def _listed(heard: _Heard, _: Sequence[_Heard]) -> Found | None:
    """Judge ``/api/models``."""
    if heard.refused and heard.words == _LOGIN:
        return _found("gpt-gm", heard)
    if heard.status != 200 or not isinstance(heard.document, list):
        return None
    models = list(entries_of({"data": heard.document}))
    if not models:
        return None
    ours = any("weights" in model for model in models)
    return _found(
        "gpt-gm" if ours else "chat-ui",
        heard,
        engine="h2o_magic" if ours else "",
        models=len(models),
    )


def _openai(heard: _Heard, before: Sequence[_Heard]) -> Found | None:
    """Judge ``/v1/models``."""
    if heard.refused and heard.words == _LOGIN:
        return _found("gpt-gm", heard)
    document = heard.document
    if heard.status == 200 and _is_list(document):
        count = len(list(entries_of(document)))
        engine = engine_of(document, heard.server)
        return _found("openai", heard, engine=engine, models=count)
    if not isinstance(document, dict):
        return None
    alone = not any(other.refused for other in before)
    error = document.get("error")
    # The shape of OpenAI's errors; a missing route can have it, too.
    shaped = isinstance(error, dict) and "message" in error and "type" in error
    if (heard.status in (*_REFUSED, 429) and alone) or (
        heard.status >= 400 and heard.status not in (404, 405) and shaped
    ):
        return _found("openai", heard, engine=engine_of(None, heard.server))
    return None


def _is_list(document: object) -> bool:
    """Return whether a document is a list of models; one of none may have no data."""
    if isinstance(document, dict):
        data = document.get("data")
        return isinstance(data, list) or (data is None and _says_list(document))
    return any(True for _ in entries_of(document))


def _says_list(document: dict[str, Any]) -> bool:
    return document.get("object") == "list" and "data" in document


def _page(heard: _Heard, before: Sequence[_Heard]) -> Found | None:
    """Judge ``/__data.json``."""
    document = heard.document
    if heard.refused and not any(other.refused for other in before):
        return _found("gpt-gm", heard)
    if heard.status != 200 or not isinstance(document, dict):
        return None
    nodes = document.get("nodes")
    if document.get("type") != "data" or not isinstance(nodes, list):
        return None
    try:
        models = models_of_page(document)
    except ProtocolError:
        models = []
    # The page of today's chat-ui holds nothing.
    dialect = "gpt-gm" if any(nodes) else "chat-ui"
    return _found(dialect, heard, models=len(models) or None)


def _found(
    dialect: str, heard: _Heard, *, engine: str = "", models: int | None = None
) -> Found:
    how = f"GET {heard.path} answered {heard.status}"
    return Found(dialect, engine, models, heard.refused, how)


def _nothing(endpoint: Endpoint, heard: Sequence[_Heard]) -> str:
    tried = "; ".join(map(str, heard))
    hint = f"name what it is with `--dialect`, one of {', '.join(DIALECTS)}"
    if all(other.refused for other in heard):
        what = "another key" if endpoint.token else "a key"
        hint = f"it wants {what} (`--key-env VAR`), or {hint}"
    if heard[0].status in range(300, 400):
        hint = "connect to the address that it redirects to, if you trust that"
    return f"{endpoint.url} is no kind of server that is known here ({tried}): {hint}"
