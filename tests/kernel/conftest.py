"""A real ipykernel in a process of its own, whose IOPub channel the tests read."""

from __future__ import annotations

import contextlib
import os
import tempfile
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from queue import Empty
from typing import Any

import pytest
from jupyter_client.blocking.client import BlockingKernelClient
from jupyter_client.manager import KernelManager

from tests.kernel.forked import forked_kernels
from tests.stand_in import StandIn, stand_in

TIMEOUT = 60


@dataclass
class Run:
    """What one cell sent: its outputs as they stand at the end, and every message."""

    status: str
    messages: list[dict[str, Any]] = field(default_factory=list)

    def of(self, kind: str) -> list[dict[str, Any]]:
        return [m["content"] for m in self.messages if m["msg_type"] == kind]

    @property
    def outputs(self) -> list[dict[str, Any]]:
        """The outputs that a notebook would keep, after clearing and updating."""
        shown: list[dict[str, Any]] = []
        clear = False
        for message in self.messages:
            kind, content = message["msg_type"], message["content"]
            if kind == "clear_output":
                clear = content["wait"]
                shown = shown if clear else []
            elif kind == "update_display_data":
                for output in shown:
                    if output.get("transient") == content["transient"]:
                        output.update(content)
            elif kind in ("display_data", "stream", "error", "execute_result"):
                shown = [] if clear else shown
                clear = False
                shown.append(dict(content))
        return shown

    @property
    def stderr(self) -> str:
        return "".join(s["text"] for s in self.of("stream") if s["name"] == "stderr")

    @property
    def failure(self) -> str:
        """What the only error shows: of the package's own, one line."""
        (error,) = self.of("error")
        return "\n".join(error["traceback"])

    @property
    def markdown(self) -> str:
        """The Markdown of the only output."""
        (output,) = self.outputs
        return str(output["data"]["text/markdown"])

    @property
    def plain(self) -> str:
        """The plain text of the only output."""
        (output,) = self.outputs
        return str(output["data"]["text/plain"])

    @property
    def facts(self) -> dict[str, Any]:
        (output,) = self.outputs
        facts = output["metadata"]["h2o_magic"]
        assert isinstance(facts, dict)
        return facts


class Notebook:
    """Runs cells as a front end does."""

    def __init__(self, manager: KernelManager, client: BlockingKernelClient) -> None:
        self.manager = manager
        self.client = client

    def wait_until_ready(self) -> None:
        """Ask what the kernel is until it is heard, on IOPub too."""
        deadline = time.monotonic() + TIMEOUT
        while time.monotonic() < deadline:
            request = self.client.kernel_info()
            with contextlib.suppress(Empty):
                while True:
                    message = self.client.get_iopub_msg(timeout=0.2)
                    if message["parent_header"].get("msg_id") == request:
                        return
        raise AssertionError("the kernel does not answer")

    def run(self, code: str, cell: str | None = None) -> Run:
        return self.finish(self.start(code, cell))

    def start(self, code: str, cell: str | None = None) -> str:
        """Send a cell and return the request's id."""
        content = {
            "code": code,
            "silent": False,
            "store_history": True,
            "user_expressions": {},
            "allow_stdin": False,
            "stop_on_error": True,
        }
        metadata = {} if cell is None else {"cellId": cell}
        message = self.client.session.msg("execute_request", content, metadata=metadata)
        self.client.shell_channel.send(message)
        return str(message["header"]["msg_id"])

    def read(self, request: str, until: Callable[[Run], bool]) -> Run:
        """Read IOPub until `until` holds."""
        run = Run("")
        deadline = time.monotonic() + TIMEOUT
        while not until(run):
            left = deadline - time.monotonic()
            assert left > 0, f"waited in vain; got {run.messages}"
            message = self.client.get_iopub_msg(timeout=left)
            if message["parent_header"].get("msg_id") == request:
                run.messages.append(message)
        return run

    def finish(self, request: str, run: Run | None = None) -> Run:
        """Read to the end of the cell, and its reply."""
        more = self.read(
            request,
            lambda r: {"execution_state": "idle"} in r.of("status"),
        )
        while True:
            reply = self.client.get_shell_msg(timeout=TIMEOUT)
            if reply["parent_header"].get("msg_id") == request:
                break
        earlier = run.messages if run else []
        return Run(reply["content"]["status"], [*earlier, *more.messages])


@contextlib.contextmanager
def running_kernel(*arguments: str, **environ: str) -> Iterator[Notebook]:
    """Run a kernel that is forked, which is new in all but its interpreter."""
    with forked_kernels(), new_kernel(*arguments, **environ) as kernel:
        yield kernel


@contextlib.contextmanager
def new_kernel(*arguments: str, **environ: str) -> Iterator[Notebook]:
    """Start a kernel with more in its environment; its own manager ends it."""
    own = ["--HistoryManager.hist_file=:memory:", *arguments]  # not one for all
    # Ports that are chosen before the kernel takes them may be another's by then.
    with tempfile.TemporaryDirectory(prefix="h2o-") as sockets:
        manager = KernelManager(
            kernel_name="python3", transport="ipc", ip=f"{sockets}/kernel"
        )
        manager.start_kernel(env={**os.environ, **environ}, extra_arguments=own)
        client = manager.client()
        client.start_channels()
        notebook = Notebook(manager, client)
        try:
            notebook.wait_until_ready()
            yield notebook
        finally:
            client.stop_channels()
            manager.shutdown_kernel(now=True)
            manager.cleanup_resources()


@pytest.fixture
def notebook(home: Path) -> Iterator[Notebook]:
    """A fresh kernel with nothing loaded."""
    with running_kernel() as kernel:
        yield kernel


@pytest.fixture
def chat(notebook: Notebook, server: StandIn) -> Notebook:
    """A kernel with the extension loaded, talking to the stand-in server."""
    notebook.run(f"%load_ext h2o_magic\n%config H2OMagics.server = '{server.url}'")
    return notebook


@pytest.fixture(scope="module")
def shared_server() -> Iterator[StandIn]:
    """The server of `shared_chat`."""
    with stand_in() as state:
        yield state


@pytest.fixture(scope="module")
def shared_chat(
    shared_server: StandIn, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Notebook]:
    """A kernel like that of `chat`, for tests that ask nothing and change nothing."""
    home = str(tmp_path_factory.mktemp("home"))
    with running_kernel(H2O_MAGIC_HOME=home) as kernel:
        setup = f"%load_ext h2o_magic\n%config H2OMagics.server = '{shared_server.url}'"
        kernel.run(setup)
        yield kernel
