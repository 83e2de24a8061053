"""``%h2o panel``: a chat beside the cells, on the notebook's own conversation."""

from __future__ import annotations

import uuid
from typing import Any

import ipywidgets
from IPython.core.getipython import get_ipython
from IPython.display import publish_display_data

from h2o_magic import extension
from h2o_magic.chat_panel.chat import Chat
from h2o_magic.chat_panel.controls import Controls
from h2o_magic.chat_panel.shell import NotebookShell
from h2o_magic.chat_panel.transcript import MOST_TURNS, transcript
from h2o_magic.chat_panel.view import View
from h2o_magic.errors import MisuseError
from h2o_magic.magics import H2OMagics

__all__ = ["Panel", "panel"]


class Panel:
    """A chat panel. It shows itself where it is a cell's last value.

    Parameters
    ----------
    magics
        The magics of the notebook, whose session it shows.

    Raises
    ------
    MisuseError
        If there is no notebook around.
    """

    def __init__(self, magics: H2OMagics) -> None:
        shell: Any = magics.shell
        if not hasattr(shell, "kernel"):
            raise MisuseError("a panel needs a notebook: open one in JupyterLab")
        notebook = NotebookShell(magics)
        self._chat = Chat()
        self._controls = Controls(magics.session, notebook.choices)
        split = ipywidgets.Box([self._controls.box, self._chat])
        split.add_class("h2o-split")
        self._box = ipywidgets.Box([split])
        self._box.add_class("h2o-panel")
        self._view = View(
            magics.session,
            self._chat.say,
            notebook,
            root=self._box.model_id,
            controls=self._controls,
            keep=self._keep,
        )
        self._session = magics.session
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


def panel() -> Panel:
    """Return a chat panel on the notebook's conversation, for its cell to show.

    Several may be open at once. The extension is loaded if it is not yet.

    Raises
    ------
    MisuseError
        If there is no notebook.
    """
    shell: Any = get_ipython()
    if shell is None:
        raise MisuseError("a panel needs a notebook: open one in JupyterLab")
    extension.load(shell)
    return Panel(shell.magics_manager.registry[H2OMagics.__name__])
