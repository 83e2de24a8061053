"""The settings beside the chat, one row for each, made from the table of settings.

A change in the panel applies to the next question, in the panel and in cells; a change
made elsewhere shows in the panel.
"""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterable

import ipywidgets

from h2o_magic.backends.base import ModelInfo
from h2o_magic.chat_panel.preset_row import PresetRow
from h2o_magic.chat_panel.setting_row import HIDDEN, SettingRow
from h2o_magic.config.definitions import SETTINGS
from h2o_magic.config.parameter import Parameter, Value
from h2o_magic.config.parameters import CHAT_PARAMETERS
from h2o_magic.conversation.model_choice import is_server_default
from h2o_magic.conversation.session import Session

#: The settings besides the generation parameters that have a control.
_OTHERS = (
    "model",
    "server",
    "thread",
    "system",
    "max_turns",
    "evaluate",
    "vision",
    "reasoning",
)


class Controls:
    """A column of rows; `choices` returns the known values of a setting."""

    def __init__(
        self, session: Session, choices: Callable[[str], Iterable[str]]
    ) -> None:
        self._session = session
        self._choices = choices
        # Pages and others change settings in different threads: without the lock, an
        # old value that is just being shown would count as a choice of the page.
        self._lock = threading.RLock()
        self._loading = threading.RLock()  # a server may take long to answer
        self._rows: dict[str, SettingRow] = {}
        self._model: ModelInfo | None = None
        self.box = ipywidgets.VBox(layout=HIDDEN).add_class("h2o-controls")

    def show(self, shown: bool) -> None:
        """Show the controls with the current values, or hide them."""
        if shown:
            with self._lock:
                if not self._rows:
                    self._make()
            self._load(*self._rows)
            self._show(*self._rows)
        self.box.layout.display = "" if shown else "none"

    def refresh(self, name: str) -> None:
        """Show the current value of a setting."""
        if name not in self._rows:
            return
        self._load(name)
        if name in ("model", "server"):
            self._show(*self._rows)
        elif name == "temperature":
            self._show(name, "do_sample")
        else:
            self._show(name)

    def _load(self, *names: str) -> None:
        """Ask for the known values, and the local server for its model if it changed.

        Other servers are not asked: they could keep the panel waiting.
        """
        with self._loading:
            if "model" in names or "server" in names:
                local = not self._session.settings["server"]
                self._model = self._session.current_model() if local else None
            for name in names:
                self._rows[name].offer(self._choices)

    def _show(self, *names: str) -> None:
        settings = self._session.settings
        with self._lock:
            if not CHAT_PARAMETERS.keys().isdisjoint(names):
                self._presets.refresh()
            for name in names:
                origin = settings.origin(name) if settings.is_set(name) else ""
                default = name == "model" and is_server_default(settings)
                self._rows[name].show(
                    settings[name],
                    default=self._default(name),
                    origin=origin,
                    can_reset=bool(origin) and not default,
                )

    def _default(self, name: str) -> tuple[Value, str] | None:
        """Return the model's own value of a setting and its origin, if known."""
        model = self._model
        if name == "do_sample":
            temperature = self._session.settings["temperature"]
            if temperature is None:
                temperature, _ = self._default("temperature") or (None, "")
            return temperature != 0, ""
        if model is None:
            return None
        if name == "system":
            return model.recommended_system
        return model.sampling.get(name)

    def _make(self) -> None:
        """Make the controls when they are first shown: they are many widgets."""
        self._presets = PresetRow(self._session, self._lock)
        self._rows = {
            name: SettingRow(SETTINGS[name], self._change, self._reset)
            for name in (*_OTHERS, *CHAT_PARAMETERS)
        }
        rows = [row.box for row in self._rows.values()]
        self.box.children = [self._presets.box, *rows]

    def _change(self, setting: Parameter, value: object) -> None:
        """Change a setting, unless its control only shows the current value."""
        with self._lock:
            if setting.check(value) == self._session.settings[setting.name]:
                return
            if setting.name == "thread":
                self._session.thread = str(value)
            else:
                self._session.settings.set(setting.name, value, "panel")

    def _reset(self, setting: Parameter) -> None:
        self._session.settings.unset(setting.name)
        self.refresh(setting.name)
