"""Code blocks come out of Markdown as they were meant."""

from __future__ import annotations

import copy
import pickle

import pytest
from hypothesis import given
from hypothesis import strategies as st

from h2o_magic.rendering.fences import CodeBlock, code_blocks, without_code


def found(markdown: str) -> list[tuple[str, str]]:
    return [(block.language, block.code) for block in code_blocks(markdown)]


@pytest.mark.parametrize(
    ("markdown", "blocks"),
    [
        ("```python\nprint(1)\n```", [("python", "print(1)")]),
        ("~~~ js extra words\nx\n~~~", [("js", "x")]),
        ("```\nplain\n```", [("", "plain")]),
        ("```Python\nx\n```", [("python", "x")]),
        ("```{python}\nx\n```", [("python", "x")]),
        ("```{.python .numberLines}\nx\n```", [("python", "x")]),
        ("````md\n```py\nx\n```\n````", [("md", "```py\nx\n```")]),
        ("~~~\n```\n~~~", [("", "```")]),
        ("```py\nnever closed\n", [("py", "never closed")]),
        ("```py\n```", [("py", "")]),
        ("```py\n\n```", [("py", "")]),
        ("   ```py\n     x\n   y\n   ```", [("py", "  x\ny")]),
        ("1. do\n\n   ```sh\n   ls\n     -l\n   ```\n2. x", [("sh", "ls\n  -l")]),
        ("- ```sh\n  ls\n  ```", [("sh", "ls")]),
        ("- a\n  - b\n\n    ```c\n    y;\n    ```", [("c", "y;")]),
        ("- item that\ngoes on\n    ```py\n    x\n    ```", [("py", "x")]),
        ("- ```py\n  x\nprose", [("py", "x")]),
        ("> ```py\n> x\n>  y\n> ```\n", [("py", "x\n y")]),
        ("> ```py\n> x\nprose", [("py", "x")]),
        ("```make\nall:\n\techo\n```", [("make", "all:\n\techo")]),
        ("```a\r\nx\r\ny\r\n```\r\n", [("a", "x\ny")]),
        ("```a\n1\n```\nthen\n```b\n2\n```", [("a", "1"), ("b", "2")]),
        ("    ```py\n    indented code\n    ```", []),
        ("`x` and ```inline``` too", []),
        ("``` a ` b\nx", []),
        ("``\nshort\n``", []),
        ("", []),
    ],
)
def test_a_block_is_found_with_its_language(
    markdown: str, blocks: list[tuple[str, str]]
) -> None:
    assert found(markdown) == blocks


def test_prose_is_what_is_left_without_the_code() -> None:
    text = "First:\n\n```py\nx\n```\n\nThen:\n\n- ```sh\n  ls\n  ```\n\nEnd."
    assert without_code(text) == "First:\n\nThen:\n\nEnd."
    assert without_code("no code at all") == "no code at all"


def test_a_block_is_a_text_that_knows_its_language_and_line() -> None:
    (block,) = code_blocks("see\n```py\nx = 1\n```")
    assert block == "x = 1"
    assert (block.language, block.line) == ("py", 3)
    for same in (copy.copy(block), copy.deepcopy(block), pickle.loads(_dumped(block))):
        assert (same, same.language, same.line) == ("x = 1", "py", 3)


def _dumped(value: object) -> bytes:
    return pickle.dumps(value)


CODE = st.lists(st.text(st.characters(exclude_categories=["Cs", "Cc"])), max_size=6)


@given(CODE, st.sampled_from(["`", "~"]), st.sampled_from(["", "> ", "   "]))
def test_any_code_comes_out_as_it_went_in(
    lines: list[str], mark: str, before: str
) -> None:
    longest = max((len(line) for line in lines), default=0)
    fence = mark * max(3, longest + 1)
    written = "\n".join(before + line for line in [f"{fence}py", *lines, fence])
    assert found(f"prose\n\n{written}\n\nprose") == [("py", "\n".join(lines))]
    assert without_code(f"prose\n\n{written}\n\nprose") == "prose\n\nprose"


@given(st.text(st.sampled_from("`~>-1. \t\nxy"), max_size=60))
def test_no_text_breaks_it(text: str) -> None:
    assert all(isinstance(block, CodeBlock) for block in code_blocks(text))
    without_code(text)


def test_some_blocks_may_be_kept_in_the_prose() -> None:
    text = "A\n\n```python\n1\n```\n\nB\n\n- ~~~~bash\n  ls ```\n  ~~~~\n\nC"
    python, _ = code_blocks(text)
    kept = without_code(text, [python])
    assert kept == "A\n\nB\n\n````bash\nls ```\n````\n\nC"
    assert without_code(text, []).count("```python\n1\n```") == 1
