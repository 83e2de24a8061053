"""The notebooks that are opened and left, and a cell that makes a conversation long."""

from __future__ import annotations

from nbformat import NotebookNode
from nbformat.v4 import new_code_cell, new_notebook
from playwright.sync_api import Page

__all__ = ["notebook", "shut_down", "turns_cell"]

_SHUT_DOWN = (
    "() => window.jupyterapp.shell.currentWidget.context.sessionContext.shutdown()"
)

_TURNS = """
import h2o_magic
from h2o_magic.chat.turns import Thread, Turn
text = "Some **words**, and\\n\\n```python\\nprint(1)\\n```\\n"
turns = [Turn(f"Question {{n}}?", f"Answer {{n}}. " + text) for n in range({count})]
h2o_magic.session().record.add([Thread("main", tuple(turns))])
"""


def notebook(*cells: str) -> NotebookNode:
    """Return a notebook of Python with these code cells."""
    kernel = {"name": "python3", "display_name": "Python 3", "language": "python"}
    made: NotebookNode = new_notebook(
        cells=[new_code_cell(source) for source in cells],
        metadata={"kernelspec": kernel},
    )
    return made


def turns_cell(count: int) -> str:
    """Return a cell that puts so many turns into the record, as a file's would be."""
    return _TURNS.format(count=count)


def shut_down(page: Page) -> None:
    """End the kernel of the notebook that is open in a page of JupyterLab."""
    page.evaluate(_SHUT_DOWN)
