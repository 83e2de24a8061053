"""The settings as controls, made from the one table of settings.

Each control follows its setting, whoever changes it, and changes it for the next
question, be it asked in the panel or by a cell.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import Any

import ipywidgets

from h2o_magic.errors import ConfigurationError
from h2o_magic.notebook import NotebookSession
from h2o_magic.parameters import PARAMETERS, Parameter
from h2o_magic.setting_table import LOCAL, SETTINGS, Setting

__all__ = ["Controls"]

#: Where a setting comes from that was changed here.
PANEL = "panel"
#: The settings that are no generation parameters and have a control.
_CHOSEN = ("model", "server", "thread", "system", "max_turns", "reasoning")

#: What no value means.
_NOTHING = {
    "max_turns": "as many as fit",
    "seed": "a new one each time",
    "stop": "no text",
}

_UNSET = "h2o-unset"
_REFUSED = "h2o-refused-value"


class Controls:
    """A column of controls.

    Parameters
    ----------
    session
        The session whose settings they show and change.
    choices
        Returns the values of a setting that are known, by the setting's name: models,
        servers, threads.

    Attributes
    ----------
    box : ipywidgets.VBox
        All of them.
    """

    def __init__(
        self, session: NotebookSession, choices: Callable[[str], Iterable[str]]
    ) -> None:
        self._session = session
        self._choices = choices
        self._rows = {
            name: _Row(SETTINGS[name], self._change, self._reset)
            for name in (*_CHOSEN, *PARAMETERS)
        }
        self.box = ipywidgets.VBox([row.box for row in self._rows.values()])
        self.box.add_class("h2o-controls")
        self.box.layout.display = "none"

    def show(self, shown: bool) -> None:
        """Show the controls with what holds now, or hide them."""
        if shown:
            for name in self._rows:
                self.refresh(name)
        self.box.layout.display = "" if shown else "none"

    def refresh(self, name: str) -> None:
        """Show a setting's value as it is now."""
        row = self._rows.get(name)
        if row is None:
            return
        if isinstance(row.control, ipywidgets.Combobox):
            row.control.options = tuple(dict.fromkeys(self._choices(name)))
        settings = self._session.settings
        row.show(settings[name], chosen=settings.chosen(name))

    def _change(self, setting: Setting, value: object) -> None:
        if setting.name == "thread":
            self._session.thread = str(value)
        else:
            self._session.settings.set(setting.name, value, PANEL)

    def _reset(self, setting: Setting) -> None:
        self._session.settings.unset(setting.name)
        self.refresh(setting.name)


class _Row:
    """One setting: its control, and a button that takes the default."""

    def __init__(
        self,
        setting: Setting,
        change: Callable[[Setting, object], None],
        reset: Callable[[Setting], None],
    ) -> None:
        self._setting = setting
        self._change = change
        self._showing = False
        self.control = _control(setting)
        default = "" if setting.default is None else setting.write(setting.default)
        self._reset = ipywidgets.Button(
            icon="undo",
            tooltip=f"{_title(setting)}: the default, {default or 'nothing'}",
        )
        self._reset.add_class("h2o-reset")
        self._reset.on_click(lambda _: reset(setting))
        self._why = ipywidgets.Label()
        self._why.add_class("h2o-why")
        self._why.layout.display = "none"
        line = ipywidgets.HBox([self.control, self._reset])
        line.add_class("h2o-control")
        self.box = ipywidgets.VBox([line, self._why])
        self.control.observe(self._on_change, "value")

    def show(self, value: object, *, chosen: bool) -> None:
        """Show a value; `chosen` tells whether it is not the default."""
        self._showing = True
        try:
            self._say("")
            if value is None and not isinstance(self.control, ipywidgets.Text):
                self.control.add_class(_UNSET)
            else:
                self.control.remove_class(_UNSET)
                self.control.value = self._shown(value)
        finally:
            self._showing = False
        self._reset.layout.visibility = "visible" if chosen else "hidden"

    def _shown(self, value: Any) -> object:
        if not isinstance(self.control, ipywidgets.Text):
            return value
        if self._setting.name == "server":
            return value or LOCAL
        if isinstance(value, tuple) and len(value) == 1:
            return value[0]
        return "" if value in (None, ()) else self._setting.write(value)

    def _on_change(self, change: Any) -> None:
        if self._showing:
            return
        try:
            self._change(self._setting, self._value(change["new"]))
        except ConfigurationError as error:
            self._say(str(error))
        else:
            self._say("")

    def _value(self, shown: object) -> object:
        if isinstance(shown, str) and self._setting.kind in (int, tuple):
            return self._setting.parse(shown.strip() or "none")
        return shown

    def _say(self, why: str) -> None:
        self._why.value = why
        self._why.layout.display = "" if why else "none"
        (self.control.add_class if why else self.control.remove_class)(_REFUSED)


def _title(setting: Setting) -> str:
    return setting.name.replace("_", " ")


def _control(setting: Setting) -> Any:
    """Return the control that fits a setting's kind and range."""
    shared: dict[str, Any] = {
        "description": _title(setting),
        "tooltip": setting.help,
        "style": {"description_width": "136px"},
    }
    if setting.choices:
        return ipywidgets.Dropdown(options=setting.choices, **shared)
    if setting.kind is bool:
        return ipywidgets.Checkbox(indent=False, **shared)
    if setting.kind is float or (setting.kind is int and setting.default is not None):
        return _number(PARAMETERS[setting.name], shared)
    shared["continuous_update"] = False
    if setting.name == "system":
        return ipywidgets.Textarea(placeholder="as it likes", rows=3, **shared)
    if setting.kind is str:
        return ipywidgets.Combobox(**shared)
    nothing = _NOTHING.get(setting.name, "the server decides")
    return ipywidgets.Text(placeholder=nothing, **shared)


def _number(parameter: Parameter, shared: dict[str, Any]) -> Any:
    if parameter.kind is int:
        return ipywidgets.BoundedIntText(min=1, max=parameter.most, step=64, **shared)
    if parameter.above is None or parameter.below is None:
        return ipywidgets.FloatText(value=1.0, step=0.1, **shared)
    step = (parameter.below - parameter.above) / 100
    return ipywidgets.FloatSlider(
        value=(parameter.above + parameter.below) / 2,
        min=parameter.above + step,
        max=parameter.below - step,
        step=step,
        continuous_update=False,
        **shared,
    )
