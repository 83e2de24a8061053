"""A kernel's stand-in: a process with a session, told by a pipe what to do.

It can be killed at any moment. Its backend says what the test tells it to say. Its
session is the one of a shell, whose cells are run as ipykernel runs them.
"""

from __future__ import annotations

import os
import threading
from collections.abc import Iterator
from dataclasses import dataclass, field
from multiprocessing.connection import Connection
from pathlib import Path
from types import SimpleNamespace
from typing import Any

# What a session imports when it is made: kernels that are forked have it already.
from h2o_magic.backends.base import ChatRequest, ModelInfo
from h2o_magic.chat.events import Event, Finished, TextDelta
from h2o_magic.errors import BackendError, ConfigurationError
from h2o_magic.ipython import opening  # noqa: F401 - sessions import it when one is made
from h2o_magic.ipython.sessions import NotebookState


@dataclass
class ToldBackend:
    """Answers what it was told: whole, stopped, broken off, or never ending."""

    answer: str = ""
    ending: str = "complete"
    said: threading.Event = field(default_factory=threading.Event)
    sent: list[tuple[str, str]] = field(default_factory=list)
    url: str = "http://told"
    dialect: str = "openai"  # gpt-gm would read no more than its `truncate` says

    def stream(self, request: ChatRequest) -> Iterator[Event]:
        self.sent = [(m.role, m.content) for m in request.messages]
        yield TextDelta(self.answer)
        self.said.set()
        if self.ending == "incomplete":
            threading.Event().wait()
        if self.ending == "failed":
            raise BackendError("broken off")
        yield Finished(self.answer, "stopped" if self.ending == "stopped" else "end")

    def models(self) -> list[ModelInfo]:
        return []

    def model(self, name: str = "") -> ModelInfo | None:  # noqa: ARG002
        return None

    def close(self) -> None:
        pass


class Kernel:
    """What the test can ask for, one method each."""

    def __init__(
        self, path: str, notebook: str = "/home/ann/chat.ipynb", cell: str | None = None
    ) -> None:
        os.environ["H2O_MAGIC_HOME"] = str(Path(path).parent)
        self.backend = ToldBackend()
        self.troubles: list[str] = []
        self.requests = 0
        self.request = {} if cell is None else self.request_of(cell)
        shell = SimpleNamespace(
            kernel=SimpleNamespace(get_parent=lambda: self.request),
            user_ns={"__vsc_ipynb_file__": notebook},
        )
        self.current = NotebookState(shell)
        self.current.warn = self.troubles.append
        self.session = self.current.session
        self.session.backend = self.backend

    def request_of(self, cell: str) -> dict[str, Any]:
        self.requests += 1
        header = {"msg_id": f"request {self.requests}"}
        return {"header": header, "metadata": {"cellId": cell}}

    def run_cell(self, cell: str, asked: list[tuple[str, str, str, bool]]) -> Any:
        """Run a cell that asks; return what was sent with each question.

        Parameters
        ----------
        cell
            The cell's id.
        asked
            Question, answer, thread, and whether it is one of the conversation.
        """
        self.request = self.request_of(cell)
        self.current.cell.begin(cell)
        sent = [
            self.ask(question, answer, "complete", thread=thread, history=history)
            for question, answer, thread, history in asked
        ]
        if self.current.cell.end():
            self.current.remove_stale_turns()
        self.request = {}
        return sent

    def ask(self, question: str, answer: str, ending: str, **options: Any) -> Any:
        """Ask, and return what was sent; an answer that never ends goes on aside."""
        backend = self.backend
        backend.answer, backend.ending = answer, ending
        backend.said.clear()
        coming = self.session.ask(question, context=100_000, **options)
        return self._read(coming, ending)

    def retry(self, answer: str, thread: str) -> Any:
        backend = self.backend
        backend.answer, backend.ending = answer, "complete"
        coming = self.session.retry(context=100_000, thread=thread)
        return self._read(coming, "complete")

    def _read(self, coming: Any, ending: str) -> list[tuple[str, str]]:
        if ending == "incomplete":
            threading.Thread(target=coming.read, daemon=True).start()
            assert self.backend.said.wait(30)
            return self.backend.sent
        try:
            coming.read()
        except BackendError:
            assert ending == "failed"
        return self.backend.sent

    def state(self) -> dict[str, list[tuple[Any, ...]]]:
        """Return every thread's turns."""
        assert self.troubles == []
        return {
            info.name: [
                (t.number, t.question, t.answer, t.status, t.cell, t.begins, t.outdated)
                for t in self.session.turns(info.name)
            ]
            for info in self.session.threads()
        }

    def call(self, name: str, *args: Any, **kwargs: Any) -> Any:
        """Call a method of the session that only says what it did."""
        try:
            return getattr(self.session, name)(*args, **kwargs)
        except ConfigurationError as error:
            return str(error)


def serve(pipe: Connection, path: str) -> None:
    """Do what comes through the pipe until it is closed."""
    kernel = Kernel(path)
    while True:
        try:
            name, args, kwargs = pipe.recv()
        except EOFError:
            kernel.session.close()
            return
        pipe.send(getattr(kernel, name)(*args, **kwargs))
