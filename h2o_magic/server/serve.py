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
from collections.abc import AsyncIterator, Iterator
from contextlib import ExitStack, asynccontextmanager, contextmanager
from pathlib import Path
from uuid import uuid4

from aiohttp import web

from h2o_magic.backends.local.locate import server_at
from h2o_magic.config import paths
from h2o_magic.errors import ConfigurationError
from h2o_magic.rendering.streams import is_terminal, write
from h2o_magic.server.app import build_app
from h2o_magic.server.connections import (
    ListeningAddress,
    listen,
    raise_limit,
    resolve,
    url_of,
)
from h2o_magic.server.ending import (
    Ending,
    IdleTimer,
    call_at_signal,
    hold_signals,
)
from h2o_magic.server.loading import loader
from h2o_magic.server.log_output import open_log, start_log
from h2o_magic.server.models import Models
from h2o_magic.server.offer import Offer
from h2o_magic.server.run_settings import Settings, check, read_token
from h2o_magic.server.runtime_file import Runtime
from h2o_magic.server.stopping import Stopping

_log = logging.getLogger(__name__)

#: Seconds for open connections to end, once their answers were stopped.
_SHUTDOWN_SECONDS = 2


def serve(settings: Settings) -> None:
    """Run until a signal, an idle time or ``POST /shutdown`` ends the server."""
    check(settings)
    offer = _offer(settings)
    token = read_token(settings.token_file) if settings.token_file else None
    address = resolve(settings.host, settings.port)
    _refuse_open(settings, address)
    if settings.runtime_file:
        _refuse_second(settings.runtime_file)
    with ExitStack() as kept:
        listening = kept.enter_context(address.listen())
        log = open_log(settings.log_file) if settings.log_file else None
        runtime = _runtime(settings, listening, token)
        hold_signals()  # so that no file is left behind
        raise_limit()
        if settings.runtime_file:
            kept.enter_context(_written(settings.runtime_file, runtime))
        _greet(settings, runtime)
        start_log(log)
        _log.info("h2o_magic %s listens on %s", runtime.version, runtime.url)
        try:
            asyncio.run(_run(settings, runtime, listening, offer, address.is_loopback))
        except Exception:
            _log.critical("the server failed", exc_info=True)
            raise
    _log.info("ended")


def _offer(settings: Settings) -> Offer:
    if settings.models is not None:
        return Offer.of_names(settings.models, settings.memory)
    return Offer(paths=not settings.shared, memory=settings.memory)


def _refuse_open(settings: Settings, address: ListeningAddress) -> None:
    if not settings.shared and not address.is_loopback:
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
    if not is_terminal(sys.stderr):
        return
    if settings.shared:
        found = f"clients need the token in {settings.token_file}"
    elif settings.runtime_file == paths.runtime_file():
        found = "this user's notebooks find it automatically"
    else:
        found = f"address and token are in {settings.runtime_file}"
    write(
        f"h2o_magic is listening on {runtime.url} ; {found}; press Ctrl-C to stop it\n",
        sys.stderr,
    )


async def _run(
    settings: Settings,
    runtime: Runtime,
    listening: socket.socket,
    offer: Offer,
    local: bool,
) -> None:
    models = Models(settings.slots, loader(settings.queue), memory=settings.memory)
    stopping, idle = Stopping(), IdleTimer(settings.idle_minutes * 60)
    ended = asyncio.Event()

    def end() -> None:
        stopping.stop()
        ended.set()

    def force(number: int) -> None:  # the engines end with this process
        if settings.runtime_file:
            runtime.remove(settings.runtime_file)
        os._exit(128 + number)

    ending = Ending(stopping, settings.grace, end)
    app = build_app(
        runtime,
        models,
        idle=idle,
        stopping=stopping,
        end=None if settings.shared else ending.at_once,
        is_ending=lambda: ending.begun,
        offer=offer,
        local=local,
    )
    call_at_signal(asyncio.get_running_loop(), ending.begin, force)
    timer = asyncio.ensure_future(idle.run(ending.at_once))
    try:
        async with serving(app, listening):
            await ended.wait()
    finally:
        timer.cancel()
        await models.close()


@asynccontextmanager
async def serving(
    app: web.Application, listening: socket.socket
) -> AsyncIterator[None]:
    """Serve an application on a socket until this is left."""
    runner = web.AppRunner(
        app, handler_cancellation=True, shutdown_timeout=_SHUTDOWN_SECONDS
    )
    await runner.setup()
    try:
        server = await listen(runner, listening)
        yield
        server.close()
    finally:
        await runner.cleanup()


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
    running = server_at(path)
    if running is not None:
        raise ConfigurationError(
            f"this user's server is already running at {running.endpoint.url} (process "
            f"{running.pid}): use it, or stop it first"
        )
