"""What is promised about the names that a magic sees, wherever it is called."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from typing import Any

import pytest
from IPython.core.interactiveshell import InteractiveShell

from h2o_magic.ipython.scope import Scope, formatted
from tests.shells import ipython

#: Looks a name up where the magic would be called.
LOOK = """
import sys
def look(name):
    return scope(sys._getframe(1)).lookup(name)
def put(name, value):
    scope(sys._getframe(1)).assign(name, value)
def compute(source, form=""):
    return formatted(scope(sys._getframe(1)).evaluate(source), form)
text = "global"
"""


@pytest.fixture
def shell() -> Iterator[InteractiveShell]:
    with ipython() as shell:
        shell.user_ns["scope"] = lambda frame: Scope(shell, frame, {3: "KeyError"})
        shell.user_ns["formatted"] = formatted
        shell.run_cell(LOOK).raise_error()
        yield shell


def value(shell: InteractiveShell, code: str) -> Any:
    result = shell.run_cell(code)
    result.raise_error()
    return result.result


@pytest.mark.parametrize(
    ("code", "found"),
    [
        ("look('text')", "global"),
        ("def f(text):\n    return look('text')\nf('argument')", "argument"),
        ("def f():\n    text = 'local'\n    return look('text')\nf()", "local"),
        ("def f():\n    return look('text')\nf()", "global"),
        (
            (
                "class C:\n    text = 'class'\n    def m(self, text):\n"
                "        return look('text')\nC().m('call')"
            ),
            "call",
        ),
        (
            (
                "class C:\n    text = 'class'\n    def m(self):\n"
                "        return look('text')\nC().m()"
            ),
            "global",
        ),
        (
            "class C:\n    text = 'class'\n    found = look('text')\nC.found",
            "class",
        ),
        (
            (
                "def outer():\n    text = 'outer'\n    def inner():\n"
                "        return look('text')\n    return inner()\nouter()"
            ),
            "outer",
        ),
        (
            (
                "def other():\n    return look('text')\ndef caller():\n"
                "    text = 'caller'\n    return other()\ncaller()"
            ),
            "global",
        ),
        ("[look('text') for text in ['each']][0]", "each"),
        ("[look('word') for _ in [1] for word in ['each']][0]", "each"),
        ("(lambda text: look('text'))('lambda')", "lambda"),
        (
            "def gen(text):\n    yield look('text')\nnext(gen('generator'))",
            "generator",
        ),
        ("look('Err')[3]", "KeyError"),
        ("for text in ['last']:\n    found = look('text')\nfound", "last"),
    ],
)
def test_a_name_means_what_python_means_by_it(
    shell: InteractiveShell, code: str, found: str
) -> None:
    assert value(shell, code) == found


@pytest.mark.parametrize("name", ["id", "exit", "get_ipython", "quit", "nobody", "_i1"])
def test_what_nobody_has_defined_is_no_name(shell: InteractiveShell, name: str) -> None:
    with pytest.raises(KeyError):
        Scope(shell, None).lookup(name)


def test_a_name_of_ipython_counts_where_the_user_has_given_it_a_value(
    shell: InteractiveShell,
) -> None:
    assert value(shell, "def f(quit):\n    return look('quit')\nf('mine')") == "mine"
    assert value(shell, "exit = 'mine too'\nlook('exit')") == "mine too"


@pytest.mark.parametrize(
    "code",
    [
        "def f():\n    answer = None\n    put('answer', 42)\n    return answer\nf()",
        "def f():\n    put('fresh', 42)\n    return fresh\nf()",
        "put('new', 42)\nnew",
        (
            "def f(answer=0):\n    def g():\n        return answer\n"
            "    put('answer', 42)\n    return g()\nf()"
        ),
    ],
)
def test_an_answer_is_stored_where_the_code_reads_it(
    shell: InteractiveShell, code: str
) -> None:
    assert value(shell, code) == 42


def test_a_local_variable_that_is_set_leaves_the_global_alone(
    shell: InteractiveShell,
) -> None:
    value(shell, "def f():\n    text = None\n    put('text', 1)\nf()")
    assert shell.user_ns["text"] == "global"


@pytest.mark.parametrize(
    ("source", "form", "found"),
    [
        ("n + 1", "", 4),
        ("[k for k in range(9) if k > n]", "", [4, 5, 6, 7, 8]),
        ("n / 7", ":.2f", "0.43"),
        ("text", "!r", "'global'"),
        ("text", "!r:>10", "  'global'"),
    ],
)
def test_an_expression_sees_the_same_names(
    shell: InteractiveShell, source: str, form: str, found: object
) -> None:
    code = f"def f(n):\n    return compute({source!r}, {form!r})\nf(3)"
    assert value(shell, code) == found


def test_a_frame_outside_the_notebook_has_its_own_globals(
    shell: InteractiveShell,
) -> None:
    scope = Scope(shell, sys._getframe())
    assert scope.lookup("LOOK") is LOOK
    assert scope.lookup("text") == "global"
