"""The presets as a row: a list to choose from, and buttons to save and remove one."""

from __future__ import annotations

import threading
from collections.abc import Callable
from typing import Any

import ipywidgets

from h2o_magic.chat_panel.setting_row import (
    HIDDEN,
    LABEL_STYLE,
    error_line,
    icon_button,
    show_text,
)
from h2o_magic.chat_panel.widget import answer_while_cells_run
from h2o_magic.config.presets import BUILT_IN
from h2o_magic.conversation.session import Session
from h2o_magic.errors import ConfigurationError


class PresetRow:
    """The presets of a session; `lock` is held while one is changed or shown."""

    def __init__(self, session: Session, lock: threading.RLock) -> None:
        self._session = session
        self._lock = lock
        self._choice = ipywidgets.Dropdown(
            description="preset",
            tooltip="Named values for the parameters below.",
            style=LABEL_STYLE,
        )
        self._name = ipywidgets.Text(
            description="save as",
            placeholder="type a name, then press Enter",
            continuous_update=False,
            style=LABEL_STYLE,
            layout=HIDDEN,
        )
        self._save = icon_button("save", "Save these parameters as a preset")
        self._remove = icon_button("trash", "Remove this preset")
        self._error = error_line()
        line = ipywidgets.HBox([self._choice, self._save, self._remove])
        line.add_class("h2o-control")
        self.box = ipywidgets.VBox([line, self._name, self._error])
        self._choice.observe(self._on_choice, "value")
        self._name.observe(self._on_name, "value")
        self._save.on_click(lambda _: self._show_name(True))
        self._remove.on_click(
            lambda _: self._try(session.remove_preset, self._choice.value)
        )

    def refresh(self) -> None:
        """Show the presets, and which of them is in use."""
        names, current = list(self._session.presets()), self._session.preset
        options = (("(custom values)", ""), *((name, name) for name in names))
        if self._choice.options != options:
            self._choice.options = options
        self._choice.value = current
        removable = current not in ("", *BUILT_IN)
        self._remove.layout.visibility = "visible" if removable else "hidden"
        for widget in (self._choice, self._name, self._save, self._remove):
            answer_while_cells_run(widget)

    def _on_choice(self, change: Any) -> None:
        with self._lock:
            if change["new"] not in ("", self._session.preset):
                self._try(self._session.use_preset, change["new"])

    def _on_name(self, change: Any) -> None:
        if change["new"]:
            self._try(self._session.save_preset, change["new"].strip())
            self._show_name(False)

    def _show_name(self, shown: bool) -> None:
        self._name.value = ""
        self._name.layout.display = "" if shown else "none"

    def _try(self, action: Callable[[str], object], name: str) -> None:
        with self._lock:
            try:
                action(name)
            except ConfigurationError as error:
                show_text(self._error, str(error))
            else:
                show_text(self._error, "")
            self.refresh()
