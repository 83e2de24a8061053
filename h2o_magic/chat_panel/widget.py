"""The chat view as a widget, which only carries messages."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import anywidget

_HERE = Path(__file__).parent
#: The modules in `js`, each after its imports.
_MODULES = (
    "dom",
    "section",
    "turn",
    "log",
    "completions",
    "attachments",
    "composer",
    "notebook",
    "settings",
    "chat",
    "index",
)
_LINKS = re.compile(r"^import [^;]*;\n|^export (?!default)", re.MULTILINE)


def joined_modules() -> str:
    """Return the modules in `js` as one, since a widget has only one module."""
    texts = ((_HERE / "js" / f"{name}.js").read_text("utf-8") for name in _MODULES)
    return "\n".join(_LINKS.sub("", text) for text in texts)


class ChatWidget(anywidget.AnyWidget):
    """The part of the panel that runs in the browser, the modules in ``js``.

    It has no state of its own: a view requests from the kernel what it shows.
    """

    _esm = joined_modules()
    _css = (_HERE / "chat.css").read_text("utf-8")

    def __init__(self) -> None:
        super().__init__()
        answer_while_cells_run(self)

    def send_to_views(self, message: dict[str, Any]) -> None:
        """Send a message of JSON values to all views; called from any thread."""
        self.send(message)
        answer_while_cells_run(self)


def answer_while_cells_run(widget: Any) -> None:
    """Let a widget's messages be handled in the subshell that the page names.

    JupyterLab names a subshell for widgets, which answers while a cell runs. But
    ipykernel 7.4 prefers the one that used the widget last, which is the main shell's
    if one of our threads did.
    """
    if widget.comm is not None:  # it is open
        vars(widget.comm).pop("_reply_subshell_id", None)
