"""The settings of the conversation, which views show as a form and change.

A change in the panel applies to the next question, in the panel and in cells; a change
made elsewhere shows in the panel.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Collection, Mapping
from typing import Any

from h2o_magic.backends.base import ModelInfo
from h2o_magic.backends.local import locate
from h2o_magic.chat_panel import fields
from h2o_magic.chat_panel.messages import Messages
from h2o_magic.chat_panel.model_list import plain_line
from h2o_magic.chat_panel.rows import sentence
from h2o_magic.config.definitions import SETTINGS
from h2o_magic.config.presets import BUILT_IN
from h2o_magic.conversation.session import Session
from h2o_magic.errors import ConfigurationError, MissingExtraError

_ORIGIN = "panel"
_NOT_RUNNING = "Not running: the first question starts it."


class SettingsForm:
    """The part of the controller for the settings.

    The server is asked in the background about itself and the model, and the newest
    answer counts.
    """

    def __init__(self, session: Session, messages: Messages) -> None:
        self._session = session
        self._messages = messages
        self._lock = threading.RLock()  # held while values are read and sent
        self._shown = False
        self._tests = 0
        self._test = _Test()

    def refresh(self, changed: Collection[str]) -> None:
        """Show the new values of settings in the views, and ask a new server."""
        if self._shown and changed:
            if not {"model", "server"}.isdisjoint(changed):
                self._begin_test()
            self._send()

    def _on_settings(self, view: str, _: Mapping[str, Any]) -> None:
        folds = [
            {"title": title, "fields": [fields.field(SETTINGS[name]) for name in names]}
            for title, names in fields.FOLDS.items()
        ]
        self._shown = True
        self._messages.send("form", to=view, folds=folds)
        self._begin_test()
        self._send()

    def _on_test(self, *_: object) -> None:
        self._begin_test()
        self._send()

    def _on_set(self, view: str, message: Mapping[str, Any]) -> None:
        name, settings = str(message["name"]), self._session.settings
        setting = SETTINGS[name]
        try:
            value = fields.parsed(setting, str(message["text"]))
            # A form says all: nothing stays that a setting's merge would leave.
            if value in (None, "") or setting.merge(settings[name], value) != value:
                settings.unset(name)
            if value != settings[name]:
                settings.set(name, value, _ORIGIN)
        except ConfigurationError as error:
            self._refuse(view, name, error)
        else:
            self._send()

    def _on_reset(self, _: str, message: Mapping[str, Any]) -> None:
        self._session.settings.unset(str(message["name"]))
        self._send()

    def _on_preset(self, view: str, message: Mapping[str, Any]) -> None:
        session, name = self._session, str(message["name"]).strip()
        actions = {
            "use": session.use_preset,
            "save": session.save_preset,
            "remove": session.remove_preset,
        }
        try:
            actions[message["action"]](name)
        except ConfigurationError as error:
            self._refuse(view, "preset", error)
        else:
            self._send()

    def _refuse(self, view: str, name: str, error: ConfigurationError) -> None:
        self._messages.send("refused", to=view, name=name, text=plain_line(error))

    def _send(self) -> None:
        session, test = self._session, self._test
        with self._lock:
            values = list(fields.values(session.settings, test.info))
            server = self._server()
            for value in values:
                name = value["name"]
                value["taken"] = fields.takes(SETTINGS[name], *server)
                value["reset"] = session.settings.is_chosen(name)
            current = session.preset
            presets = {
                "names": list(session.presets()),
                "current": current,
                "removable": current not in ("", *BUILT_IN),
            }
            shown = {"text": test.text, "problem": test.problem}
            self._messages.send("values", values=values, presets=presets, server=shown)

    def _server(self) -> tuple[str, str | None]:
        """Return the dialect and the flavour of the current server, if known."""
        server = str(self._session.settings["server"])
        if not server:
            return "openai", "h2o_magic"
        if self._test.dialect:
            return self._test.dialect, self._test.flavour
        try:
            return self._session.servers.find(server).dialect, None
        except ConfigurationError:
            return "", None

    def _begin_test(self) -> None:
        self._tests += 1
        self._test = _Test("Asking …")
        threading.Thread(
            target=self._run_test,
            args=(self._tests,),
            name="h2o_magic-settings",
            daemon=True,
        ).start()

    def _run_test(self, number: int) -> None:
        test = _tested(self._session)
        if number == self._tests:
            self._test = test
            self._send()


class _Test:
    """What a server said when it was asked, and how long it took."""

    def __init__(
        self,
        text: str = "",
        info: ModelInfo | None = None,
        dialect: str = "",
        flavour: str | None = None,
        *,
        problem: bool = False,
    ) -> None:
        self.text = text
        self.info = info
        self.dialect = dialect
        self.flavour = flavour
        self.problem = problem


def _tested(session: Session) -> _Test:
    """Ask the current server about its model; the local one is not started for that."""
    try:
        if not session.settings["server"]:
            if not locate.is_installed():
                raise MissingExtraError("the local server", "local")
            if locate.find_running() is None:
                return _Test(_NOT_RUNNING)
        name = session.connection.current_model_name()
        backend, begun = session.backend, time.perf_counter()
        info = backend.model(name)
        took = 1000 * (time.perf_counter() - begun)
    except Exception as error:  # that of a plug-in may be any
        return _Test(sentence(plain_line(error)), problem=True)
    dialect = str(getattr(backend, "dialect", ""))
    flavour = getattr(backend, "flavour", None)
    return _Test(f"Answers in {took:,.0f} ms.", info, dialect, flavour)
