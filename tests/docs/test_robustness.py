"""The table of kinds of faults names tests that exist."""

from __future__ import annotations

import ast
import re
from pathlib import Path

ROOT = Path(__file__).parents[2]
PAGE = (ROOT / "docs" / "robustness.md").read_text("utf-8")


def named_tests() -> list[tuple[str, str]]:
    return re.findall(r"`(tests/[\w/]+\.py)::(\w+)(?:\[[^`]+\])?`", PAGE)


def test_every_row_names_a_test() -> None:
    rows = [line for line in PAGE.splitlines() if line.startswith("| ")][1:]
    assert len(rows) > 150
    for row in rows:
        assert re.search(r"`tests/[\w/]+\.py::[^`]+` \|$", row), row


def test_every_test_that_it_names_exists() -> None:
    functions: dict[str, set[str]] = {}
    for path, name in named_tests():
        if path not in functions:
            tree = ast.parse((ROOT / path).read_text("utf-8"))
            functions[path] = {
                node.name for node in tree.body if isinstance(node, ast.FunctionDef)
            }
        assert name in functions[path], f"{path}::{name}"
