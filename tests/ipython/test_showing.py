"""What cannot be shown is kept all the same."""

from __future__ import annotations

import io
import sys
from collections.abc import Callable, Iterator
from contextlib import redirect_stdout
from typing import Any

import pytest
from IPython.core.displaypub import DisplayPublisher
from IPython.core.interactiveshell import InteractiveShell

import h2o_magic
from tests.shells import ipython
from tests.stand_in import StandIn

ANSWER = "Hi 😀 · “you”"


@pytest.fixture
def shell(home: object, server: StandIn) -> Iterator[InteractiveShell]:
    server.script = [ANSWER]
    with ipython() as made:
        made.run_line_magic("load_ext", "h2o_magic")
        made.run_line_magic("config", f"H2OMagics.server = '{server.url}'")
        yield made
        made.run_line_magic("unload_ext", "h2o_magic")


class Stream(io.StringIO):
    """Fails in one way or another."""

    def __init__(self, error: Exception) -> None:
        super().__init__()
        self._error = error

    def write(self, _: str) -> int:
        raise self._error


class Bare:
    """A stream of a test harness."""

    def __init__(self) -> None:
        self.taken = ""

    def write(self, text: str) -> None:
        self.taken += text


STREAMS: dict[str, Callable[[], Any]] = {
    **{
        name: lambda name=name: io.TextIOWrapper(io.BytesIO(), encoding=name)
        for name in ("cp932", "ascii", "latin-1", "cp1252")
    },
    "no reader": lambda: Stream(BrokenPipeError(32, "Broken pipe")),
    "closed": lambda: Stream(ValueError("I/O operation on closed file")),
    "a harness": Bare,
}


@pytest.mark.parametrize("make", STREAMS.values(), ids=STREAMS)
def test_an_answer_that_cannot_be_shown_is_complete_and_kept(
    shell: InteractiveShell, make: Callable[[], Any]
) -> None:
    with redirect_stdout(make()):
        shell.run_cell("%%h2o --out reply\nhello", silent=False)
        for command in ("status", "history --full", "show 1", "retry"):
            shell.run_line_magic("h2o", command)
    assert shell.user_ns["reply"] == ANSWER
    (turn,) = h2o_magic.session().turns()
    assert (turn.status, turn.answer) == ("complete", ANSWER)


def test_what_an_encoding_lacks_is_replaced_in_footer_and_answer(
    shell: InteractiveShell,
) -> None:
    raw = io.BytesIO()
    with redirect_stdout(io.TextIOWrapper(raw, encoding="ascii")):
        shell.run_line_magic("h2o", "ask hello")
        shown = raw.getvalue().decode()
    assert shown.startswith('Hi ? - "you"\n\n[llama-13b - ')


class Failing(DisplayPublisher):
    """A user's own publisher, with an error in it."""

    def publish(self, *_: object, **__: object) -> None:
        raise RuntimeError("no display")


class Kernel:
    def get_parent(self) -> dict[str, Any]:
        return {"header": {"msg_id": "r1"}, "metadata": {"cellId": "c1"}}


def test_an_answer_whose_display_fails_is_complete_kept_and_printed(
    shell: Any, capsys: pytest.CaptureFixture[str]
) -> None:
    shell.kernel, shell.display_pub = Kernel(), Failing()
    shell.run_cell("%%h2o --out reply\nhello")
    assert shell.user_ns["reply"] == ANSWER
    assert [t.status for t in h2o_magic.session().turns()] == ["complete"]
    assert capsys.readouterr().out.startswith(f"{ANSWER}\n\n[llama-13b")


def test_a_warning_that_cannot_be_written_is_no_error(
    shell: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    magics = shell.magics_manager.registry["H2OMagics"]
    monkeypatch.setattr(sys, "stderr", Stream(ValueError("closed")))
    with magics.show_warnings("careful"):
        pass
