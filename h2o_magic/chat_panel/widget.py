"""The chat view as a widget, which only carries messages."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import anywidget

_HERE = Path(__file__).parent
_IMPORT = re.compile(r'^import [^;]* from "\./(\w+)\.js";\n', re.MULTILINE)
_EXPORT = re.compile(r"^export (?!default)", re.MULTILINE)


def joined_modules() -> str:
    """Return the modules in `js` as one, since a widget has only one module."""
    texts: dict[str, str] = {}

    def add(name: str) -> None:
        text = (_HERE / "js" / f"{name}.js").read_text("utf-8")
        for imported in _IMPORT.findall(text):
            if imported not in texts:
                add(imported)
        texts[name] = _EXPORT.sub("", _IMPORT.sub("", text))

    add("index")
    return "\n".join(texts.values())


def joined_styles() -> str:
    """Return the files in `css` as one, the frame first."""
    paths = sorted((_HERE / "css").glob("*.css"), key=lambda p: (p.stem != "frame", p))
    return "\n".join(path.read_text("utf-8") for path in paths)


class ChatWidget(anywidget.AnyWidget):
    """The part of the panel that runs in the browser, the modules in ``js``.

    It has no state of its own: a view requests from the kernel what it shows.
    """

    _esm = joined_modules()
    _css = joined_styles()

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
