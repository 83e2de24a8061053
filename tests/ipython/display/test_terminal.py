"""Answers in a terminal: blocks that are rendered, and lines that are drawn over."""

from __future__ import annotations

import io
import re
import sys
from contextlib import redirect_stdout

import pytest

from h2o_magic.ipython.display import terminal as module
from h2o_magic.ipython.display.status_line import StatusLine
from h2o_magic.ipython.display.terminal import answer_stream, markdown_renderer
from h2o_magic.ipython.display.views import TerminalView

RICH = "h2o_magic.ipython.display.rich_text"
ANSWER = (
    "# Title\n\nSome **bold** and `code`.\n\n"
    "| city | mm |\n|---|--:|\n| Lima | 16 |\n| Tokyo | 1500 |\n\n"
    "1. one\n2. two\n\n```python\nx = 1\n```\n"
)
PLAIN = (
    "Title\n=====\n\nSome bold and code.\n\n"
    "city   mm\nLima   16\nTokyo  1500\n\n"
    "1. one\n2. two\n\n    x = 1\n"
)


class Tty(io.StringIO):
    """A terminal, and what has been drawn on its lines."""

    encoding = "utf-8"

    def isatty(self) -> bool:
        return True

    @property
    def lines(self) -> list[str]:
        lines = []
        for line in self.getvalue().split("\n"):
            drawn = ""
            for piece in line.split("\r"):
                drawn = piece + drawn[len(piece) :]
            lines.append(drawn.rstrip())
        return lines


@pytest.fixture
def terminal(monkeypatch: pytest.MonkeyPatch) -> Tty:
    for name, value in (("TERM", "xterm"), ("COLUMNS", "40"), ("NO_COLOR", "")):
        monkeypatch.setenv(name, value)
    return Tty()


@pytest.fixture
def no_rich(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delitem(sys.modules, RICH, raising=False)
    for name in ("rich", "rich.console", "rich.markdown", "rich.syntax"):
        monkeypatch.setitem(sys.modules, name, None)


def show(stream: Tty, text: str, size: int = 7) -> None:
    with answer_stream(stream) as answer:
        for start in range(0, len(text), size):
            answer.write(text[start : start + size])
        answer.end("")


@pytest.mark.usefixtures("no_rich")
@pytest.mark.parametrize("size", [1, 7, 10_000])
def test_without_rich_marks_are_left_out(terminal: Tty, size: int) -> None:
    show(terminal, ANSWER, size)
    assert "\n".join(terminal.lines) == PLAIN


@pytest.mark.parametrize(("name", "value"), [("NO_COLOR", "1"), ("TERM", "dumb")])
def test_who_wants_no_control_sequences_gets_none(
    terminal: Tty, monkeypatch: pytest.MonkeyPatch, name: str, value: str
) -> None:
    monkeypatch.setenv(name, value)
    show(terminal, ANSWER)
    assert "\n".join(terminal.lines) == PLAIN
    assert "\x1b" not in terminal.getvalue()


def test_rich_renders_where_it_is_installed(terminal: Tty) -> None:
    show(terminal, ANSWER)
    shown = terminal.getvalue()
    assert "\x1b[1mbold\x1b[0m" in shown
    plain = re.sub(r"\x1b\[[0-9;]*m", "", shown)
    assert not re.search(r"\*\*|`|^#|\|", plain, re.MULTILINE)
    rows = [line for line in plain.splitlines() if "Lima" in line or "Tokyo" in line]
    assert [row.rstrip()[-4:] for row in rows] == ["  16", "1500"]
    assert all(len(line) <= 40 for line in plain.splitlines())


def test_what_rich_fails_at_is_shown_plainly(
    terminal: Tty, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fail(_: object, markdown: str) -> None:
        raise RecursionError(markdown)

    monkeypatch.setattr("rich.console.Console.print", fail)
    show(terminal, ANSWER)
    assert "\n".join(terminal.lines) == PLAIN


def test_rich_is_not_imported_before_a_block_is_shown(
    terminal: Tty, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delitem(sys.modules, RICH, raising=False)
    with answer_stream(terminal) as answer:
        answer.write("no block yet")
        assert RICH not in sys.modules
        answer.end("")
    assert RICH in sys.modules


@pytest.mark.parametrize("renders", [True, False], ids=["rich", "plain"])
def test_no_control_sequence_of_an_answer_reaches_the_terminal(
    terminal: Tty, monkeypatch: pytest.MonkeyPatch, *, renders: bool
) -> None:
    monkeypatch.setenv("NO_COLOR", "" if renders else "1")
    hostile = "\x1b[2J \x1b]0;t\x07 \x9b5A"
    for form in (hostile, f"`{hostile}`", f"```\n{hostile}\n```", f"[{hostile}](a)"):
        show(terminal, form, 3)
    sent = terminal.getvalue()
    assert not re.search(r"\x1b(?!\[[0-9;]*m)|[\x07\x9b]", sent)


@pytest.mark.usefixtures("no_rich")
def test_a_finished_block_is_shown_before_the_next_one_is(terminal: Tty) -> None:
    with answer_stream(terminal) as answer:
        answer.write("first **block**\n\ns")
        assert terminal.lines[0] == "first block"
        answer.write("econd")
        answer.end("\n\n[model]\n")
    assert terminal.lines == ["first block", "", "second", "", "[model]", ""]


@pytest.mark.usefixtures("no_rich")
def test_a_block_that_is_long_in_coming_is_hinted_at(
    terminal: Tty, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(module, "_PATIENCE", -1)
    with answer_stream(terminal) as answer:
        answer.write("A **long** line " + "of words " * 20)
        assert terminal.lines[-1] == ("of words " * 20).rstrip()[-39:]
        answer.write("ends.")
        answer.end("")
    assert "".join(terminal.lines).startswith("A long line of words")
    assert "*" not in terminal.getvalue()


@pytest.mark.usefixtures("no_rich")
def test_a_table_of_many_pieces_is_aligned_as_one(terminal: Tty) -> None:
    rows = "".join(f"| {'n' * (row % 30)} | {row} |\n" for row in range(300))
    show(terminal, f"| a | b |\n|---|---|\n{rows}\nend", 50)
    lines = [line for line in terminal.lines if line[30:].strip()]
    assert [line[31:] for line in lines] == ["b", *map(str, range(300))]
    assert sum(line.startswith("a") for line in terminal.lines) == 1


@pytest.mark.parametrize("renders", [True, False], ids=["rich", "plain"])
def test_code_of_many_pieces_has_no_line_that_it_has_not(
    terminal: Tty, monkeypatch: pytest.MonkeyPatch, *, renders: bool
) -> None:
    monkeypatch.setenv("NO_COLOR", "" if renders else "1")
    code = "\n".join(f"x = {number}" for number in range(1000))
    show(terminal, f"```python\n{code}\n```\n", 50)
    shown = re.sub(r"\x1b\[[0-9;]*m", "", terminal.getvalue())
    assert [line.strip() for line in shown.splitlines()] == code.split("\n")


@pytest.mark.usefixtures("no_rich")
def test_a_text_that_another_replaces_is_followed_by_that(terminal: Tty) -> None:
    with answer_stream(terminal) as answer:
        answer.write("Wrong *way")
        answer.replace("Right *way*")
        answer.end("")
    assert terminal.lines == ["Wrong *way", "", "Right way", ""]


def test_a_pipe_gets_the_markdown_as_it_comes() -> None:
    pipe = io.StringIO()
    with answer_stream(pipe) as answer:
        answer.write("**bo")
        assert pipe.getvalue() == "**bo"
        answer.write("ld**\x07")
        answer.end("\n")
    assert pipe.getvalue() == "**bold**\x07\n"


@pytest.mark.usefixtures("no_rich")
@pytest.mark.parametrize("live", [True, False])
def test_a_view_renders_the_answer_and_not_its_footer(
    terminal: Tty, *, live: bool
) -> None:
    with redirect_stdout(terminal), TerminalView(live=live) as view:
        view.write("Some **bo")
        view.write("ld** text")
        view.finish({"text/plain": "Some **bold** text\n\n[a*b* · 1 s]"}, {})
    assert terminal.lines == ["Some bold text", "", "[a*b* · 1 s]", ""]


def test_what_is_not_markdown_is_shown_as_it_is(terminal: Tty) -> None:
    with redirect_stdout(terminal), TerminalView(live=True, markdown=False) as view:
        view.write('{"a": "**b**"}')
        view.finish({"text/plain": '{"a": "**b**"}\n\n[m]'}, {})
    assert terminal.lines == ['{"a": "**b**"}', "", "[m]", ""]


def test_a_stream_without_a_reader_says_why() -> None:
    pipe = io.StringIO()
    pipe.close()
    with answer_stream(pipe) as answer:
        answer.write("text")
        assert isinstance(answer.error, ValueError)


def test_a_status_line_fits_the_terminal_also_with_wide_characters(
    terminal: Tty,
) -> None:
    line = StatusLine(terminal)
    line.show("東京" * 40)
    line.show("ab" * 40, end=True)
    line.erase()
    drawn = [piece for piece in terminal.getvalue().split("\r") if piece.strip()]
    assert drawn == ["東京" * 9 + "東", "b" + "ab" * 19]
    assert terminal.lines == [""]


def test_a_renderer_is_plain_for_a_file() -> None:
    assert markdown_renderer(io.StringIO())("**a**") == "a"
