"""Kernels that are forked from a process that has ipykernel imported."""

from __future__ import annotations

import atexit
import contextlib
import os
import signal
import sys
import threading
from collections.abc import Iterator, Mapping, Sequence
from multiprocessing.connection import Connection
from pathlib import Path

import pytest
from ipykernel.kernelapp import IPKernelApp

from tests.forks import PROCESSES


def run(
    began: Connection, arguments: Sequence[str], environ: Mapping[str, str], folder: str
) -> None:
    """Be a kernel, as a new interpreter would be one."""
    os.setsid()  # an interrupt goes to the group
    os.environ.clear()
    os.environ.update(environ)
    os.chdir(folder)
    signal.signal(signal.SIGINT, signal.default_int_handler)
    for name in [
        n for n in sys.modules if n.partition(".")[0] in ("h2o_magic", "tests")
    ]:
        del sys.modules[name]  # the kernel imports them itself, as it runs cells
    began.send("it is in a group of its own")
    began.close()
    try:
        IPKernelApp.launch_instance(list(arguments))
    finally:  # what an interpreter does at its end, and a forked process does not
        for thread in threading.enumerate():
            if thread is not threading.current_thread() and not thread.daemon:
                thread.join()
        atexit._run_exitfuncs()


class Forked:
    """A kernel's process, as jupyter_client knows one."""

    stdin = stdout = stderr = None

    def __init__(
        self, command: Sequence[str], *, env: Mapping[str, str], cwd: str | None = None
    ) -> None:
        arguments = command[command.index("ipykernel_launcher") + 1 :]
        began, other = PROCESSES.Pipe()
        folder = cwd or str(Path.cwd())
        self._process = PROCESSES.Process(
            target=run, args=(other, arguments, dict(env), folder)
        )
        self._process.start()
        other.close()
        began.recv()
        began.close()
        assert self._process.pid is not None
        self.pid = self._process.pid

    def poll(self) -> int | None:
        return self._process.exitcode

    def wait(self) -> int | None:
        self._process.join()
        return self._process.exitcode

    def send_signal(self, number: int) -> None:
        if self.poll() is None:
            os.kill(self.pid, number)

    def terminate(self) -> None:
        self.send_signal(signal.SIGTERM)

    def kill(self) -> None:
        self.send_signal(signal.SIGKILL)


@contextlib.contextmanager
def forked_kernels() -> Iterator[None]:
    """Let jupyter_client fork its kernels."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(
            "jupyter_client.provisioning.local_provisioner.launch_kernel",
            lambda command, *, env, cwd=None, **_: Forked(command, env=env, cwd=cwd),
        )
        yield
