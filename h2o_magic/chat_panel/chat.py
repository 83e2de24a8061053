"""The chat view as a widget: it carries messages, and nothing else."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import anywidget

__all__ = ["Chat"]

_HERE = Path(__file__).parent


class Chat(anywidget.AnyWidget):
    """The part of the panel that runs in the browser, ``chat.js``.

    It has no state of its own: what a view shows, it asks the kernel for.
    """

    _esm = (_HERE / "chat.js").read_text("utf-8")
    _css = (_HERE / "chat.css").read_text("utf-8")

    def say(self, message: dict[str, Any]) -> None:
        """Send a message of JSON values to all views."""
        self.send(message)
