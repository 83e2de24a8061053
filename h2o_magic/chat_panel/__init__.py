"""``%h2o panel``: a chat beside the cells, on the notebook's own conversation."""

from __future__ import annotations

import uuid
from typing import Any, Literal

import ipywidgets
from IPython.display import publish_display_data

from h2o_magic.chat_panel.controller import Controller
from h2o_magic.chat_panel.host import Host
from h2o_magic.chat_panel.rows import transcript
from h2o_magic.chat_panel.widget import ChatWidget
from h2o_magic.conversation.session import Session

__all__ = ["Panel", "Place"]

#: Where a panel is shown.
Place = Literal["cell", "right", "tab"]


class Panel:
    """A chat panel, which displays itself as a cell's last value.

    Attributes
    ----------
    place : str
        Where it is shown: ``"cell"``, or where JupyterLab's extension docks it,
        ``"right"`` in the sidebar or ``"tab"`` beside the notebook. Front ends without
        the extension show it in the cell.

    Parameters
    ----------
    session
        The session whose conversation it shows.
    host
        The notebook around it.
    """

    def __init__(self, session: Session, host: Host) -> None:
        self.place: Place = "cell"
        self._session = session
        self._chat = ChatWidget()
        self._box = ipywidgets.Box([self._chat]).add_class("h2o-panel")
        self._transcript_id = uuid.uuid4().hex
        self._controller = Controller(
            session,
            host,
            self._chat.send_to_views,
            root=self._box.model_id,
            save=lambda markdown: self._publish_transcript(markdown, update=True),
        )
        self._chat.on_msg(
            lambda _, message, buffers: self._controller.receive(message, buffers)
        )

    def show(self) -> None:
        """Show the panel below the running cell, and the transcript below the panel."""
        data: dict[str, Any] = {
            "text/plain": "The chat panel of h2o_magic: run the cell to open it.",
            "application/vnd.jupyter.widget-view+json": {
                "version_major": 2,
                "version_minor": 0,
                "model_id": self._box.model_id,
            },
        }
        # The extension finds the panel by this mark.
        publish_display_data(data, {"h2o_magic": {"panel": self.place}})
        self._publish_transcript(transcript(self._session), update=False)

    def shows(self, session: Session) -> bool:
        """Return whether it is open, and on this session."""
        return self._session is session and self._box.comm is not None

    def disconnect(self) -> None:
        """Follow the conversation no more; the page keeps what it shows."""
        self._controller.close()

    def close(self) -> None:
        """Remove the panel from the page; the conversation stays."""
        self.disconnect()
        self._box.close()
        self._chat.close()

    def _publish_transcript(self, markdown: str, *, update: bool) -> None:
        """Put the transcript into the notebook; an open panel hides it."""
        data = {"text/markdown": markdown, "text/plain": markdown}
        display = {"display_id": self._transcript_id}
        publish_display_data(data, transient=display, update=update)

    def _ipython_display_(self) -> None:
        self.show()
