"""What travels to a worker: which server it asks, and what all rows share.

A key travels as the name of where it is, and is read where the worker runs. The worker
makes its backend once for all rows that it gets.
"""

from __future__ import annotations

import os
import platform
import socket
from collections.abc import Sequence
from dataclasses import dataclass, field
from functools import lru_cache
from pathlib import Path
from uuid import uuid4

from h2o_magic.backends import registry
from h2o_magic.backends.base import Backend
from h2o_magic.backends.servers.credentials import Credentials
from h2o_magic.backends.servers.known import KnownServer
from h2o_magic.conversation.answering import Serving
from h2o_magic.errors import ConfigurationError, H2OMagicError
from h2o_magic.prompts.secrets.scan import masked
from h2o_magic.tables.executors import Ticket
from h2o_magic.tables.executors.threads import Inbox, StoppableAsker, Threads
from h2o_magic.tables.row_requests import RowRequests
from h2o_magic.tables.running.asking import RowAsker
from h2o_magic.tables.running.outcome import Outcome, RowFailure

#: Runs whose backends a worker keeps.
_RUNS = 4
_LOCAL_ONLY = (
    "the local server answers on this machine only: connect to one that the workers "
    "reach"
)


def this_machine() -> str:
    """Return what tells this user on this machine from others."""
    boot = Path("/proc/sys/kernel/random/boot_id")
    started = boot.read_text() if boot.exists() else ""
    user = os.getuid() if hasattr(os, "getuid") else os.environ.get("USERNAME")
    return f"{platform.node()} {started.strip()} {user}"


@dataclass(frozen=True)
class Task:
    """What is asked, and of whom; it can be pickled, and holds no key.

    `server` is None for the local one, which only workers of this user on `machine` may
    ask. `width` is how many connections a worker has at most.
    """

    server: KnownServer | None = field(compare=False)
    requests: RowRequests = field(compare=False)
    width: int = field(compare=False)
    machine: str = field(default_factory=this_machine, compare=False)
    id: str = field(default_factory=lambda: uuid4().hex)

    @classmethod
    def of(cls, serving: Serving, requests: RowRequests, width: int) -> Task:
        """Return the task of a server, or refuse one that workers cannot ask."""
        server = serving.place()
        if server is None and not serving.local:
            raise ConfigurationError(
                f"{serving.name} was connected to by the program, and is known to this "
                "process only: use h2o_magic.connect(ADDRESS), or give no executor"
            )
        if server is not None and server.key.kind == "prompt":
            raise ConfigurationError(
                f"the key for {server.url} was typed in here, and does not travel to "
                "workers: set it there in an environment variable, and connect with "
                "--key-env"
            )
        return cls(server, requests, width)

    def backend(self) -> Backend:
        """Return the server's backend; a ConfigurationError if it cannot be used."""
        if self.server is not None:
            key = Credentials().read(self.server.key, self.server.url)
            return registry.connect(self.server.dialect, self.server.url, key)
        if self.machine != this_machine():
            raise ConfigurationError(_LOCAL_ONLY)
        return registry.local()


@lru_cache(_RUNS)
def _asker_of(task: Task) -> RowAsker:
    return RowAsker(task.backend().for_rows(task.width), task.requests)


def threads_of(task: Task, inbox: Inbox) -> Threads:
    """Return what asks a task's rows in this process."""
    return Threads(StoppableAsker(_asker_of(task)), inbox)


def ask_rows(task: Task, tickets: Sequence[Ticket]) -> list[Outcome]:
    """Ask all these rows at once, where this is called; nothing is raised."""
    found: list[Outcome] = []
    try:
        threads = threads_of(task, Inbox())
    except H2OMagicError as error:
        return refused_here(tickets, error)
    try:
        threads.submit(tickets)
        while len(found) < len(tickets):
            found += threads.outcomes(1.0)
    finally:
        threads.stop()
    return found


def refused_here(tickets: Sequence[Ticket], error: Exception) -> list[Outcome]:
    """Return that rows cannot be asked by the worker where this is called."""
    return refused(tickets, f"{error} (in a worker on {socket.gethostname()})")


def lost(tickets: Sequence[Ticket], why: str) -> list[Outcome]:
    """Return that rows got lost with the worker that had them."""
    message = f"the row got lost with its worker: {masked(why)}"
    return [Outcome(number, RowFailure(message, "lost")) for number, _ in tickets]


def refused(tickets: Sequence[Ticket], message: str) -> list[Outcome]:
    """Return that these rows cannot be asked, nor any others."""
    failure = RowFailure(masked(message), "run")
    return [Outcome(number, failure, requests=0) for number, _ in tickets]
