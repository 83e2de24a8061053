"""Runs the commands that are typed into a panel, such as ``/status``."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from h2o_magic.chat_panel.host import Host
from h2o_magic.chat_panel.messages import Messages
from h2o_magic.conversation.background import BackgroundAnswer


class Commands:
    """Runs commands, whose output is shown in the view that sent them."""

    def __init__(self, host: Host, messages: Messages) -> None:
        self._host = host
        self._messages = messages

    def is_one(self, text: str) -> bool:
        """Return whether a message is a command, be it an unknown one."""
        return text.startswith("/") and self._host.is_command(text[1:])

    def ask(self, text: str) -> BackgroundAnswer | None:
        """Ask the question of a command in the background; None if it has none."""
        return self._host.ask_by_command(_line(text))

    def run(self, view: str, message: Mapping[str, Any]) -> None:
        """Run a command without waiting for its end."""
        line = _line(str(message["text"]))

        def run() -> None:
            self._messages.send_note(view, f"/{line}", self._host.command(line))

        self._messages.in_background(view, message, run)


def _line(text: str) -> str:
    return text[1:].strip()
