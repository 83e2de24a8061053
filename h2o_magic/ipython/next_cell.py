"""The code of an answer in a new cell below, for the user to read and to run."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from IPython.core.interactiveshell import InteractiveShell

    from h2o_magic.conversation.answer import Answer
    from h2o_magic.rendering.fences import CodeBlock

_PYTHON = ("python", "python3", "py", "ipython", "ipython3")


@dataclass(frozen=True, slots=True)
class CellCode:
    """The code of an answer that can stand in a cell, or why there is none."""

    blocks: tuple[CodeBlock, ...] = ()
    why_not: str = ""

    @property
    def text(self) -> str:
        """The cell's text."""
        return "\n\n".join(block.code.strip("\n") for block in self.blocks)


def code_for_cell(answer: Answer) -> CellCode:
    """Return the blocks of a complete answer that are marked as Python.

    If none is, the first block without a language.
    """
    from h2o_magic.rendering.fences import code_blocks  # noqa: PLC0415

    if answer.facts.finish_reason == "length":
        return CellCode(
            why_not="the answer reached its maximum length (`--max-new-tokens N` "
            "raises it)"
        )
    blocks = [block for block in code_blocks(answer.text) if block.strip()]
    python = [block for block in blocks if block.language in _PYTHON]
    python = python or [block for block in blocks if not block.language][:1]
    if python:
        return CellCode(tuple(python))
    kind = "code marked as Python" if blocks else "code"
    return CellCode(why_not=f"the answer contains no {kind}")


def insert_cell(shell: InteractiveShell | None, code: str) -> None:
    """Put code into a new cell below, or a terminal's next prompt; it is not run."""
    if shell is not None:
        shell.set_next_input(code, replace=False)
