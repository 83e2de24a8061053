"""Runs the server: socket, log, signals, runtime file, and its end."""

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

from h2o_magic import places
from h2o_magic.errors import ConfigurationError
from h2o_magic.server.app import build_app
from h2o_magic.server.conversations import Conversations
from h2o_magic.server.end_signals import block_end_signals, call_at_signal
from h2o_magic.server.lifetime import IdleTimer
from h2o_magic.server.log_output import open_log, start_log
from h2o_magic.server.models import Models
from h2o_magic.server.run_settings import Settings, check
from h2o_magic.server.runtime_file import Runtime, find_running

__all__ = ["serve"]

_log = logging.getLogger(__name__)

_HOST = "127.0.0.1"
_BACKLOG = 128
#: Seconds that open connections get at the end, once their answers were stopped.
_GRACE = 2


def serve(settings: Settings) -> None:
    """Run until a signal, an idle time or ``POST /shutdown`` ends the server.

    Raises
    ------
    ConfigurationError
        If a setting is out of its range, the port is taken, a file cannot be written,
        or the runtime file names a server that runs.
    """
    check(settings)
    _refuse_second(settings.runtime_file)
    with ExitStack() as kept:
        listening = kept.enter_context(_listen(settings.port))
        log = open_log(settings.log_file) if settings.log_file else None
        runtime = _runtime(settings, listening)
        # Who is ended by a signal leaves no file behind.
        block_end_signals()
        kept.enter_context(_left_in(settings.runtime_file, runtime))
        # From here on nothing that is said reaches a terminal, if there is a log file.
        _greet(settings, runtime)
        start_log(log)
        _log.info("h2o_magic %s listens on %s", runtime.version, runtime.url)
        asyncio.run(_run(settings, runtime, listening))
    _log.info("ended")


def _runtime(settings: Settings, listening: socket.socket) -> Runtime:
    return Runtime(
        url="http://{}:{}".format(*listening.getsockname()),
        token=secrets.token_urlsafe(32),
        pid=os.getpid(),
        instance=str(uuid4()),
        version=importlib.metadata.version("h2o-magic"),
        log=str(settings.log_file) if settings.log_file else None,
    )


def _greet(settings: Settings, runtime: Runtime) -> None:
    """Say hello to who started the server by hand."""
    if not sys.stderr.isatty():
        return
    found = (
        "notebooks of this user find it by themselves"
        if settings.runtime_file == places.runtime_file()
        else f"address and token are in {settings.runtime_file}"
    )
    print(  # noqa: T201
        f"h2o_magic listens on {runtime.url} ; {found}; Ctrl-C ends it",
        file=sys.stderr,
    )


async def _run(settings: Settings, runtime: Runtime, listening: socket.socket) -> None:
    models = Models(settings.slots, memory=settings.memory)
    conversations = Conversations()
    idle = IdleTimer(settings.idle_minutes * 60)
    server: _Server

    def end() -> None:
        server.should_exit = True
        conversations.stop_all()

    def force(number: int) -> None:
        runtime.remove(settings.runtime_file)
        os._exit(128 + number)

    app = build_app(runtime, models, conversations, idle=idle, end=end)
    server = _Server(
        uvicorn.Config(
            app,
            loop="asyncio",
            http="h11",
            ws="none",
            lifespan="off",
            log_config=None,
            access_log=False,
            server_header=False,
            timeout_graceful_shutdown=_GRACE,
        )
    )
    call_at_signal(asyncio.get_running_loop(), end, force)
    timer = asyncio.ensure_future(idle.run(end))
    try:
        await server.serve(sockets=[listening])
    finally:
        timer.cancel()
        await models.close()


class _Server(uvicorn.Server):
    """Uvicorn without its signal handling: see `end_signals`."""

    @contextmanager
    def capture_signals(self) -> Iterator[None]:
        yield


@contextmanager
def _left_in(path: Path, runtime: Runtime) -> Iterator[None]:
    """Leave the runtime file at `path` for the length of the block."""
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
            f"this user's server is running already: {running.url}, process "
            f"{running.pid}: use that one, or end its process first"
        )


def _listen(port: int) -> socket.socket:
    listening = socket.socket(socket.AF_INET, socket.SOCK_STREAM)
    if sys.platform != "win32":  # there it would share the port with another program
        listening.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    try:
        listening.bind((_HOST, port))
    except OSError as error:
        listening.close()
        raise ConfigurationError(
            f"cannot listen on port {port}: {error.strerror}; "
            "choose another, or 0 for a free one"
        ) from error
    listening.listen(_BACKLOG)
    return listening
