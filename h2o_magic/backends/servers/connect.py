"""Connecting to one server: what it is, whether it takes the key, what it offers."""

from __future__ import annotations

import re
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

from h2o_magic.backends import registry
from h2o_magic.backends.base import Backend, ModelInfo
from h2o_magic.backends.servers.credentials import NO_KEY
from h2o_magic.backends.servers.known import KnownServer
from h2o_magic.config.units import counted
from h2o_magic.config.url import Endpoint
from h2o_magic.errors import ProtocolError, StatusError
from h2o_magic.rendering.literal import literal

if TYPE_CHECKING:
    from h2o_magic.backends.detect import Found

#: Statuses with which a server asks for a key, or for another one.
REFUSED = (401, 403)
#: What to do about a server whose list of models is empty.
NO_MODEL = "load or pull one there first"

#: Headers in which a list of models wants a key, where questions take the usual one.
_OTHER_KEY = re.compile(r"x-api-key|anthropic-version", re.IGNORECASE)

_MAY_ASK = "; if it is right, but may not list models, add `--dialect openai`"

#: Makes a backend of a dialect, an address and a key.
Make = Callable[[str, str, str | None], Backend]


@dataclass(frozen=True, slots=True)
class Connected:
    """The server that answers from now on.

    `notes` are sentences for the user; `model` is empty if the first question shows it;
    `formerly` is the name that it had before, if another.
    """

    server: str
    url: str = ""
    dialect: str = "openai"
    what: str = "the local server, started when needed"
    models: tuple[str, ...] = ()
    model: str = ""
    notes: tuple[str, ...] = ()
    formerly: str = ""

    def __str__(self) -> str:
        where = f" ({self.url})" if self.url not in ("", self.server) else ""
        before = f", formerly {self.formerly}" if self.formerly else ""
        lines = [f"Connected to {self.server}{where}{before}: {self.what}."]
        model = [f"Model: {self.model}."] if self.model else []
        lines.append(" ".join([*model, *self.notes]))
        return "\n".join(filter(None, lines))

    def _repr_markdown_(self) -> str:
        # What a notebook shows of `h2o_magic.connect(...)`.
        return "\n\n".join(map(literal, str(self).split("\n")))

    def _repr_pretty_(self, printer: Any, _cycle: bool) -> None:
        printer.text(str(self))


@dataclass(frozen=True, slots=True)
class OpenedServer:
    """A server that has just answered; `models` is None if it does not list them."""

    server: KnownServer
    backend: Backend
    models: tuple[ModelInfo, ...] | None
    what: str
    how: str = ""
    engine: str = ""
    formerly: str = ""
    problem: str = ""

    def summary(self, model: str, problem: str) -> Connected:
        """Return what the user sees; `problem` is the current model's, or empty."""
        names = tuple(model.name for model in self.models or ())
        has = "it does not list its models"
        if self.models is not None:
            has = counted(len(names), "model") if names else "it lists no models"
            problem = problem if names else NO_MODEL
        how = f" (detected by: {self.how})" if self.how else ""
        return Connected(
            server=self.server.name or self.server.url,
            url=self.server.url,
            dialect=self.server.dialect,
            what=f"{self.what}, {has}{how}",
            models=names,
            model=model,
            notes=tuple(map(_sentence, filter(None, [problem, self.problem]))),
            formerly=self.formerly,
        )


def open_server(
    server: KnownServer, token: str | None, make: Make, *, believed: bool = False
) -> OpenedServer:
    """Connect, detecting a dialect that is unknown, or known but not `believed`."""
    what, how, engine = registry.label(server.dialect), "", ""
    sure = believed
    if not server.dialect:
        server, found = probe(server, token)
        what, how, engine = found.kind, found.how, found.engine
        believed, sure = False, True
    backend = make(server.dialect, server.url, token)
    try:
        models, problem = _models_of(backend, server, believed=believed)
    except BaseException:
        backend.close()
        raise
    if models is None and not sure and registry.find(server.dialect).probes:
        with suppress(ProtocolError):  # then it is what it was, without a list
            other = open_server(replace(server, dialect=""), token, make)
            backend.close()
            return other
    if server.dialect == "openai" and (sure or models is not None):
        server = replace(server, url=backend.url)  # where its API was found
    return OpenedServer(server, backend, models, what, how, engine, problem=problem)


def probe(server: KnownServer, token: str | None) -> tuple[KnownServer, Found]:
    from h2o_magic.backends.detect import detect  # noqa: PLC0415

    found = detect(Endpoint(server.url, token))
    if found.refused:
        hint = "" if server.key == NO_KEY else _MAY_ASK
        raise _refusal(found.kind, server, 401, hint)
    return replace(server, dialect=found.dialect, url=found.url), found


def _models_of(
    backend: Backend, server: KnownServer, *, believed: bool
) -> tuple[tuple[ModelInfo, ...] | None, str]:
    """Return a server's models, None if it does not list them, and a note about that.

    Some take a key for questions that they do not take for their list of models.
    """
    try:
        models = tuple(backend.models())
    except ProtocolError:
        return None, ""
    except StatusError as error:
        if error.status in (404, 405, 501):
            return None, ""
        other_key = server.key != NO_KEY and _OTHER_KEY.search(error.server_message)
        unlisted = error.status in (400, 500) or (
            error.status == 403 and server.key != NO_KEY
        )
        if other_key or (believed and unlisted):
            return None, f"it did not list its models: {error}"
        if error.status in REFUSED:
            what = registry.label(server.dialect)
            raise _refusal(what, server, error.status) from None
        raise
    if believed and server.dialect == "gpt-gm" and _are_of_catalogue(models):
        return None, ""
    return models, ""


def _are_of_catalogue(models: tuple[ModelInfo, ...]) -> bool:
    """Return whether a server did not name these models: they are those we know."""
    from h2o_magic.backends.gptgm.models import CATALOGUE  # noqa: PLC0415

    return bool(models) and models[0] is CATALOGUE[0]


def _refusal(
    what: str, server: KnownServer, status: int, hint: str = ""
) -> StatusError:
    if server.key == NO_KEY:
        problem = "requires a key: name the environment variable that holds it, as in"
    else:
        problem = f"rejected the key ({server.key}): check it, or use another, as in"
    return StatusError(
        f"{what} at {server.url} {problem} `%h2o connect {server.url} --key-env VAR`"
        f"{hint}",
        status=status,
    )


def _sentence(text: str) -> str:
    return f"{text[:1].upper()}{text[1:]}{'' if text.endswith('?') else '.'}"
