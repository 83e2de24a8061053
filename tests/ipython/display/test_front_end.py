"""What a front end can do, read from the request and from the shell."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import redirect_stdout
from io import StringIO
from typing import Any

import ipywidgets
import pytest
from IPython.core.displaypub import CapturingDisplayPublisher, DisplayPublisher
from IPython.core.interactiveshell import InteractiveShell
from IPython.utils.capture import capture_output

from h2o_magic.ipython.display.answer import make_view
from h2o_magic.ipython.display.front_end import is_console, publish, publishes, updates
from h2o_magic.ipython.display.live import SingleView, StreamedView
from h2o_magic.ipython.display.views import (
    AnswerView,
    ConsoleView,
    TerminalView,
    show_markdown,
)
from tests.shells import ipython


class Kernel:
    """Asked to run a cell, by a front end that may name it."""

    def __init__(self, cell: str | None, *, asks: bool = False) -> None:
        self._request = {
            "header": {"msg_id": "r1"},
            "metadata": {} if cell is None else {"cellId": cell},
            "content": {"allow_stdin": asks},
        }

    def get_parent(self) -> dict[str, Any]:
        return self._request


@pytest.fixture
def shell() -> Iterator[InteractiveShell]:
    with ipython() as made:
        yield made


def view_of(shell: Any, *, owns_cell: bool = True) -> type[AnswerView]:
    return type(make_view(shell, waiting="", owns_cell=owns_cell))


def test_only_a_front_end_that_names_its_cells_sees_an_answer_grow(shell: Any) -> None:
    shell.kernel = Kernel("c1")
    assert updates(shell)
    assert view_of(shell) is StreamedView
    assert view_of(shell, owns_cell=False) is SingleView
    shell.kernel = Kernel(None)
    assert not updates(shell)
    assert view_of(shell) is AnswerView


def test_a_console_is_one_that_asks_and_names_no_cell(shell: Any) -> None:
    for cell, asks, console in ((None, True, True), ("c1", True, False)):
        shell.kernel = Kernel(cell, asks=asks)
        assert is_console(shell) is console
    shell.kernel = Kernel(None, asks=False)  # nbclient
    assert not is_console(shell)


def test_what_is_captured_is_shown_once_and_also_in_a_terminal(shell: Any) -> None:
    assert view_of(shell) is TerminalView
    with capture_output():
        assert publishes(shell)
        assert view_of(shell) is AnswerView
        shell.kernel = Kernel("c1")
        assert not updates(shell)


def test_in_an_output_widget_which_only_adds_an_answer_is_shown_once(
    shell: Any,
) -> None:
    shell.kernel = Kernel("c1")
    output = ipywidgets.Output()
    output.msg_id = "r1"
    try:
        assert not updates(shell)
        output.msg_id = ""
        assert updates(shell)
    finally:
        output.close()


class Failing(DisplayPublisher):
    """A user's own publisher, with an error in it."""

    def publish(self, *_: object, **__: object) -> None:
        raise RuntimeError("no display")


def test_what_a_failing_publisher_does_not_show_is_printed(shell: Any) -> None:
    shell.display_pub = Failing()
    shell.kernel = Kernel("c1")
    printed = StringIO()
    with redirect_stdout(printed):
        assert not publish({"text/markdown": "**a**", "text/plain": "a\x1b"})
        with make_view(shell, waiting="…", owns_cell=False) as view:
            view.write("Hello")
            view.finish({"text/markdown": "Hello", "text/plain": "Hello"}, {})
    assert printed.getvalue() == "a\nHello\n"


def test_a_console_gets_the_text_without_marks(shell: Any) -> None:
    shell.kernel = Kernel(None, asks=True)
    shell.display_pub = CapturingDisplayPublisher()
    shell.display_pub_class = CapturingDisplayPublisher
    with ConsoleView() as view:
        view.write("Some **bo")
        view.write("ld**")
        data = {"text/plain": "Some **bold**\n\n[m]", "text/markdown": "Some **bold**"}
        view.finish(data, {})
    (output,) = shell.display_pub.outputs
    assert output["data"]["text/plain"] == "Some bold\n\n[m]"
    assert output["data"]["text/markdown"] == "Some **bold**"


def test_a_table_of_a_command_is_shown_where_it_is_captured(shell: Any) -> None:
    with capture_output() as captured:
        show_markdown(shell, "| a |", "a")
    assert [o.data["text/plain"] for o in captured.outputs] == ["a"]
    assert captured.stdout == ""
