"""Which dialect a server speaks: detected by each dialect's probes, sent by GET.

Those of the built-in dialects are lists of models, where one dialect has its own and
the others have nothing (tests/recordings); OpenAI's may be at several places below an
address. Those of plug-ins come last.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterable, Iterator, Sequence
from contextlib import closing
from dataclasses import dataclass, replace
from functools import partial

from h2o_magic.backends import registry
from h2o_magic.backends.base import Dialect, Match, ProbeAnswer
from h2o_magic.backends.error_advice import explaining_errors, message_of
from h2o_magic.backends.http import HttpClient, Response, Timeouts
from h2o_magic.backends.http.error_body import error_text
from h2o_magic.backends.openai.address import address_of, read_address, without_list
from h2o_magic.backends.openai.shapes import entries_of, is_error
from h2o_magic.config.units import counted
from h2o_magic.config.url import Endpoint
from h2o_magic.errors import BackendError, ConfigurationError, ProtocolError

_TIMEOUTS = Timeouts(connect=5, first_byte=20, idle=10, overall=30)
_LARGEST = 8 * 2**20  # bytes of a list of models
_LONGEST = 65536  # bytes of an error that are read
_SHOWN = 100  # characters of an answer that no dialect recognises


@dataclass(frozen=True, slots=True)
class Found:
    """What a server was detected to be, and at which address to ask it."""

    dialect: str
    engine: str = ""  # the program that answers, if it is known
    models: int | None = None  # how many it listed, if it did
    refused: bool = False  # whether it requires a key, or another one
    how: str = ""  # the answer by which it was recognised
    url: str = ""

    @property
    def kind(self) -> str:
        """Its dialect and engine: ``OpenAI-compatible (vLLM)``."""
        engine = f" ({self.engine})" if self.engine else ""
        return registry.label(self.dialect) + engine

    def __str__(self) -> str:
        models = "" if self.models is None else f", {counted(self.models, 'model')}"
        return f"{self.kind}{models}"


def detect(endpoint: Endpoint, *, timeouts: Timeouts = _TIMEOUTS) -> Found:
    """Find out which dialect a server speaks."""
    address = read_address(endpoint.url)
    # An address with a path is rather that of an OpenAI-compatible API.
    first = "openai" if endpoint.url.count("/") > 2 else ""
    root = Endpoint(address.root, endpoint.token)
    with closing(HttpClient(root, timeouts=timeouts)) as http:
        probing = _Probing(http)
        for paths, dialects in _probes(first, address.apis):
            found = probing.ask_places(paths, dialects)
            if found is not None:
                return replace(found, url=_where(found, endpoint.url))
    return _by_its_errors(endpoint, list(probing.answers.values()))


def _probes(
    first: str, apis: Sequence[str]
) -> Iterator[tuple[list[str], list[Dialect]]]:
    """Yield the probes: the places where the same thing may be, and who knows it."""
    for dialects in map(tuple, (registry.built_in(), registry.added())):
        in_order = sorted(dialects, key=lambda d: d.name != first)
        for probe in dict.fromkeys(p for dialect in in_order for p in dialect.probes):
            paths = dict.fromkeys(probe.replace("{version}", api) for api in apis)
            yield list(paths), [d for d in dialects if probe in d.probes]


def _where(found: Found, given: str) -> str:
    """Return the address at which to ask a server: where its list of models is."""
    if found.dialect != "openai" or found.models is None:
        return given
    return address_of(found.url.removesuffix("/models"), given)


class _Probing:
    """What one server answers, each path asked once."""

    def __init__(self, http: HttpClient) -> None:
        self.answers: dict[str, ProbeAnswer] = {}
        self._http = http

    def ask_places(
        self, paths: Sequence[str], dialects: Sequence[Dialect]
    ) -> Found | None:
        """Return what is found at the first of some places, where dialects have it.

        A gateway answers 403 for a route that it does not have; and what refuses at a
        place that nobody named, without a version, may be anything.
        """
        others = list(self.answers.values())
        forbidden: Found | None = None
        for path in paths:
            answer = self._answer(path)
            named = path == paths[0] or re.search(r"/v\d", path)
            # Errors of chat-ui are like those of an OpenAI-compatible server.
            chat_ui = any(map(_is_chat_ui, self.answers.values()))
            if answer.status != 200 and (chat_ui or not named):
                continue
            found = _recognised(answer, others, dialects)
            if found is not None and answer.status != 403:
                return replace(found, url=f"{self._http.url}{path}")
            forbidden = forbidden or found
        return forbidden

    def _answer(self, path: str) -> ProbeAnswer:
        if path not in self.answers:
            self.answers[path] = self._ask(path)
        return self.answers[path]

    def _ask(self, path: str) -> ProbeAnswer:
        try:
            with self._http.send("GET", path, accepted=range(100, 600)) as reply:
                return _probe_answer(path, reply)
        except BackendError as error:
            if not self.answers:  # the others would fail the same way
                with explaining_errors(partial(message_of, refusal=str)):
                    raise
            return ProbeAnswer(path, 0, words=_cut(str(error)))


def _probe_answer(path: str, reply: Response) -> ProbeAnswer:
    body = reply.read(_LARGEST)
    try:
        document = json.loads(body)
    except (ValueError, RecursionError):
        document = None
    words = reply.redirect or error_text(body[:_LONGEST])
    server = reply.headers.get("Server", "")
    return ProbeAnswer(path, reply.status, document, _cut(words), server)


def _cut(text: str) -> str:
    return text if len(text) <= _SHOWN else f"{text[: _SHOWN - 1]}…"


def _recognised(
    answer: ProbeAnswer, others: Sequence[ProbeAnswer], dialects: Iterable[Dialect]
) -> Found | None:
    for dialect in dialects:
        match = dialect.recognise(answer, others)
        if match is not None:
            return _found(dialect.name, match, answer)
    return None


def _found(dialect: str, match: Match, answer: ProbeAnswer, url: str = "") -> Found:
    how = f"GET {answer.path} answered {answer.status}"
    return Found(dialect, match.engine, match.models, answer.refused, how, url)


def _is_chat_ui(answer: ProbeAnswer) -> bool:
    """Return whether chat-ui from 2024 gives an answer that no dialect recognised."""
    document = answer.document
    if answer.status != 200:
        return False
    if answer.path == "/api/models":
        return isinstance(document, list) and any(True for _ in entries_of(document))
    # Its page, the data of which are empty.
    nodes = document.get("nodes") if isinstance(document, dict) else None
    return (
        answer.path == "/__data.json"
        and isinstance(nodes, list)
        and document.get("type") == "data"
    )


def _by_its_errors(endpoint: Endpoint, answers: Sequence[ProbeAnswer]) -> Found:
    """Return a server without a list of models that has the errors of OpenAI's API."""
    url = without_list(endpoint.url)
    for answer in () if any(map(_is_chat_ui, answers)) else answers:
        if answer.status >= 400 and is_error(answer.document):
            return _found("openai", Match(), answer, url)
    raise _unsupported(endpoint, answers)


def _unsupported(
    endpoint: Endpoint, answers: Sequence[ProbeAnswer]
) -> ConfigurationError | ProtocolError:
    for answer in filter(_is_chat_ui, answers):
        return ConfigurationError(
            f"{endpoint.url} is a HuggingChat-style chat-ui, which is not supported "
            f"(GET {answer.path}): {registry.INSTEAD_OF_CHAT_UI}"
        )
    tried = "; ".join(map(str, answers))
    others = [name for name in registry.names() if name != "openai"]
    hint = (
        "if it speaks the OpenAI API without a list of models, "
        f"`%h2o connect {endpoint.url} --dialect openai` "
        f"(other dialects: {', '.join(others)})"
    )
    if any(answer.refused for answer in answers):
        what = "another key" if endpoint.token else "a key"
        hint = f"it requires {what} (`--key-env VAR`); {hint}"
    if answers[0].status in range(300, 400):
        hint = "connect to the address that it redirects to if you trust it"
    return ProtocolError(f"{endpoint.url} is not a supported server ({tried}): {hint}")
