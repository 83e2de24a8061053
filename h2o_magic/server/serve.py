"""Runs the server: socket, log, signals, runtime file, and its end."""

from __future__ import annotations

import asyncio
import contextlib
import importlib.metadata
import logging
import os
import secrets
import signal
import socket
import sys
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from uuid import uuid4

import uvicorn

from h2o_magic.errors import ConfigurationError
from h2o_magic.server.app import build_app
from h2o_magic.server.conversations import Conversations
from h2o_magic.server.lifetime import IdleTimer
from h2o_magic.server.models import Models
from h2o_magic.server.runtime_file import Runtime, find_running

__all__ = ["Settings", "serve"]

_log = logging.getLogger(__name__)

_HOST = "127.0.0.1"
_BACKLOG = 128
_LARGEST_LOG = 2**20
#: Seconds that open connections get at the end, once their answers were stopped.
_GRACE = 2
_END_SIGNALS = (signal.SIGINT, signal.SIGTERM)


@dataclass(frozen=True, slots=True)
class Settings:
    """How to run.

    Attributes
    ----------
    runtime_file : Path
        Where to leave address and token for this user's programs.
    port : int
        Port on 127.0.0.1; 0 takes a free one.
    slots : int
        Answers that one model writes at once.
    idle_minutes : float
        Minutes without a request after which the server ends; 0 for never.
    log_file : Path or None
        Where to write the log; None for standard error.
    """

    runtime_file: Path
    port: int = 0
    slots: int = 4
    idle_minutes: float = 15.0
    log_file: Path | None = None


def serve(settings: Settings) -> None:
    """Run until a signal, an idle time or ``POST /shutdown`` ends the server.

    Raises
    ------
    ConfigurationError
        If the port is taken, or the runtime file names a server that runs.
    """
    _refuse_second(settings.runtime_file)
    listening = _listen(settings.port)
    _start_log(settings.log_file)
    url = "http://{}:{}".format(*listening.getsockname())
    runtime = Runtime(
        url=url,
        token=secrets.token_urlsafe(32),
        pid=os.getpid(),
        instance=str(uuid4()),
        version=importlib.metadata.version("h2o-magic"),
        log=str(settings.log_file) if settings.log_file else None,
    )
    _block_end_signals()
    with listening, _left_in(settings.runtime_file, runtime):
        _log.info("h2o_magic %s listens on %s", runtime.version, url)
        asyncio.run(_run(settings, runtime, listening))
    _log.info("ended")


async def _run(settings: Settings, runtime: Runtime, listening: socket.socket) -> None:
    models = Models(settings.slots)
    conversations = Conversations()
    idle = IdleTimer(settings.idle_minutes * 60)
    server: _Server

    def end() -> None:
        server.should_exit = True
        conversations.stop_all()

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
    _call_at_signal(asyncio.get_running_loop(), end)
    timer = asyncio.ensure_future(idle.run(end))
    try:
        await server.serve(sockets=[listening])
    finally:
        timer.cancel()
        await models.close()


class _Server(uvicorn.Server):
    """Uvicorn without its signal handling: see `_block_end_signals`."""

    @contextmanager
    def capture_signals(self) -> Iterator[None]:
        yield


def _block_end_signals() -> None:
    """Keep the signals that end us from every handler, for a thread to wait for them.

    The engine installs handlers of its own whenever it loads a model. A signal that is
    blocked in all threads (new ones inherit it) reaches none of them.
    """
    if hasattr(signal, "pthread_sigmask"):
        signal.pthread_sigmask(signal.SIG_BLOCK, _END_SIGNALS)


def _call_at_signal(loop: asyncio.AbstractEventLoop, end: Callable[[], None]) -> None:
    def wait() -> None:
        while True:
            received = signal.sigwait(_END_SIGNALS)
            _log.info("got %s", signal.Signals(received).name)
            with contextlib.suppress(RuntimeError):  # the loop is closed already
                loop.call_soon_threadsafe(end)

    if hasattr(signal, "sigwait"):
        threading.Thread(target=wait, name="signals", daemon=True).start()
    else:  # Windows: until a model is loaded; then the engine's handler comes first
        for number in _END_SIGNALS:
            signal.signal(number, lambda *_: loop.call_soon_threadsafe(end))


@contextmanager
def _left_in(path: Path, runtime: Runtime) -> Iterator[None]:
    """Leave the runtime file at `path` for the length of the block."""
    runtime.write(path)
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


def _start_log(path: Path | None) -> None:
    """Send the log, and what the engine prints, to a file for this user only."""
    if path is not None:
        path.parent.mkdir(parents=True, exist_ok=True)
        flags = os.O_WRONLY | os.O_CREAT | os.O_APPEND
        file = os.open(path, flags, 0o600)
        if os.fstat(file).st_size > _LARGEST_LOG:
            os.ftruncate(file, 0)
        os.dup2(file, 1)
        os.dup2(file, 2)
        os.close(file)
    logging.basicConfig(
        level=logging.INFO, format="%(asctime)s %(levelname)s %(name)s: %(message)s"
    )
