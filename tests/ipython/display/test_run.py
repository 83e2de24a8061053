"""How a run over a table is shown outside a notebook: in a terminal, and in a pipe."""

from __future__ import annotations

import os
import pty
import re
import subprocess
import sys
from pathlib import Path

from tests.tables.rows_server import rows_server

PROGRAM = """
import h2o_magic

session = h2o_magic.session()
session.configure(server={url!r}, model="mock")
h2o_magic.map([{{"text": str(n)}} for n in range(40)], "{{text}}")
"""


def run(url: str, home: Path, stderr: int) -> bytes:
    """Run a program that asks a table, and return what it writes to its output."""
    environment = os.environ | {"H2O_MAGIC_HOME": str(home), "TERM": "xterm"}
    words = [sys.executable, "-c", PROGRAM.format(url=f"{url}/v1")]
    return subprocess.run(
        words, env=environment, stdout=subprocess.PIPE, stderr=stderr, check=True
    ).stdout


def read(end: int) -> str:
    """Return all that was written to the other end, which is closed."""
    text = b""
    try:
        while some := os.read(end, 4096):
            text += some
    except OSError:  # how Linux says that a terminal is closed
        pass
    os.close(end)
    return text.decode()


def test_a_terminal_has_one_line_that_is_drawn_over_and_a_pipe_the_last_alone(
    tmp_path: Path,
) -> None:
    with rows_server(delay=0.05, slots=4) as server:
        ours, theirs = pty.openpty()
        out = run(server.url, tmp_path / "a", theirs)
        os.close(theirs)
        shown = read(ours)
        ours, theirs = os.pipe()
        out += run(server.url, tmp_path / "b", theirs)
        os.close(theirs)
        piped = read(ours)
    assert out == b""
    *drawn, last = shown.replace("\r\n", "\n").rstrip("\n").split("\r")
    assert any(re.match(r"\d+ of 40", line) for line in drawn)
    assert "\n" not in shown.replace("\r\n", "\n").rstrip("\n")
    assert re.match(r"40 rows in ", last)
    assert re.fullmatch(r"40 rows in [^\r\n]*\n", piped)
