"""``%h2o panel``: a chat beside the cells, on the notebook's own conversation."""

from __future__ import annotations

import uuid
from typing import Any

import ipywidgets
from IPython.display import publish_display_data

from h2o_magic.chat_panel.controller import Host, View
from h2o_magic.chat_panel.controls import Controls
from h2o_magic.chat_panel.transcript import MOST_TURNS, transcript
from h2o_magic.chat_panel.widget import Chat
from h2o_magic.conversation.session import Session

__all__ = ["Panel"]


class Panel:
    """A chat panel. It shows itself where it is a cell's last value.

    Parameters
    ----------
    session
        The session that it shows.
    host
        The notebook around it.
    """

    def __init__(self, session: Session, host: Host) -> None:
        self._chat = Chat()
        self._controls = Controls(session, host.choices)
        split = ipywidgets.Box([self._controls.box, self._chat])
        split.add_class("h2o-split")
        self._box = ipywidgets.Box([split])
        self._box.add_class("h2o-panel")
        self._view = View(
            session,
            self._chat.say,
            host,
            root=self._box.model_id,
            controls=self._controls,
            keep=self._keep,
        )
        self._session = session
        self._transcript = uuid.uuid4().hex
        self._chat.on_msg(lambda _, message, __: self._view.receive(message))

    def show(self) -> None:
        """Show it below the cell that runs."""
        data: dict[str, Any] = {
            "text/plain": "The chat panel of h2o_magic: run the cell to open it.",
            "application/vnd.jupyter.widget-view+json": {
                "version_major": 2,
                "version_minor": 0,
                "model_id": self._box.model_id,
            },
        }
        publish_display_data(data)
        turns = self._session.turns(last=MOST_TURNS)
        self._publish(transcript(turns), update=False)

    def close(self) -> None:
        """Take the panel out of the page; the conversation stays."""
        self._view.close()
        self._box.close()
        self._chat.close()

    def _keep(self, markdown: str) -> None:
        self._publish(markdown, update=True)

    def _publish(self, markdown: str, *, update: bool) -> None:
        """Show the transcript below the panel, which hides it while it is there."""
        data = {"text/markdown": markdown, "text/plain": markdown}
        shown = {"display_id": self._transcript}
        publish_display_data(data, transient=shown, update=update)

    def _ipython_display_(self) -> None:
        self.show()
