"""Runs the server: socket, log, signals, runtime file, shutdown.

The user's own server is found by notebooks through its runtime file, generates its
token, and ends after an idle time. A shared server (one with a token file) writes no
runtime file and runs until a signal ends it.
"""

from __future__ import annotations

import asyncio
import importlib.metadata
import logging
import os
import secrets
import socket
import sys
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path
from uuid import uuid4

import uvicorn
from starlette.applications import Starlette

from h2o_magic.config import paths
from h2o_magic.errors import ConfigurationError
from h2o_magic.server.app import build_app
from h2o_magic.server.conversations import Conversations
from h2o_magic.server.ending import (
    Ending,
    IdleTimer,
    block_end_signals,
    call_at_signal,
)
from h2o_magic.server.line import Line
from h2o_magic.server.listening import (
    Connection,
    Place,
    raise_limit,
    resolve,
    url_of,
)
from h2o_magic.server.log_output import open_log, start_log
from h2o_magic.server.models import Models
from h2o_magic.server.offer import Offer
from h2o_magic.server.probe import end_probes
from h2o_magic.server.run_settings import Settings, check, read_token
from h2o_magic.server.runtime_file import Runtime, find_running

_log = logging.getLogger(__name__)

#: Seconds for open connections to end, once their answers were stopped.
_SHUTDOWN_SECONDS = 2
#: How many connections are accepted at once.
_BACKLOG = 128


def serve(settings: Settings) -> None:
    """Run until a signal, an idle time or ``POST /shutdown`` ends the server."""
    check(settings)
    offer = _offer(settings)
    token = read_token(settings.token_file) if settings.token_file else None
    place = resolve(settings.host, settings.port)
    _refuse_open(settings, place)
    if settings.runtime_file:
        _refuse_second(settings.runtime_file)
    with ExitStack() as kept:
        listening = kept.enter_context(place.listen())
        log = open_log(settings.log_file) if settings.log_file else None
        runtime = _runtime(settings, listening, token)
        block_end_signals()  # so that no file is left behind
        raise_limit()
        if settings.runtime_file:
            kept.enter_context(_written(settings.runtime_file, runtime))
        _greet(settings, runtime)
        start_log(log)
        _log.info("h2o_magic %s listens on %s", runtime.version, runtime.url)
        try:
            asyncio.run(_run(settings, runtime, listening, offer, place.is_loopback))
        except Exception:
            _log.critical("the server failed", exc_info=True)
            raise
    _log.info("ended")


def http_config(app: Starlette) -> uvicorn.Config:
    return uvicorn.Config(
        app,
        loop="asyncio",
        http=Connection,
        backlog=_BACKLOG,
        ws="none",
        lifespan="off",
        log_config=None,
        access_log=False,
        proxy_headers=False,
        server_header=False,
        timeout_graceful_shutdown=_SHUTDOWN_SECONDS,
    )


def _offer(settings: Settings) -> Offer:
    if settings.models is not None:
        return Offer.of_names(settings.models, settings.memory)
    return Offer(paths=not settings.shared, memory=settings.memory)


def _refuse_open(settings: Settings, place: Place) -> None:
    if not settings.shared and not place.is_loopback:
        raise ConfigurationError(
            f"expected --token-file with --host {settings.host}, since other machines "
            "can reach that address: write one with `openssl rand -hex 32 > FILE; "
            "chmod 600 FILE`, or leave --host out"
        )


def _runtime(
    settings: Settings, listening: socket.socket, token: str | None
) -> Runtime:
    return Runtime(
        url=url_of(listening),
        token=token or secrets.token_urlsafe(32),
        pid=os.getpid(),
        instance=str(uuid4()),
        version=importlib.metadata.version("h2o-magic"),
        log=str(settings.log_file) if settings.log_file else None,
    )


def _greet(settings: Settings, runtime: Runtime) -> None:
    if not sys.stderr.isatty():
        return
    if settings.shared:
        found = f"clients need the token in {settings.token_file}"
    elif settings.runtime_file == paths.runtime_file():
        found = "this user's notebooks find it automatically"
    else:
        found = f"address and token are in {settings.runtime_file}"
    print(  # noqa: T201
        f"h2o_magic is listening on {runtime.url} ; {found}; press Ctrl-C to stop it",
        file=sys.stderr,
    )


async def _run(
    settings: Settings,
    runtime: Runtime,
    listening: socket.socket,
    offer: Offer,
    local: bool,
) -> None:
    models = Models(settings.slots, memory=settings.memory)
    conversations = Conversations()
    line = Line(settings.slots, settings.queue)
    idle = IdleTimer(settings.idle_minutes * 60)
    server: _Server

    def end() -> None:
        server.should_exit = True
        conversations.stop_all()
        line.stopping.stop()

    def force(number: int) -> None:
        end_probes()
        if settings.runtime_file:
            runtime.remove(settings.runtime_file)
        os._exit(128 + number)

    ending = Ending(line, settings.grace, end)
    app = build_app(
        runtime,
        models,
        conversations,
        line=line,
        idle=idle,
        end=None if settings.shared else ending.at_once,
        is_ending=lambda: ending.begun,
        offer=offer,
        local=local,
    )
    server = _Server(http_config(app))
    call_at_signal(asyncio.get_running_loop(), ending.begin, force)
    timer = asyncio.ensure_future(idle.run(ending.at_once))
    try:
        await server.serve(sockets=[listening])
    finally:
        timer.cancel()
        await models.close()


class _Server(uvicorn.Server):
    """Uvicorn without its signal handling: see `ending`."""

    @contextmanager
    def capture_signals(self) -> Iterator[None]:
        yield


@contextmanager
def _written(path: Path, runtime: Runtime) -> Iterator[None]:
    try:
        runtime.write(path)
    except OSError as error:
        raise ConfigurationError(
            f"cannot write the runtime file {path}: {error.strerror}; choose another"
        ) from error
    try:
        yield
    finally:
        runtime.remove(path)


def _refuse_second(path: Path) -> None:
    running = find_running(path)
    if running is not None:
        raise ConfigurationError(
            f"this user's server is already running at {running.url} (process "
            f"{running.pid}): use it, or stop it first"
        )
