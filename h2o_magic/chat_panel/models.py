"""Shows the model in use, lets views choose another, and downloads some."""

from __future__ import annotations

import threading
from collections.abc import Mapping
from typing import Any

from h2o_magic.chat_panel.messages import Messages
from h2o_magic.chat_panel.model_list import ModelList, current_server, plain_line
from h2o_magic.config.models import title_of
from h2o_magic.config.settings import find_setting
from h2o_magic.config.units import size_in_words
from h2o_magic.conversation import model_choice
from h2o_magic.conversation.downloads import Download
from h2o_magic.conversation.session import Session

_ORIGIN = "panel"


class Models:
    """The part of the controller for the model in use."""

    def __init__(self, session: Session, messages: Messages) -> None:
        self._session = session
        self._messages = messages
        self._list = ModelList(session, self._send_group)
        self._wanted = ""  # the model that is to answer once it is downloaded
        messages.add_state(self._state)

    def _state(self) -> dict[str, Any]:
        session = self._session
        settings, server = session.settings, current_server(session)
        name = session.aliases.model(str(settings["model"]))
        best = not server and not model_choice.is_chosen(settings)
        unknown = best and not settings.is_set("model")
        model = {
            "name": "" if best else name,
            "title": "Best on this machine" if unknown else title_of(name),
            "server": server,
            "place": server or ("" if unknown else "this machine"),
        }
        return {"model": model, "downloads": download_rows(session)}

    def _send_group(self, group: dict[str, Any]) -> None:
        self._messages.send("models", group=group)

    def _on_models(self, *_: object) -> None:
        self._list.ask()

    def _on_choose(self, _: str, message: Mapping[str, Any]) -> None:
        self._wanted = ""
        self._choose(str(message["server"]), str(message["model"]))

    def _choose(self, server: str, model: str) -> None:
        """Let a model of a server answer; an empty name is the best on this machine."""
        settings = self._session.settings
        if model:
            find_setting("model").check(model)
        if server != current_server(self._session):
            settings.set("server", server, _ORIGIN)
        if model:
            settings.set("model", model, _ORIGIN)
        else:
            settings.unset("model")
        self._messages.send_state()  # an origin may be all that has changed

    def _on_connect(self, view: str, message: Mapping[str, Any]) -> None:
        def connect() -> None:
            try:
                connected = self._session.connect(str(message["server"]).strip())
            except Exception as error:  # that of a plug-in may be any
                text = plain_line(error)
                self._messages.send("unconnected", to=view, text=text, n=message["n"])
            else:
                text = " ".join(str(connected).split())
                self._messages.send("connected", to=view, text=text, n=message["n"])
                self._list.ask()

        threading.Thread(target=connect, name="h2o_magic-connect", daemon=True).start()

    def _on_pull(self, _: str, message: Mapping[str, Any]) -> None:
        self._wanted = model = str(message["model"])
        download = self._session.downloads.start(model)

        def choose() -> None:
            download.ended.wait()
            if download.state == "done" and self._wanted == model:
                self._choose("", model)
            self._list.ask()

        threading.Thread(target=choose, name="h2o_magic-pulled", daemon=True).start()

    def _on_stop_pull(self, _: str, message: Mapping[str, Any]) -> None:
        self._session.downloads.stop(str(message["model"]))


def download_rows(session: Session) -> list[dict[str, Any]]:
    return list(map(_row, session.downloads.all()))


def _row(download: Download) -> dict[str, Any]:
    done, total = download.done, download.total
    sizes = f"{size_in_words(done)} of {size_in_words(total)}" if total else ""
    return {
        "model": download.model,
        "title": title_of(download.model),
        "state": download.state,
        "percent": min(100 * done // total, 100) if total else 0,
        "sizes": sizes,
        "problem": download.problem.replace("`", ""),
    }
