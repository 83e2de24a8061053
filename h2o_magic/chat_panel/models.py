"""Shows the model in use, and the settings."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from h2o_magic.chat_panel.controls import Controls
from h2o_magic.chat_panel.messages import Messages


class Models:
    """The part of the controller for the model and the settings."""

    def __init__(self, messages: Messages, controls: Controls | None) -> None:
        self._messages = messages
        self._controls = controls

    def _on_controls(self, _: str, message: Mapping[str, Any]) -> None:
        self._messages.controls_shown = bool(message["shown"])
        if self._controls is not None:
            self._controls.show(self._messages.controls_shown)
        self._messages.send_state()
