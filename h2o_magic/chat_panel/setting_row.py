"""One setting as a row: its control, its origin, and a button that resets it."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import Any

import ipywidgets

from h2o_magic.chat_panel.widget import answer_while_cells_run
from h2o_magic.config.definitions import LOCAL
from h2o_magic.config.parameter import Parameter, Value
from h2o_magic.config.parameters import CHAT_PARAMETERS
from h2o_magic.errors import ConfigurationError

LABEL_STYLE = {"description_width": "136px"}
HIDDEN = {"display": "none"}

_MODELS_OWN = "the model's own"
#: Placeholders of settings that have no value.
_NO_VALUE = {
    "model": "the best on this machine",
    "system": "none",
    "max_turns": "as many as fit",
    "seed": "random",
    "stop": "none",
}


class SettingRow:
    """One setting: `change` sets a value that was entered, `reset` the default."""

    def __init__(
        self,
        setting: Parameter,
        change: Callable[[Parameter, object], None],
        reset: Callable[[Parameter], None],
    ) -> None:
        self._setting = setting
        self._change = change
        self._showing = False
        self.control = _control(setting)
        self._reset = icon_button("undo", f"Reset {_title(setting)}")
        self._reset.on_click(lambda _: reset(setting))
        self._origin = ipywidgets.Label().add_class("h2o-origin")
        self._error = error_line()
        line = ipywidgets.HBox([self.control, self._reset]).add_class("h2o-control")
        self.box = ipywidgets.VBox([line, self._origin, self._error])
        self.control.observe(self._on_change, "value")

    def offer(self, choices: Callable[[str], Iterable[str]]) -> None:
        """Offer the known values, if the control has a list of them."""
        if isinstance(self.control, ipywidgets.Combobox):
            known = choices(self._setting.name)
            self.control.options = tuple(dict.fromkeys(known))

    def show(
        self,
        value: object,
        *,
        default: tuple[Value, str] | None,
        origin: str,
        can_reset: bool,
    ) -> None:
        """Show a value and its origin; without a value, the default and its origin."""
        self._show_error("")
        own: object = None
        if value in (None, "") and default is not None:
            own, origin = default
        show_text(self._origin, origin)
        if hasattr(self.control, "placeholder"):
            no_value = _MODELS_OWN if self._setting.name in CHAT_PARAMETERS else ""
            no_value = _NO_VALUE.get(self._setting.name, no_value)
            self.control.placeholder = no_value if own is None else str(own)
            self._set(self._as_text(value))
        else:
            self._mark("h2o-unset", value is None and default is None)
            self._mark("h2o-own", value is None and default is not None)
            shown = own if value is None else value
            if isinstance(self.control, ipywidgets.Checkbox):
                shown = bool(shown)  # a click on one without a value is a yes
            if shown is not None or isinstance(self.control, ipywidgets.Dropdown):
                self._set(shown)
        self._reset.layout.visibility = "visible" if can_reset else "hidden"
        for widget in (self.control, self._reset):
            answer_while_cells_run(widget)

    def _set(self, value: object) -> None:
        """Let the control show a value that the user did not enter."""
        self._showing = True
        try:
            self.control.value = value
        finally:
            self._showing = False

    def _mark(self, css_class: str, on: bool) -> None:
        (self.control.add_class if on else self.control.remove_class)(css_class)

    def _as_text(self, value: Any) -> object:
        if self._setting.name == "server":
            return value or LOCAL
        if isinstance(value, tuple) and len(value) == 1:
            return value[0]
        return "" if value in (None, ()) else self._setting.write(value)

    def _on_change(self, change: Any) -> None:
        if self._showing:
            return
        value = change["new"]
        is_parsed = self._setting.kind in (int, float, tuple, dict)
        try:
            if is_parsed and isinstance(value, str):
                value = self._setting.parse(value.strip() or "none")
            self._change(self._setting, value)
        except ConfigurationError as error:
            self._show_error(str(error))
        else:
            self._show_error("")

    def _show_error(self, text: str) -> None:
        show_text(self._error, text)
        self._mark("h2o-invalid", bool(text))


def icon_button(icon: str, tooltip: str) -> Any:
    return ipywidgets.Button(icon=icon, tooltip=tooltip).add_class("h2o-reset")


def error_line() -> Any:
    return ipywidgets.Label(layout=HIDDEN).add_class("h2o-error")


def show_text(line: Any, text: str) -> None:
    """Show a text in a line, which is hidden without one."""
    line.value = text.replace("`", "")
    line.layout.display = "" if text else "none"


def _title(setting: Parameter) -> str:
    return setting.name.replace("_", " ")


def _control(setting: Parameter) -> Any:
    """Return the control that fits a setting's kind and range."""
    shared: dict[str, Any] = {
        "description": _title(setting),
        "tooltip": setting.help,
        "style": LABEL_STYLE,
    }
    if setting.choices:
        unset = [(_MODELS_OWN, None)] if setting.optional else []
        options = [(choice, choice) for choice in setting.choices]
        return ipywidgets.Dropdown(options=[*unset, *options], **shared)
    if setting.kind is bool:
        return ipywidgets.Checkbox(**shared)
    shared["continuous_update"] = False
    parameter = CHAT_PARAMETERS.get(setting.name)
    if parameter is not None and _is_share(parameter):
        # From 0 to 1, without the ends that the parameter excludes.
        shared["min"] = 0.0 if parameter.least == 0 else 0.01
        shared["max"] = 1.0 if parameter.most == 1 else 0.99
        return ipywidgets.FloatSlider(value=0.5, step=0.01, **shared)
    if setting.name == "system":
        return ipywidgets.Textarea(rows=3, **shared)
    return (ipywidgets.Combobox if setting.kind is str else ipywidgets.Text)(**shared)


def _is_share(parameter: Parameter) -> bool:
    from_0 = 0 in (parameter.above, parameter.least)
    return from_0 and 1 in (parameter.below, parameter.most)
