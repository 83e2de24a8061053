"""Offers questions to begin with, while the thread has no turn."""

from __future__ import annotations

from collections.abc import Mapping
from contextlib import suppress
from typing import Any

from h2o_magic.chat_panel.host import Host
from h2o_magic.chat_panel.messages import Messages
from h2o_magic.conversation.session import Session


class Starting:
    """The part of the controller for an empty thread."""

    def __init__(self, session: Session, host: Host, messages: Messages) -> None:
        self._session = session
        self._host = host
        self._messages = messages
        self.close = host.on_cell_run(self._offer_anew)

    def _offer_anew(self) -> None:
        with suppress(Exception):  # it would be shown as the cell's
            self._offer()

    def _offer(self, to: str = "") -> None:
        if not self._session.record.count(self._session.thread):
            found = self._host.starters(sees=self._session.connection.sees())
            self._messages.send("starters", to=to, starters=found)

    def _on_starters(self, view: str, _: Mapping[str, Any]) -> None:
        self._offer(view)
