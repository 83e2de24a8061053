"""Which dialect a server speaks: detected by each dialect's probes, sent by GET.

The built-in dialects have three between them, each a list of models where one dialect
has it and the others have nothing (tests/recordings). Those of plug-ins come last,
unless the dialect is named.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator, Sequence
from contextlib import closing
from dataclasses import dataclass
from functools import partial

from h2o_magic.backends import registry
from h2o_magic.backends.base import Dialect, ProbeAnswer
from h2o_magic.backends.error_advice import explaining_errors, message_of
from h2o_magic.backends.http import HttpClient, Response, Timeouts
from h2o_magic.backends.http.error_body import error_text
from h2o_magic.backends.openai.flavour import entries_of, split_address
from h2o_magic.config.units import counted
from h2o_magic.config.url import Endpoint
from h2o_magic.errors import BackendError, ConfigurationError, ProtocolError

_TIMEOUTS = Timeouts(connect=5, first_byte=20, idle=10, overall=30)
_LARGEST = 8 * 2**20  # bytes of a list of models
_LONGEST = 65536  # bytes of an error that are read
_SHOWN = 100  # characters of an answer that no dialect recognises


@dataclass(frozen=True, slots=True)
class Found:
    """What a server was detected to be."""

    dialect: str
    engine: str = ""  # the program that answers, if it is known
    models: int | None = None  # how many it listed, if it did
    refused: bool = False  # whether it requires a key, or another one
    how: str = ""  # the answer by which it was recognised

    @property
    def kind(self) -> str:
        """Its dialect and engine: ``OpenAI-compatible (vLLM)``."""
        engine = f" ({self.engine})" if self.engine else ""
        return registry.label(self.dialect) + engine

    def __str__(self) -> str:
        models = "" if self.models is None else f", {counted(self.models, 'model')}"
        return f"{self.kind}{models}"


def detect(
    endpoint: Endpoint, *, expected: str = "", timeouts: Timeouts = _TIMEOUTS
) -> Found:
    """Find out which dialect a server speaks; `expected` is tried first."""
    root, version = split_address(endpoint.url)
    # An address with a version segment is that of an OpenAI-compatible API.
    first = expected or ("openai" if root != endpoint.url else "")
    answers: dict[str, ProbeAnswer] = {}
    with closing(HttpClient(Endpoint(root, endpoint.token), timeouts=timeouts)) as http:
        for path, dialects in _probes(expected, first, version):
            if path not in answers:
                answers[path] = _ask(http, path, first=not answers)
            others = [a for a in answers.values() if a.path != path]
            found = _recognised(answers[path], others, dialects)
            if found is not None:
                return found
    raise _unsupported(endpoint, list(answers.values()))


def _probes(
    expected: str, first: str, version: str
) -> Iterator[tuple[str, list[Dialect]]]:
    for dialects in _rounds(expected):
        paths = [
            (path.replace("{version}", version), dialect)
            for dialect in sorted(dialects, key=lambda d: d.name != first)
            for path in dialect.probes
        ]
        for path in dict.fromkeys(path for path, _ in paths):
            yield path, [dialect for dialect in dialects if (path, dialect) in paths]


def _rounds(expected: str) -> Iterator[tuple[Dialect, ...]]:
    """Yield the dialects in the order of trying, plug-ins as late as possible."""
    built_in = registry.built_in()
    if expected and all(dialect.name != expected for dialect in built_in):
        yield (registry.find(expected),)
    yield built_in
    yield tuple(registry.added())


def _ask(http: HttpClient, path: str, *, first: bool) -> ProbeAnswer:
    try:
        with http.send("GET", path, accepted=range(100, 600)) as reply:
            return _probe_answer(path, reply)
    except BackendError as error:
        if first:  # the others would fail the same way
            with explaining_errors(partial(message_of, refusal=str)):
                raise
        return ProbeAnswer(path, 0, words=_cut(str(error)))


def _probe_answer(path: str, reply: Response) -> ProbeAnswer:
    body = reply.read(_LARGEST)
    try:
        document = json.loads(body)
    except (ValueError, RecursionError):
        document = None
    words = error_text(body[:_LONGEST], limit=_LONGEST)
    if target := reply.headers.get("Location"):
        # Its query may hold secrets.
        words = f"a redirect to {target.partition('?')[0]!r}, not followed"
    server = reply.headers.get("Server", "")
    return ProbeAnswer(path, reply.status, document, _cut(words), server)


def _cut(text: str) -> str:
    return text if len(text) <= _SHOWN else f"{text[: _SHOWN - 1]}…"


def _recognised(
    answer: ProbeAnswer, others: Sequence[ProbeAnswer], dialects: Iterable[Dialect]
) -> Found | None:
    # The errors of chat-ui are like those of an OpenAI-compatible server.
    doubtful = answer.status != 200 and any(map(_is_chat_ui, others))
    for dialect in () if doubtful else dialects:
        match = dialect.recognise(answer, others)
        if match is not None:
            how = f"GET {answer.path} answered {answer.status}"
            return Found(dialect.name, match.engine, match.models, answer.refused, how)
    return None


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


def _unsupported(
    endpoint: Endpoint, answers: Sequence[ProbeAnswer]
) -> ConfigurationError | ProtocolError:
    for answer in filter(_is_chat_ui, answers):
        return ConfigurationError(
            f"{endpoint.url} is a HuggingChat-style chat-ui, which is not supported "
            f"(GET {answer.path}): {registry.INSTEAD_OF_CHAT_UI}"
        )
    tried = "; ".join(map(str, answers))
    hint = f"name its dialect with `--dialect`, one of {', '.join(registry.names())}"
    if all(other.refused for other in answers):
        what = "another key" if endpoint.token else "a key"
        hint = f"it requires {what} (`--key-env VAR`), or {hint}"
    if answers[0].status in range(300, 400):
        hint = "connect to the address that it redirects to if you trust it"
    return ProtocolError(f"{endpoint.url} is not a supported server ({tried}): {hint}")
