"""Code into a new cell below, for the user to read and to run."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from IPython.core.interactiveshell import InteractiveShell

__all__ = ["offer"]


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
