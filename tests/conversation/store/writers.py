"""Processes that write turns, and say on a pipe which ones are finished."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

WRITER = """
import sys
from pathlib import Path
from h2o_magic.conversation.record import Record
from h2o_magic.chat.turns import Turn

path, key, name, count = sys.argv[1:]

def trouble(line):
    print("trouble", line, flush=True)

record = Record(Path(path), key, on_trouble=trouble)
print("ready", flush=True)
sys.stdin.readline()
for i in range(int(count)):
    question = f"{name} {i}"
    turn = record.begin("main", Turn(question, status="incomplete", cell=question))
    answer = f"{question} answered " * (1 + i % 40)
    record.update(turn.id, answer=answer, status="complete", facts={"i": i})
    print("done", turn.id, question, flush=True)
print("end", flush=True)
sys.stdin.readline()
"""


def start(path: Path, key: str, name: str, count: int) -> subprocess.Popen[str]:
    """Start a writer, which waits for a line before it writes."""
    process = subprocess.Popen(
        [sys.executable, "-c", WRITER, str(path), key, name, str(count)],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    )
    assert process.stdout is not None
    assert process.stdout.readline() == "ready\n"
    return process


def go(process: subprocess.Popen[str]) -> None:
    """Let a waiting writer go on."""
    assert process.stdin is not None
    process.stdin.write("go\n")
    process.stdin.flush()


def end(process: subprocess.Popen[str]) -> list[str]:
    """Let a writer end by itself, and return what it said."""
    out, _ = process.communicate("go\n", timeout=60)
    assert process.returncode == 0
    return out.splitlines()
