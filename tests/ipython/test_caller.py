"""Whether the code that calls a magic does something with what it returns."""

from __future__ import annotations

import ast
import sys
from typing import Any

import pytest

from h2o_magic.ipython import caller

#: A magic, with IPython between it and the user's code.
_MAGIC = """
def magic(*_):
    used.append(result_is_used(calling_frame()))
    return 7
"""
_BETWEEN = """
def call(*args):
    return magic(*args)
"""


def uses(code: str, mode: str = "exec") -> list[bool]:
    """Run code as IPython does, and return whether it uses what `call` returns."""
    used: list[bool] = []
    magic: dict[str, Any] = {"__name__": "h2o_magic.fake", "used": used}
    magic |= {n: getattr(caller, n) for n in ("calling_frame", "result_is_used")}
    exec(_MAGIC, magic)
    between = {"__name__": "IPython.core.fake", "magic": magic["magic"]}
    exec(_BETWEEN, between)
    names = {"__name__": "__main__", "call": between["call"], "timed": _timed}
    tree: Any = ast.parse(code)
    if mode == "single":
        tree = ast.Interactive(tree.body)
    exec(compile(tree, "<cell>", mode), names)
    return used


def _timed(code: str, names: dict[str, Any]) -> Any:
    return eval(code, names)


@pytest.mark.parametrize(
    "code",
    [
        "call()",
        "for n in range(2): call(n)",
        "if True:\n    call()",
        "try:\n    call()\nfinally:\n    pass",
        "def f():\n    call()\nx = f()",
        "call(*range(3))",
        "x = 1\n" * 300 + "call()",
    ],
)
def test_a_statement_uses_nothing(code: str) -> None:
    assert set(uses(code)) == {False}


def test_the_last_line_of_a_cell_would_only_show_it(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    shown: list[object] = []
    monkeypatch.setattr(sys, "displayhook", shown.append)
    assert uses("call()", "single") == [False]
    assert uses("call() + 1", "single") == [True]
    assert shown == [7, 8]


@pytest.mark.parametrize(
    "code",
    [
        "x = call()",
        "x: int = call()",
        "x, y = call(), 1",
        "d = {}; d['a'] = call()",
        "f'{call()}'",
        "len(str(call()))",
        "[call() for _ in range(2)]",
        "def f():\n    return call()\nf()",
        "f = lambda: call()\nf()",
        "if call(): pass",
        "x = (y := call())",
        "list(map(lambda n: call(n), [1]))",
        "call().bit_length()",
    ],
)
def test_everything_else_uses_it(code: str) -> None:
    assert set(uses(code)) == {True}


def test_an_evaluated_expression_is_used_as_its_own_result_is() -> None:
    assert uses("timed('call()', globals())") == [True]  # by the function around `eval`
    assert uses("eval('call()')") == [False]
    assert uses("x = eval('call()')") == [True]


def test_no_frame_of_the_user_counts_as_used() -> None:
    assert caller.result_is_used(None)
