"""Gives the views what turns say, in other forms."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from h2o_magic.chat_panel.messages import Messages
from h2o_magic.rendering.plain import as_plain


class Reading:
    """The part of the controller for readers."""

    def __init__(self, messages: Messages) -> None:
        self._messages = messages

    def _on_plain(self, view: str, message: Mapping[str, Any]) -> None:
        text = as_plain(self._messages.turn(message["id"]).answer)
        self._messages.send("plain", to=view, text=text)
