"""Cells and lines as people type them, in a shell, up to the server."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
from IPython.core.interactiveshell import InteractiveShell

from h2o_magic.ipython import sessions
from h2o_magic.ipython.extension import load, unload
from tests.shells import ipython
from tests.stand_in import StandIn


@pytest.fixture
def shell(home: Path, server: StandIn) -> Iterator[InteractiveShell]:
    with ipython() as shell:
        load(shell)
        sessions.get_state(shell).settings.set("server", server.url)
        yield shell
        unload(shell)


def turn(shell: InteractiveShell, cell: str) -> tuple[str, str]:
    """Run a cell, and return the question and the system text of its turn."""
    result = shell.run_cell(cell)
    assert result.success, result.error_in_exec
    last = sessions.get_state(shell).session.turns()[-1]
    return last.question, last.system


def refused(shell: InteractiveShell, cell: str) -> str:
    result = shell.run_cell(cell)
    assert result.error_in_exec is not None
    return str(result.error_in_exec)


def test_a_question_on_a_line_arrives_as_it_was_typed(
    shell: InteractiveShell, server: StandIn
) -> None:
    for question in (
        "don't do  that, it's 5 o'clock",
        "what is C:\\new\\table \\d+ \\",
        'who said "hi',
        "-1 plus 2 is?",
        "- a list",
        "-x*2 is?",
        "\u2014dash",
        "“so” it's",
        "$HOME ~ * !ls %d # not a comment",
        "hello --model falcon-7b",
    ):
        assert turn(shell, f"%h2o ask {question}")[0] == question
        assert server.asked[-1]["inputs"].endswith(question)
    assert turn(shell, "%h2o ask --seed 1 -- --seed is what?")[0] == "--seed is what?"
    shell.run_line_magic("h2o", "ask a\r\n\tb  c")
    assert server.asked[-1]["inputs"].endswith("a\r\n\tb  c")


def test_the_lines_of_a_cell_are_no_options(
    shell: InteractiveShell, server: StandIn
) -> None:
    for body in ("-1 plus 2", "--new\n--model x", "-- 'tis\\", "--nonsense"):
        assert turn(shell, f"%%h2o --seed 1\n{body}")[0] == body
    assert turn(shell, "%%h2o --\n--x")[0] == "--x"


def test_a_cells_option_is_what_was_typed(
    shell: InteractiveShell, server: StandIn
) -> None:
    for value, system in (
        (r"C:\models\mine.gguf", r"C:\models\mine.gguf"),
        (r'"line\nline"', r"line\nline"),
        ("'say \"so\" \\'", 'say "so" \\'),
        ('"-x"', "-x"),
        ("don't", "don't"),
    ):
        assert turn(shell, f"%%h2o --system {value}\nhi") == ("hi", system)
        assert turn(shell, f"%h2o ask --system={value} it's") == ("it's", system)
    shell.user_ns["name"] = r"--model C:\a"
    assert turn(shell, "%%h2o --system {name}\nhi") == ("hi", r"--model C:\a")


def test_what_cannot_be_read_is_one_line_and_nothing_is_sent(
    shell: InteractiveShell, server: StandIn
) -> None:
    for cell, said in (
        ("%h2o ask --tempp 1 hi", "did you mean '--temperature'?"),
        ("%%h2o --system 'Be brief.\nhi", "no closing quotation"),
        ('%%h2o --system "say \\"hi\\""\nhi', "a quote ends the text"),
        ("%%h2o --system “Be brief.”\nhi", "write straight ones"),
        ("%%h2o ask\nhi", "put the question on the lines below"),
        ("%h2o ask --", "expected a question"),
        ("%h2o what is 2+2", "to ask on one line, `%h2o ask QUESTION`"),
        (r"%h2o ask --attach \\server\share\a.pdf hi", r"file \\server\share\a.pdf"),
        ("%%h2o --attach 'C:\\my files\\a.pdf'\nhi", r"there is no file C:\my files\a"),
    ):
        message = refused(shell, cell)
        assert said in message
        assert "\n" not in message
    assert server.asked == []
