"""Writes the prompts of many kinds of values, and the hashes of images, as JSON."""

from __future__ import annotations

import asyncio
import contextlib
import dataclasses
import enum
import functools
import io
import json
import re
import sys
import threading
import types
import unittest.mock
import weakref
from collections import UserList, deque
from concurrent.futures import Future
from pathlib import Path
from typing import Any

import matplotlib as mpl
import numpy as np
import pandas as pd
from ipykernel.compiler import XCachingCompiler
from matplotlib.figure import Figure
from PIL import Image as Pillow

from h2o_magic.ipython.commands.fix import prompt_about
from h2o_magic.ipython.failures import get_failures
from h2o_magic.ipython.reader import NotebookReader
from h2o_magic.ipython.scope import Scope
from h2o_magic.prompts.images import as_image
from tests.shells import ipython

WORDS = ("elm", "oak", "ash", "fir", "yew", "box", "bay", "fig")
CELLS = ["def halved(n):\n    return tree(n) / 0", "import helper\nhelper.call(halved)"]


class Colour(enum.Enum):
    RED = 1
    BLUE = 2


@dataclasses.dataclass(frozen=True)
class Tree:
    name: str
    kin: frozenset[object] = frozenset()


class Plain:
    def grow(self) -> None:
        """Grow."""


class Speaking:
    """An object whose text shows its parts as Python does."""

    def __init__(self) -> None:
        self.parts = [Plain(), set(WORDS)]

    def __str__(self) -> str:
        return f"Speaking of {self.parts}"


def grow(tree: object = Plain(), kin: frozenset[str] = frozenset(WORDS)) -> None: ...


async def waited() -> None: ...


def numbers() -> Any:
    yield 1


def failed(message: object) -> Exception:
    try:
        raise ValueError(message)
    except ValueError as error:
        return error


def error_of(source: str) -> Exception:
    """Return what a cell raises that a kernel has compiled."""
    name = XCachingCompiler().get_code_name(source, source, 1)
    try:
        exec(compile(source, name, "exec"), {"call": grow})
    except ValueError as error:
        return error
    raise AssertionError


def values() -> dict[str, object]:
    plain, coroutine = Plain(), waited()
    coroutine.close()
    in_cell = error_of("def made(): raise ValueError(f'no {call}')\nmade()")
    assert in_cell.__traceback__ is not None
    frame = in_cell.__traceback__.tb_next
    assert frame is not None
    objects = [plain, grow, plain.grow, lambda: 1, numbers(), iter([1]), coroutine]
    return {
        "functions": [grow, plain.grow, lambda: 1, functools.partial(grow, kin=WORDS)],
        "iterators": [numbers(), iter([1]), zip([1], [2], strict=True), map(str, [1])],
        "objects": objects,
        "default": [plain, object(), [[plain]], {"a": {"b": plain}}],
        "weak": [weakref.ref(plain)],
        "coroutine": [coroutine],
        "code": [frame.tb_frame.f_code, frame.tb_frame],
        "modules": [json, sys, np],
        "thread": [threading.current_thread(), threading.Lock()],
        "futures": [Future(), asyncio.Event],
        "mock": unittest.mock.MagicMock(),
        "generator_of_numbers": np.random.default_rng(0),
        "in_its_own_words": Speaking(),
        "texts_of_objects": [Speaking(), UserList([set(WORDS)])],
        "set": set(WORDS),
        "frozenset": frozenset(WORDS),
        "large_set": {f"{word}{n}" for word in WORDS for n in range(40)},
        "set_of_kinds": {1, "one", None, (1, "b"), (1, None), 2.5, b"x", float("nan")},
        "sets_in_a_set": {frozenset(WORDS[:n]) for n in range(6)},
        "set_of_enumerated": set(Colour),
        "set_of_classes": {int, str, Plain, Tree, *map(type, objects)},
        "set_of_functions": {grow, numbers, waited},
        "set_of_records": {Tree(w, frozenset({*WORDS, 1})) for w in WORDS},
        "nested": {"a": [{"b": {*WORDS}}, ({1, "x", None},), deque([{*WORDS}])]},
        "dictionary": {"z": 1, "a": {*WORDS}, Colour.RED: frozenset(WORDS)},
        "views": [{"b": 1, "a": 2}.keys(), {"b": 1}.keys() | set(WORDS)],
        "namespace": types.SimpleNamespace(kin=set(WORDS), call=grow),
        "frame": pd.DataFrame(
            {
                "kin": [{*WORDS}, {1, "x"}],
                "call": [grow, plain],
                "list": [[plain], {*WORDS, 1}],
            }
        ),
        "series_of_objects": pd.Series(
            [grow, numbers, plain.grow], name=frozenset(WORDS)
        ),
        "array_of_objects": np.array([plain, {*WORDS}, grow], dtype=object),
        "records": np.array([(1, 2.5)], dtype=[("a", "i8"), ("b", "f8")]),
        "error": failed(f"unknown {set(WORDS)} of {plain!r}"),
        "errors": [failed({*WORDS}), failed(plain)],
        "error_in_a_cell": in_cell,
        "signature": eval(
            "lambda tree=plain, kin=kin: 1", {"plain": plain, "kin": {*WORDS}}
        ),
        "expression": re.compile("a|b"),
        "path": Path("data/trees.csv"),
    }


def pictures() -> dict[str, object]:
    mpl.use("agg")
    figure = Figure(figsize=(3, 2))
    axes = figure.subplots()
    for word in WORDS:
        axes.plot([1, 2, len(word)], label=word)
    axes.legend()
    noise = np.random.default_rng(0).integers(0, 255, (300, 200, 3), "uint8")
    return {
        "figure": figure,
        "noise": noise,
        "large": Pillow.fromarray(noise).resize((2000, 1500)),
        "chart of few colours": Pillow.new("P", (300, 200), 3),
    }


def main(cells_before: int) -> None:
    prompts: dict[str, str] = {}
    with ipython() as shell:
        shell.compile = XCachingCompiler()
        shell.InteractiveTB.set_mode("Minimal")
        failures = get_failures(shell)
        shell.events.register("post_run_cell", failures.note)
        shell.user_ns |= {"tree": plain_name, "Tree": Tree, "grow": grow, **values()}
        with contextlib.redirect_stdout(io.StringIO()):
            for cell in ["1"] * cells_before + CELLS:
                shell.run_cell(cell, store_history=True)
        scope = Scope(shell, None, failures.tracebacks)
        reader = NotebookReader(scope, tuple, evaluates=True)
        for name in values():
            prompts[name] = written(reader, f"{{{name}}}")
        prompts["formatted"] = written(reader, "{[grow, Tree]!r}")
        prompts["Err"] = written(reader, f"{{Err[{max(failures.tracebacks)}]}}")
        assert failures.last is not None
        fix = prompt_about(failures.last, shell.user_ns)
        prompts["fix"] = fix.written(lambda _: 100_000)
    for name, picture in pictures().items():
        image = as_image(picture, name)
        assert image is not None
        prompts[f"picture: {name}"] = image.hash
    sys.stdout.write(json.dumps(prompts))


def written(reader: NotebookReader, question: str) -> str:
    return reader.prompt(question).written(lambda _: 100_000)


def plain_name(number: int) -> int:
    return number
