"""The chat view as a widget: it carries messages, and nothing else."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import anywidget

_HERE = Path(__file__).parent
#: The modules in `js`, each after those that it imports.
_MODULES = (
    "dom",
    "section",
    "turn",
    "log",
    "offers",
    "composer",
    "notebook",
    "settings",
    "chat",
    "index",
)
_LINKS = re.compile(r"^import [^;]*;\n|^export (?!default)", re.MULTILINE)


def joined_modules() -> str:
    """Return the modules in `js` as one: a widget has only one module."""
    texts = ((_HERE / "js" / f"{name}.js").read_text("utf-8") for name in _MODULES)
    return "\n".join(_LINKS.sub("", text) for text in texts)


class Chat(anywidget.AnyWidget):
    """The part of the panel that runs in the browser, the modules in ``js``.

    It has no state of its own: what a view shows, it asks the kernel for.
    """

    _esm = joined_modules()
    _css = (_HERE / "chat.css").read_text("utf-8")

    def __init__(self) -> None:
        super().__init__()
        answer_while_cells_run(self)

    def say(self, message: dict[str, Any]) -> None:
        """Send a message of JSON values to all views, from any thread."""
        self.send(message)
        answer_while_cells_run(self)


def answer_while_cells_run(widget: Any) -> None:
    """Have what a page sends to a widget go to the subshell that the page names.

    JupyterLab names one of its own for widgets, which answers while a cell runs. But
    ipykernel 7.4 prefers the one that has used the widget last, which is the cells' own
    where a thread of ours has.
    """
    if widget.comm is not None:  # it is not closed
        vars(widget.comm).pop("_reply_subshell_id", None)
