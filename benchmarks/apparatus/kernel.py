"""A real ipykernel in a process of its own, and all that it puts on IOPub."""

from __future__ import annotations

import ast
import json
import os
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import zmq
from jupyter_client.blocking.client import BlockingKernelClient
from jupyter_client.manager import KernelManager

__all__ = ["CellRun", "IOPubMessage", "Kernel", "running_kernel", "talking_kernel"]

_PATIENCE = 120  # seconds
_DISPLAYS = {"display_data", "update_display_data"}
_DELIMITER = b"<IDS|MSG>"


@dataclass(frozen=True)
class IOPubMessage:
    """One message: when it came (``time.time()``), its bytes, its kind and content."""

    time: float
    size: int
    kind: str
    content: dict[str, Any]

    @property
    def shows(self) -> bool:
        """Whether a viewer sees something of it."""
        return self.kind in _DISPLAYS

    @property
    def markdown(self) -> str:
        """What it shows as Markdown."""
        return str(self.content.get("data", {}).get("text/markdown", ""))


@dataclass
class CellRun:
    """A cell that has run.

    Attributes
    ----------
    sent : float
        When it was sent, by ``time.time()``.
    messages : list of IOPubMessage
        All that came for it, in order.
    status : str
        ``"ok"`` or ``"error"``.
    cpu : float
        Seconds of the processor that the kernel's whole process took for it.
    """

    sent: float = 0.0
    messages: list[IOPubMessage] = field(default_factory=list)
    status: str = ""
    cpu: float = 0.0

    @property
    def size(self) -> int:
        """Bytes of all messages."""
        return sum(message.size for message in self.messages)

    @property
    def shown(self) -> list[IOPubMessage]:
        """The messages of which a viewer sees something."""
        return [message for message in self.messages if message.shows]

    @property
    def seconds(self) -> float:
        """From the cell's beginning in the kernel to its end, as told on IOPub."""
        return self.messages[-1].time - self.messages[0].time

    def first_with(self, text: str) -> float:
        """Return when a text was first shown, by ``time.time()``."""
        return next(m.time for m in self.shown if text in m.markdown)


class Kernel:
    """Runs cells as a front end does."""

    def __init__(self, manager: KernelManager, client: BlockingKernelClient) -> None:
        self._client = client
        self._iopub: zmq.Socket[bytes] = zmq.Context.instance().socket(zmq.SUB)
        self._iopub.setsockopt(zmq.RCVHWM, 0)  # nothing is dropped
        self._iopub.subscribe(b"")
        info = manager.get_connection_info()
        self._iopub.connect(f"{info['transport']}://{info['ip']}:{info['iopub_port']}")
        self._cells = 0
        self._greet()

    def close(self) -> None:
        """Read no more."""
        self._iopub.close(0)

    def run(self, code: str, *, cell: str | None = None) -> CellRun:
        """Run a cell to its end.

        Parameters
        ----------
        code
            Its text.
        cell
            Its id; a new one if not given.

        Raises
        ------
        RuntimeError
            If it ends with an error.
        """
        before = self.evaluate("__import__('time').process_time()")
        self._cells += 1
        run, replied = self._run(
            code,
            {"cellId": cell or f"cell-{self._cells}"},
            {"cpu": "__import__('time').process_time()"},
        )
        run.cpu = _value(replied, "cpu") - before
        return run

    def evaluate(self, expression: str) -> Any:
        """Return the value of an expression in the kernel, of plain values."""
        _, replied = self._run("", {}, {"value": expression}, silent=True)
        return _value(replied, "value")

    def _run(
        self,
        code: str,
        metadata: Mapping[str, str],
        expressions: Mapping[str, str],
        *,
        silent: bool = False,
    ) -> tuple[CellRun, dict[str, Any]]:
        content = {
            "code": code,
            "silent": silent,
            "store_history": not silent,
            "user_expressions": dict(expressions),
            "allow_stdin": False,
            "stop_on_error": True,
        }
        message = self._client.session.msg(
            "execute_request", content, metadata=dict(metadata)
        )
        run = CellRun(time.time())
        self._client.shell_channel.send(message)
        wanted = str(message["header"]["msg_id"])
        while not run.messages or not _is_end(run.messages[-1]):
            parent, heard = self._read()
            if parent == wanted:
                run.messages.append(heard)
        while True:
            reply = self._client.get_shell_msg(timeout=_PATIENCE)
            if reply["parent_header"].get("msg_id") == wanted:
                break
        replied: dict[str, Any] = reply["content"]
        run.status = replied["status"]
        if run.status != "ok":
            raise RuntimeError(f"the cell failed: {replied}")
        return run, replied

    def _read(self) -> tuple[str, IOPubMessage]:
        if not self._iopub.poll(_PATIENCE * 1000):
            raise TimeoutError("the kernel says nothing more")
        frames = self._iopub.recv_multipart()
        now = time.time()
        place = frames.index(_DELIMITER) + 2  # behind the signature
        header, parent, _, content = map(json.loads, frames[place : place + 4])
        message = IOPubMessage(now, sum(map(len, frames)), header["msg_type"], content)
        return str(parent.get("msg_id", "")), message

    def _greet(self) -> None:
        """Have the kernel say something until the new reader hears it."""
        while True:
            self._client.kernel_info()
            self._client.get_shell_msg(timeout=_PATIENCE)
            if self._iopub.poll(100):
                while self._iopub.poll(50):
                    self._iopub.recv_multipart()
                return


def _is_end(message: IOPubMessage) -> bool:
    return message.kind == "status" and message.content["execution_state"] == "idle"


def _value(replied: Mapping[str, Any], name: str) -> Any:
    said = replied["user_expressions"][name]
    if said["status"] != "ok":
        raise RuntimeError(f"the kernel cannot evaluate it: {said}")
    return ast.literal_eval(said["data"]["text/plain"])


@contextmanager
def running_kernel(
    python: Path | None = None, folder: Path | None = None, /, **environ: str
) -> Iterator[Kernel]:
    """Start a kernel with more in its environment; it ends with the context.

    Parameters
    ----------
    python
        The interpreter that runs it; this one if not given.
    folder
        Its working folder, from which it can import; this one's if not given.
    """
    manager = KernelManager(kernel_name="python3")
    spec = manager.kernel_spec
    if python is not None and spec is not None:
        spec.argv = [str(python), *spec.argv[1:]]
    manager.start_kernel(env=os.environ | environ, cwd=str(folder or Path.cwd()))
    client = manager.client()
    client.start_channels()
    client.wait_for_ready(timeout=_PATIENCE)
    kernel = Kernel(manager, client)
    try:
        yield kernel
    finally:
        kernel.close()
        client.stop_channels()
        manager.shutdown_kernel(now=True)
        manager.cleanup_resources()


@contextmanager
def talking_kernel(server: str) -> Iterator[Kernel]:
    """Start a kernel in which ``%%h2o`` asks the server at an address.

    Its store, keys and settings are in a folder of its own, which goes with it.
    """
    with (
        TemporaryDirectory(ignore_cleanup_errors=True) as home,
        running_kernel(H2O_MAGIC_HOME=home) as kernel,
    ):
        kernel.run("%load_ext h2o_magic")
        kernel.run(f"%config H2OMagics.server = {server!r}")
        yield kernel
