"""Changes the turns of the current thread."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from h2o_magic.chat_panel.messages import Messages
from h2o_magic.conversation.session import Session
from h2o_magic.errors import ConfigurationError


class Turns:
    """The part of the controller for turns: their versions, deletion and return."""

    def __init__(self, session: Session, messages: Messages) -> None:
        self._session = session
        self._messages = messages

    def _on_version(self, _: str, message: Mapping[str, Any]) -> None:
        turn = self._messages.turn(message["id"])
        self._session.choose_version(turn.number, int(message["to"]))

    def _on_delete(self, view: str, message: Mapping[str, Any]) -> None:
        turn = self._messages.turn(message["id"])
        with self._messages.lock:
            self._session.drop(turn.number)
            self._messages.note_deletion(turn.id)
        text = f"Turn {turn.number} was deleted."
        self._messages.send("deleted", to=view, id=turn.id, text=text)

    def _on_undo(self, view: str, message: Mapping[str, Any]) -> None:
        with self._messages.lock:
            id_ = self._messages.undoable()
            if message["id"] != id_ or not self._session.restore(id_):
                raise ConfigurationError(
                    "the conversation has changed since the deletion: "
                    "enter `/undo` to undo its last change"
                )
        self._messages.send("status", to=view, text="The turn was restored.")
