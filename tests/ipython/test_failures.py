"""What is remembered of a cell that failed, and what is asked about it."""

from __future__ import annotations

import gc
import weakref
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from IPython.core.interactiveshell import (
    ExecutionInfo,
    ExecutionResult,
    InteractiveShell,
)

from h2o_magic.ipython.commands.fix import prompt_about
from h2o_magic.ipython.extension import load, unload
from h2o_magic.ipython.failures import Failure, get_failures
from tests.shells import ipython


@pytest.fixture
def shell(home: Path) -> Iterator[InteractiveShell]:
    with ipython() as shell:
        # IPython's own drawing of a traceback takes seconds with all tests' modules.
        shell.InteractiveTB.set_mode("Minimal")
        load(shell)
        yield shell
        unload(shell)


def run(shell: InteractiveShell, code: str) -> Failure:
    """Run a cell and return what is remembered then."""
    shell.run_cell(code, store_history=True)
    failure = get_failures(shell).last
    assert failure is not None
    return failure


def question_about(*given: Any) -> str:
    return prompt_about(*given).written(lambda _: 100_000)


def test_a_failing_cell_is_remembered_as_text(shell: InteractiveShell) -> None:
    number = shell.execution_count
    failure = run(shell, "total = 3\ntotal / 0")
    assert failure == Failure(
        number=number,
        source="total = 3\ntotal / 0",
        error="ZeroDivisionError",
        message="division by zero",
        traceback=failure.traceback,
        names=("total",),
    )
    assert failure.cell == f"In[{number}]"
    assert "The cell, line 2" in failure.traceback
    assert "total / 0" in failure.traceback
    assert "IPython" not in failure.traceback


def test_a_success_clears_nothing(shell: InteractiveShell) -> None:
    failure = run(shell, "1 / 0")
    assert run(shell, "1 / 1") is failure


def test_a_syntax_error_is_remembered(shell: InteractiveShell) -> None:
    shell.user_ns["rows"] = [1]
    failure = run(shell, "for row in rows\n    print(row)")
    assert failure.error == "SyntaxError"
    assert "for row in rows" in failure.traceback
    assert failure.traceback.startswith("The cell, line 1")
    assert failure.names == ("rows",)


@pytest.mark.parametrize(
    "code", ["raise KeyboardInterrupt", "%h2o nix", "%%h2o --nix\nhello", "1"]
)
def test_what_is_no_failure_is_not(shell: InteractiveShell, code: str) -> None:
    shell.run_cell(code, store_history=True)
    assert get_failures(shell).last is None


def test_a_refusal_of_another_magic_is_a_failure(shell: InteractiveShell) -> None:
    assert run(shell, "%timeit --nix").error == "UsageError"


def noted(shell: InteractiveShell, error: Exception) -> Failure:
    """Note an error as that of a cell that has run."""
    info = ExecutionInfo("f()", True, False, True, None)
    result = ExecutionResult(info)
    result.error_in_exec = error
    get_failures(shell).note(result)
    failure = get_failures(shell).last
    assert failure is not None
    return failure


def test_a_failure_holds_text_only(shell: InteractiveShell) -> None:
    class Big:
        pass

    def fail(_: Big) -> None:
        raise ValueError

    def error_of(big: Big) -> ValueError:
        try:
            fail(big)
        except ValueError as error:
            return error
        raise AssertionError

    big = Big()
    held = weakref.ref(big)
    assert noted(shell, error_of(big)).error == "ValueError"
    del big
    gc.collect()
    assert held() is None


def test_chained_exceptions_are_all_told(shell: InteractiveShell) -> None:
    code = "try:\n    {}['a']\nexcept KeyError as e:\n    raise ValueError('b') from e"
    traceback = run(shell, code).traceback
    assert "KeyError: 'a'" in traceback
    assert "direct cause" in traceback
    assert traceback.endswith("ValueError: b")


def test_a_traceback_is_the_same_under_other_numbers(shell: InteractiveShell) -> None:
    function = "def half(n):\n    return n / 0"
    told = []
    for _ in range(2):
        shell.run_cell(function, store_history=True)
        told.append(run(shell, "half(print)  # <f at 0x7f3a5c0d>").traceback)
    assert told[0] == told[1]
    assert "Cell A, line 1, in <module>\n" in told[0]
    assert "half(print)  # <f at 0x7f3a5c0d>" in told[0]
    assert "Cell B, line 2, in half\n" in told[0]


def test_a_huge_traceback_is_cut_in_its_middle(shell: InteractiveShell) -> None:
    failure = run(shell, "def f(n):\n    return g(n)\nraise ValueError('x' * 10**6)")
    assert len(failure.traceback) < 6_100
    assert "The cell, line 3" in failure.traceback
    assert "characters left out" in failure.traceback
    assert len(failure.message) < 600


def test_a_deep_recursion_is_short(shell: InteractiveShell) -> None:
    failure = run(shell, "def f():\n    f()\nf()")
    assert failure.error == "RecursionError"
    assert len(failure.traceback) < 6_100


def test_an_exception_without_words_is_no_trouble(shell: InteractiveShell) -> None:
    class BadError(Exception):
        def __str__(self) -> str:
            raise RuntimeError

    failure = noted(shell, BadError())
    assert (failure.error, failure.message) == ("BadError", "")


def test_colours_are_left_out(shell: InteractiveShell) -> None:
    assert "\x1b" not in run(shell, "raise ValueError('\\x1b[31mred')").traceback


def test_names_are_the_users_variables_only(shell: InteractiveShell) -> None:
    shell.user_ns.update(df=1, other=2, column=3, _hidden=4)
    code = "import os\ndf.column\nlen([df]); os; _hidden; exit\n%who\n'other' + 1"
    assert run(shell, code).names == ("df",)


def test_names_in_f_strings_are_found_in_their_order(shell: InteractiveShell) -> None:
    shell.user_ns.update(df=1, row=2, width=3, last=4, r=5)
    code = "f\"a {row!r:>{width}} {'df'} {{r}} {df}\", 'last'; f'{0/0}' + last"
    assert run(shell, code).names == ("row", "width", "df", "last")


def test_tracebacks_are_kept_by_number(shell: InteractiveShell) -> None:
    number = run(shell, "1 / 0").number
    assert number is not None
    assert "ZeroDivisionError" in get_failures(shell).tracebacks[number]
    for _ in range(120):
        run(shell, "1 / 0")
    assert len(get_failures(shell).tracebacks) == 100


def test_an_error_from_before_the_extension_was_loaded_is_known(
    shell: InteractiveShell,
) -> None:
    unload(shell)
    shell.run_cell("1 / 0", store_history=True)
    load(shell)
    last = get_failures(shell).last
    assert last is not None
    assert last.error == "ZeroDivisionError"


BROKEN = "class Broken:\n    def __repr__(self):\n        raise ValueError('torn')\n"


def test_a_value_that_cannot_be_displayed_is_a_failure(shell: InteractiveShell) -> None:
    run(shell, "1 / 0")
    failure = run(shell, f"{BROKEN}Broken()")
    assert (failure.error, failure.message) == ("ValueError", "torn")
    assert "raise ValueError('torn')" in failure.traceback
    assert failure.source.endswith("Broken()")
    assert run(shell, "'fine'") is failure  # the same error is not seen twice


def test_an_error_shown_before_the_extension_was_loaded_is_no_cells(
    shell: InteractiveShell,
) -> None:
    unload(shell)
    shell.run_cell(f"{BROKEN}Broken()", store_history=True)
    shell.run_cell("1", store_history=True)
    load(shell)
    shell.run_cell("2", store_history=True)
    assert get_failures(shell).last is None


def test_variables_of_startup_files_are_told(shell: InteractiveShell) -> None:
    shell.user_ns["rate"] = shell.user_ns_hidden["rate"] = 0
    assert run(shell, "1 / rate; exit").names == ("rate",)


# The question


def failure_of(
    source: str, names: tuple[str, ...] = (), traceback: str = ""
) -> Failure:
    return Failure(
        3, source, "ValueError", "bad", traceback or "ValueError: bad", names
    )


def test_the_question_holds_cell_error_and_values() -> None:
    asked = question_about(failure_of("x = f(rows)", ("rows",)), {"rows": [1, 2]})
    assert "```python\nx = f(rows)\n```" in asked
    assert "```text\nValueError: bad\n```" in asked
    assert "`rows` (list):\n\n```text\n[1, 2]\n```" in asked


def test_fences_in_the_cell_end_nothing() -> None:
    asked = question_about(failure_of("s = '''\n```\n{x}\n```'''"), {})
    assert "````python\ns = '''\n```\n{x}\n```'''\n````" in asked


def test_secrets_of_variables_are_not_sent() -> None:
    secret = "correct-horse-battery-9"
    asked = question_about(
        failure_of(
            f"api_key = '{secret}'\nlog_in(api_key)",
            ("api_key", "url"),
            f"ValueError: {secret} is wrong",
        ),
        {"api_key": secret, "url": f"https://example.org/?k={secret}"},
    )
    assert secret not in asked
    assert "`api_key`: left out" in asked
    assert "ValueError: *** is wrong" in asked


def test_secrets_of_the_environment_are_masked(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SERVICE_TOKEN", "qwertzuiop-4711-asdf")
    secret = "qwertzuiop-4711-asdf"
    asked = question_about(failure_of(f"f('{secret}')", traceback=f"E: {secret}!"), {})
    assert secret not in asked
    assert "f('***')" in asked
    assert "E: ***!" in asked


def test_keys_of_known_servers_are_masked() -> None:
    failure = failure_of("f('lab/key-4711')", traceback="E: lab/key-4711!")
    asked = question_about(failure, {}, ["lab/key-4711"])
    assert "lab/key-4711" not in asked
    assert "E: ***!" in asked


@pytest.mark.parametrize(
    "source",
    ["log_in(api_key='hunter2-hunter2')", "get('postgres://ada:hunter2-hunter2@db')"],
)
def test_what_looks_like_a_secret_is_masked(source: str) -> None:
    asked = question_about(failure_of(source), {})
    assert source.replace("hunter2-hunter2", "***") in asked


def test_the_current_folder_is_no_secret(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setenv("PWD", str(tmp_path))
    traceback = f'File "{tmp_path}/shop.py", line 2'
    asked = question_about(failure_of("f()", traceback=traceback), {})
    assert traceback in asked


def test_values_are_short_and_few() -> None:
    names = {f"v{n}": "x" * 10_000 for n in range(30)}
    asked = question_about(failure_of("f()", tuple(names)), names)
    assert "And 18 more, left out." in asked
    assert len(asked) < 12 * 1_800 + 2_000


def test_a_value_that_cannot_be_shown_is_left_out() -> None:
    class Broken:
        def __repr__(self) -> str:
            raise RuntimeError

    asked = question_about(failure_of("broken", ("broken",)), {"broken": Broken()})
    assert "`broken`: left out" in asked
