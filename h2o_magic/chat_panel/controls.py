"""The settings as controls, made from the one table of settings.

Each control follows its setting, whoever changes it, and changes it for the next
question, be it asked in the panel or by a cell.
"""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterable
from typing import Any

import ipywidgets

from h2o_magic.chat_panel.chat import answer_while_cells_run
from h2o_magic.errors import ConfigurationError
from h2o_magic.notebook import NotebookSession
from h2o_magic.parameters import PARAMETERS, Parameter
from h2o_magic.presets import BUILT_IN
from h2o_magic.setting import Setting
from h2o_magic.setting_table import LOCAL, SETTINGS

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

_LABELS = "136px"

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
        # What is chosen in a page comes in its thread, what others change in another:
        # an old value that is shown meanwhile would be chosen in its turn.
        self._lock = threading.RLock()
        self._rows: dict[str, _Row] = {}
        self.box = ipywidgets.VBox()
        self.box.add_class("h2o-controls")
        self.box.layout.display = "none"

    def show(self, shown: bool) -> None:
        """Show the controls with what holds now, or hide them."""
        with self._lock:
            if shown and not self._rows:
                self._make()
            if shown:
                for name in self._rows:
                    self.refresh(name)
            self.box.layout.display = "" if shown else "none"

    def refresh(self, name: str) -> None:
        """Show a setting's value as it is now."""
        row = self._rows.get(name)
        if row is None:
            return
        with self._lock:
            if name in PARAMETERS:
                self._presets.refresh()
            if isinstance(row.control, ipywidgets.Combobox):
                row.control.options = tuple(dict.fromkeys(self._choices(name)))
            settings = self._session.settings
            row.show(settings[name], chosen=settings.chosen(name))

    def _make(self) -> None:
        """Make the controls when they are first shown: they are many widgets."""
        self._presets = _Presets(self._session, self._lock)
        self._rows = {
            name: _Row(SETTINGS[name], self._change, self._reset)
            for name in (*_CHOSEN, *PARAMETERS)
        }
        rows = [row.box for row in self._rows.values()]
        self.box.children = [self._presets.box, *rows]

    def _change(self, setting: Setting, value: object) -> None:
        """Change a setting, unless its control only shows what holds already."""
        with self._lock:
            if setting.check(value) == self._session.settings[setting.name]:
                return
            if setting.name == "thread":
                self._session.thread = str(value)
            else:
                self._session.settings.set(setting.name, value, PANEL)

    def _reset(self, setting: Setting) -> None:
        with self._lock:
            self._session.settings.unset(setting.name)
            self.refresh(setting.name)


class _Presets:
    """The presets: one to choose, and buttons that save and remove the user's own."""

    def __init__(self, session: NotebookSession, lock: threading.RLock) -> None:
        self._session = session
        self._lock = lock
        self._choice = ipywidgets.Dropdown(
            description="preset",
            tooltip="Values of the parameters below, by one name.",
            style={"description_width": _LABELS},
        )
        self._name = ipywidgets.Text(
            description="save as",
            placeholder="a name for these values, then Enter",
            continuous_update=False,
            style={"description_width": _LABELS},
        )
        self._save = _button("save", "Save these parameters as a preset")
        self._remove = _button("trash", "Remove this preset")
        self._why = _why()
        line = ipywidgets.HBox([self._choice, self._save, self._remove])
        line.add_class("h2o-control")
        self.box = ipywidgets.VBox([line, self._name, self._why])
        self._name.layout.display = "none"
        self._choice.observe(self._on_choice, "value")
        self._name.observe(self._on_name, "value")
        self._save.on_click(lambda _: self._ask_for_name(True))
        self._remove.on_click(lambda _: self._try(self._remove_chosen))

    def refresh(self) -> None:
        """Show which presets there are, and which is in force."""
        names, current = list(self._session.presets()), self._session.preset
        options = (("(your own values)", ""), *((name, name) for name in names))
        if self._choice.options != options:
            self._choice.options = options
        self._choice.value = current
        own = current not in ("", *BUILT_IN)
        self._remove.layout.visibility = "visible" if own else "hidden"
        for widget in (self._choice, self._name, self._save, self._remove):
            answer_while_cells_run(widget)

    def _on_choice(self, change: Any) -> None:
        with self._lock:
            if change["new"] in ("", self._session.preset):
                return
            self._try(lambda: self._session.use_preset(change["new"]))

    def _on_name(self, change: Any) -> None:
        if change["new"]:
            self._try(lambda: self._session.save_preset(change["new"].strip()))
            self._ask_for_name(False)

    def _ask_for_name(self, asked: bool) -> None:
        self._name.value = ""
        self._name.layout.display = "" if asked else "none"

    def _remove_chosen(self) -> None:
        self._session.remove_preset(self._choice.value)

    def _try(self, change: Callable[[], None]) -> None:
        with self._lock:
            try:
                change()
            except ConfigurationError as error:
                _say(self._why, str(error))
            else:
                _say(self._why, "")
            self.refresh()


def _button(icon: str, words: str) -> Any:
    made = ipywidgets.Button(icon=icon, tooltip=words)
    made.add_class("h2o-reset")
    return made


def _why() -> Any:
    """Return the line that says why a value was refused."""
    made = ipywidgets.Label()
    made.add_class("h2o-why")
    made.layout.display = "none"
    return made


def _say(line: Any, text: str) -> None:
    line.value = text.replace("`", "")
    line.layout.display = "" if text else "none"


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
        self._say("")
        if value is None and not isinstance(self.control, ipywidgets.Text):
            self.control.add_class(_UNSET)
        else:
            self.control.remove_class(_UNSET)
            self.control.value = self._shown(value)
        self._reset.layout.visibility = "visible" if chosen else "hidden"
        for widget in (self.control, self._reset):
            answer_while_cells_run(widget)

    def _shown(self, value: Any) -> object:
        if not isinstance(self.control, ipywidgets.Text):
            return value
        if self._setting.name == "server":
            return value or LOCAL
        if isinstance(value, tuple) and len(value) == 1:
            return value[0]
        return "" if value in (None, ()) else self._setting.write(value)

    def _on_change(self, change: Any) -> None:
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
        _say(self._why, why)
        (self.control.add_class if why else self.control.remove_class)(_REFUSED)


def _title(setting: Setting) -> str:
    return setting.name.replace("_", " ")


def _control(setting: Setting) -> Any:
    """Return the control that fits a setting's kind and range."""
    shared: dict[str, Any] = {
        "description": _title(setting),
        "tooltip": setting.help,
        "style": {"description_width": _LABELS},
    }
    if setting.choices:
        return ipywidgets.Dropdown(options=setting.choices, **shared)
    if setting.kind is bool:
        return ipywidgets.Checkbox(**shared)
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
