"""Loading into a shell, and how the shell reads cells from then on."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from IPython.core.error import UsageError
from IPython.core.interactiveshell import InteractiveShell

from h2o_magic.ipython import sessions
from h2o_magic.ipython.extension import load, unload
from h2o_magic.ipython.interrupts import AnswerStopped, usage_errors
from tests.shells import ipython


@pytest.fixture
def shell() -> Iterator[InteractiveShell]:
    with ipython() as shell:
        load(shell)
        yield shell
        unload(shell)


def test_a_terminal_waits_for_the_lines_below_the_first(
    shell: InteractiveShell,
) -> None:
    status, _ = shell.check_complete("%%h2o --model llama-13b")
    assert status == "incomplete"


def test_a_cell_with_only_its_first_line_becomes_a_line(
    shell: InteractiveShell,
) -> None:
    code = shell.transform_cell("%%h2o --help")
    assert code == "get_ipython().run_line_magic('h2o', 'ask --help')\n"


def test_a_cell_with_a_question_stays_a_cell(shell: InteractiveShell) -> None:
    code = shell.transform_cell("%%h2o\nwhy?\n")
    assert code == "get_ipython().run_cell_magic('h2o', '', 'why?\\n')\n"


def test_other_magics_are_read_as_before(shell: InteractiveShell) -> None:
    assert "run_cell_magic('time'" in shell.transform_cell("%%time\n1\n")
    assert "pinfo" in shell.transform_cell("len?")
    assert "pinfo" in shell.transform_cell("%h2o?")


def test_config_refuses_a_server_that_nobody_knows(
    shell: InteractiveShell, caplog: pytest.LogCaptureFixture
) -> None:
    before = sessions.get_state(shell).settings["server"]
    shell.run_line_magic("config", "H2OMagics.server = 'lba'")
    (said,) = [r.getMessage() for r in caplog.records if r.levelname == "ERROR"]
    assert said.startswith("H2OMagics.server: unknown server 'lba': ")
    assert sessions.get_state(shell).settings["server"] == before


def test_an_interrupt_before_the_answer_is_one_line() -> None:
    with pytest.raises(AnswerStopped) as stopped, usage_errors():
        raise KeyboardInterrupt
    (line,) = stopped.value._render_traceback_()
    assert line == "Stopped before any text was received."


def test_a_users_error_is_exactly_ipythons_usage_error(
    shell: InteractiveShell,
) -> None:
    with pytest.raises(UsageError) as error:
        shell.run_line_magic("h2o", "ask")
    assert type(error.value) is UsageError
    assert "\n" not in str(error.value)


def test_errors_of_others_are_left_as_they_are() -> None:
    with pytest.raises(ZeroDivisionError), usage_errors():
        _ = 1 / 0
