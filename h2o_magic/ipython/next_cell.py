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
    """The code of an answer that can stand in a cell."""

    blocks: tuple[CodeBlock, ...] = ()
    why_not: str = ""

    @property
    def text(self) -> str:
        """The cell's text."""
        return "\n\n".join(block.code.strip("\n") for block in self.blocks)


def code_for_cell(answer: Answer) -> CellCode:
    """Return the Python code of an ended answer.

    Those blocks that say that they are Python; if none does, the first that says
    nothing.
    """
    from h2o_magic.rendering.fences import code_blocks  # noqa: PLC0415

    if answer.facts.finish_reason == "length":
        return CellCode(
            why_not="the answer was cut at its length (`--max-new-tokens N` allows "
            "more)"
        )
    blocks = [block for block in code_blocks(answer.text) if block.strip()]
    python = [block for block in blocks if block.language in _PYTHON]
    python = python or [block for block in blocks if not block.language][:1]
    if python:
        return CellCode(tuple(python))
    return CellCode(
        why_not=f"the answer has no code{' that says it is Python' if blocks else ''}"
    )


def offer(shell: InteractiveShell | None, code: str) -> None:
    """Put code into a new cell below; it is never run.

    In a terminal it fills the next prompt.

    Parameters
    ----------
    shell
        The running shell; without one nothing happens.
    code
        The cell's text.
    """
    if shell is not None:
        shell.set_next_input(code, replace=False)


def where(shell: InteractiveShell | None) -> str:
    """Return where code is offered, in words."""
    return "in the cell below" if hasattr(shell, "kernel") else "below"
