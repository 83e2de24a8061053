"""What a ``%%h2o`` question of five tokens runs through, on a backend without a server.

Counted are the distinct functions of this package, without comprehensions, and the
deepest stack of its frames, for the second cell of a shell in which modules, settings
and store are there. The bars are 60 % of what version 0.4 had by the same count.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
import threading
from collections.abc import Iterator, Sequence
from pathlib import Path
from tempfile import TemporaryDirectory
from types import FrameType
from typing import Any

from benchmarks.bars import Bar
from benchmarks.parts import Options
from h2o_magic.backends.base import Backend, ChatRequest, ModelInfo
from h2o_magic.chat.events import Event, Finished, TextDelta

_PACKAGE = str(Path(__file__).parents[2] / "h2o_magic") + os.sep
#: Counted by this script in the last commit of version 0.4.
_FUNCTIONS, _DEPTH = 232, 21


def measure(options: Options) -> Iterator[Bar]:
    """Yield how many functions a cell calls, and how deep they call each other."""
    del options  # a count needs no rounds
    with TemporaryDirectory() as home:
        done = subprocess.run(
            [sys.executable, "-m", __name__],
            env={**os.environ, "H2O_MAGIC_HOME": home, "PYTHONHASHSEED": "0"},
            capture_output=True,
            text=True,
            check=True,
        )
    counted = json.loads(done.stdout.splitlines()[-1])
    functions, deepest = counted["functions"], counted["deepest"]
    yield Bar(
        "distinct functions of the package",
        len(functions),
        "functions",
        most=int(0.6 * _FUNCTIONS),
        note=f"{_FUNCTIONS} in version 0.4",
    )
    yield Bar(
        "deepest stack of its frames",
        len(deepest),
        "frames",
        most=int(0.6 * _DEPTH),
        note=f"{_DEPTH} in version 0.4; {' < '.join(deepest)}",
    )


class _Canned(Backend):
    """Answers five tokens."""

    url = "http://127.0.0.1:9"
    dialect = "openai"

    def stream(self, request: ChatRequest) -> Iterator[Event]:
        del request
        tokens = [f"token{number} " for number in range(5)]
        yield from map(TextDelta, tokens)
        yield Finished("".join(tokens))

    def models(self) -> list[ModelInfo]:
        return []


class _Counter:
    """Notes which functions of the package are called, in all threads."""

    def __init__(self) -> None:
        self.functions: set[str] = set()
        self.deepest: Sequence[str] = ()

    def __enter__(self) -> _Counter:
        threading.setprofile(self._note)
        sys.setprofile(self._note)
        return self

    def __exit__(self, *_: object) -> None:
        sys.setprofile(None)
        threading.setprofile(None)

    def _note(self, frame: FrameType, event: str, _: Any) -> None:
        if event != "call" or not _is_counted(frame):
            return
        self.functions.add(f"{_where(frame)}:{frame.f_code.co_firstlineno}")
        stack = []
        at: FrameType | None = frame
        while at is not None:
            if _is_counted(at):
                stack.append(_where(at))
            at = at.f_back
        if len(stack) > len(self.deepest):
            self.deepest = stack


def _is_counted(frame: FrameType) -> bool:
    name = frame.f_code.co_name
    comprehension = name.startswith("<") and name != "<lambda>"
    return frame.f_code.co_filename.startswith(_PACKAGE) and not comprehension


def _where(frame: FrameType) -> str:
    file = frame.f_code.co_filename.removeprefix(_PACKAGE)
    return f"{file}:{frame.f_code.co_name}"


def _count() -> None:
    """Ask twice in a new shell, and print what the second question ran through."""
    from IPython.core.interactiveshell import InteractiveShell  # noqa: PLC0415

    import h2o_magic  # noqa: PLC0415

    shell: Any = InteractiveShell.instance()
    shell.run_line_magic("load_ext", "h2o_magic")
    h2o_magic.session().backend = _Canned()
    shell.run_cell("%%h2o\nSay five tokens.")
    with _Counter() as counter:
        shell.run_cell("%%h2o\nSay five tokens.")
    found = {"functions": sorted(counter.functions), "deepest": counter.deepest}
    print(f"\n{json.dumps(found)}")


if __name__ == "__main__":
    _count()
