"""Which dialect a server speaks: each dialect's probes are asked for by GET.

The built-in ones have three between them, each a list of models where one dialect has
it and the others have nothing (tests/recordings). Those of plug-ins come last, unless
the dialect is named.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator, Sequence
from contextlib import closing
from dataclasses import dataclass
from functools import partial

from h2o_magic.backends import registry
from h2o_magic.backends.base import Dialect, ProbeAnswer
from h2o_magic.backends.error_advice import telling, told
from h2o_magic.backends.http import HttpClient, Response, Timeouts
from h2o_magic.backends.http.error_body import error_text
from h2o_magic.backends.openai.address import split_address
from h2o_magic.backends.openai.flavour import entries_of
from h2o_magic.config.units import counted
from h2o_magic.config.url import Endpoint
from h2o_magic.errors import BackendError, ConfigurationError, ProtocolError

_TIMEOUTS = Timeouts(connect=5, first_byte=20, idle=10, overall=30)
_LARGEST = 8 * 2**20  # bytes of a list of models
_LONGEST = 65536  # bytes of an error that are read
_SHOWN = 100  # characters of an answer that fits nothing


@dataclass(frozen=True, slots=True)
class Found:
    """What a server was found to be.

    Attributes
    ----------
    dialect : str
        The name of a dialect.
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
        engine = f" ({self.engine})" if self.engine else ""
        return registry.label(self.dialect) + engine

    def __str__(self) -> str:
        """Say what it is and has: ``OpenAI-compatible (vLLM), 2 models``."""
        has = "" if self.models is None else f", {counted(self.models, 'model')}"
        return f"{self.kind}{has}"


def detect(
    endpoint: Endpoint, *, expected: str = "", timeouts: Timeouts = _TIMEOUTS
) -> Found:
    """Find out which dialect a server speaks."""
    root, version = split_address(endpoint.url)
    # Who writes a version segment means the OpenAI-compatible API that is there.
    first = expected or ("openai" if root != endpoint.url else "")
    answers: dict[str, ProbeAnswer] = {}
    with closing(HttpClient(Endpoint(root, endpoint.token), timeouts=timeouts)) as way:
        for path, dialects in _probes(expected, first, version):
            if path not in answers:
                answers[path] = _ask(way, path, first=not answers)
            others = [a for a in answers.values() if a.path != path]
            found = _judged(answers[path], others, dialects)
            if found is not None:
                return found
    raise _nothing(endpoint, list(answers.values()))


def _probes(
    expected: str, first: str, version: str
) -> Iterator[tuple[str, list[Dialect]]]:
    """Yield the paths to ask for, each with the dialects that judge the answer."""
    for dialects in _rounds(expected):
        paths = [
            (path.replace("{version}", version), dialect)
            for dialect in sorted(dialects, key=lambda d: d.name != first)
            for path in dialect.probes
        ]
        for path in dict.fromkeys(path for path, _ in paths):
            yield path, [dialect for dialect in dialects if (path, dialect) in paths]


def _rounds(expected: str) -> Iterator[tuple[Dialect, ...]]:
    """Yield the dialects in the order of trying, plug-ins as late as can be."""
    built_in = registry.built_in()
    if expected and all(dialect.name != expected for dialect in built_in):
        yield (registry.find(expected),)
    yield built_in
    yield tuple(registry.added())


def _ask(way: HttpClient, path: str, *, first: bool) -> ProbeAnswer:
    try:
        with way.send("GET", path, accepted=range(100, 600)) as reply:
            return _heard(path, reply)
    except BackendError as error:
        if first:  # there is nobody, or it is too slow for all
            with telling(partial(told, refusal=str)):
                raise
        return ProbeAnswer(path, 0, words=_cut(str(error)))


def _heard(path: str, reply: Response) -> ProbeAnswer:
    body = reply.secrets.redact_body(reply.read(_LARGEST))
    try:
        document = json.loads(body)
    except (ValueError, RecursionError):
        document = None
    words = error_text(body[:_LONGEST], limit=_LONGEST)
    if target := reply.headers.get("Location"):
        # Its query may hold what is not for everybody's eyes.
        words = f"a redirect to {target.partition('?')[0]!r}, not followed"
    server = reply.headers.get("Server", "")
    shown = _cut(reply.secrets.redact(words))
    return ProbeAnswer(path, reply.status, document, shown, server)


def _cut(text: str) -> str:
    return text if len(text) <= _SHOWN else f"{text[: _SHOWN - 1]}…"


def _judged(
    answer: ProbeAnswer, others: Sequence[ProbeAnswer], dialects: Iterable[Dialect]
) -> Found | None:
    """Return what the first dialect that recognises an answer makes of it."""
    # What chat-ui refuses says nothing of it.
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


def _nothing(
    endpoint: Endpoint, answers: Sequence[ProbeAnswer]
) -> ConfigurationError | ProtocolError:
    """Return the error for a server that speaks no dialect."""
    for answer in filter(_is_chat_ui, answers):
        return ConfigurationError(
            f"{endpoint.url} is {registry.CHAT_UI} (known by: GET {answer.path})"
        )
    tried = "; ".join(map(str, answers))
    hint = f"name what it is with `--dialect`, one of {', '.join(registry.names())}"
    if all(other.refused for other in answers):
        what = "another key" if endpoint.token else "a key"
        hint = f"it wants {what} (`--key-env VAR`), or {hint}"
    if answers[0].status in range(300, 400):
        hint = "connect to the address that it redirects to, if you trust that"
    return ProtocolError(f"{endpoint.url} is not a supported server ({tried}): {hint}")
