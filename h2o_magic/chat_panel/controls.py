"""The settings as controls, made from the one table of settings.

Each control follows its setting, whoever changes it, and changes it for the next
question, be it asked in the panel or by a cell.
"""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterable
from typing import Any

import ipywidgets

from h2o_magic.backends.base import ModelInfo
from h2o_magic.chat_panel.widget import answer_while_cells_run
from h2o_magic.config.definitions import LOCAL, SETTINGS
from h2o_magic.config.parameter import Parameter, Value
from h2o_magic.config.parameters import CHAT_PARAMETERS
from h2o_magic.config.presets import BUILT_IN
from h2o_magic.conversation.model_choice import is_lent
from h2o_magic.conversation.session import Session
from h2o_magic.errors import ConfigurationError

#: Where a setting comes from that was changed here.
PANEL = "panel"
#: The settings that are no generation parameters and have a control.
_CHOSEN = ("model", "server", "thread", "system", "max_turns", "reasoning")

#: What no value means.
_NOTHING = {
    "model": "the best on this machine",
    "system": "none",
    "max_turns": "as many as fit",
    "seed": "a new one each time",
    "stop": "no text",
}

_LABELS = "136px"

_UNSET = "h2o-unset"
_OWN = "h2o-own"
_REFUSED = "h2o-refused-value"


class Controls:
    """A column of controls."""

    def __init__(
        self, session: Session, choices: Callable[[str], Iterable[str]]
    ) -> None:
        self._session = session
        self._choices = choices
        # What is chosen in a page comes in its thread, what others change in another:
        # an old value that is shown meanwhile would be chosen in its turn.
        self._lock = threading.RLock()
        self._rows: dict[str, _Row] = {}
        self._info: ModelInfo | None = None
        self.box = ipywidgets.VBox()
        self.box.add_class("h2o-controls")
        self.box.layout.display = "none"

    def show(self, shown: bool) -> None:
        """Show the controls with what holds now, or hide them."""
        with self._lock:
            if shown and not self._rows:
                self._make()
            if shown:
                self._ask()
                for name in self._rows:
                    self._offer(name)
                    self._show(name)
                self._presets.refresh()
            self.box.layout.display = "" if shown else "none"

    def refresh(self, name: str) -> None:
        """Show a setting's value as it is now."""
        row = self._rows.get(name)
        if row is None:
            return
        with self._lock:
            if name in CHAT_PARAMETERS:
                self._presets.refresh()
            self._offer(name)
            if name == "temperature":
                self._show("do_sample")
            if name in ("model", "server"):
                self._ask()
                for other in self._rows.keys() - {"model", "server"}:
                    self._show(other)
            self._show(name)

    def _show(self, name: str) -> None:
        settings = self._session.settings
        origin = settings.origin(name) if settings.is_set(name) else ""
        self._rows[name].show(
            settings[name],
            chosen=bool(origin) and not (name == "model" and is_lent(settings)),
            origin=origin,
            own=self._own(name),
        )

    def _ask(self) -> None:
        """Ask the local server about its model; others could keep the panel waiting."""
        local = not self._session.settings["server"]
        self._info = self._session.current_model() if local else None

    def _own(self, name: str) -> tuple[Value, str] | None:
        """Return the model's own value of a setting, and where it comes from."""
        if name == "do_sample":
            return self._temperature() != 0, ""
        if self._info is None:
            return None
        if name == "system":
            return self._info.recommended_system
        return self._info.sampling.get(name)

    def _temperature(self) -> object:
        """Return the temperature that counts; None if it is not known."""
        chosen = self._session.settings["temperature"]
        own, _ = self._own("temperature") or (None, "")
        return own if chosen is None else chosen

    def _offer(self, name: str) -> None:
        """Offer the values that are known now, where a setting has such a list."""
        control = self._rows[name].control
        if isinstance(control, ipywidgets.Combobox):
            control.options = tuple(dict.fromkeys(self._choices(name)))

    def _make(self) -> None:
        """Make the controls when they are first shown: they are many widgets."""
        self._presets = _Presets(self._session, self._lock)
        self._rows = {
            name: _Row(SETTINGS[name], self._change, self._reset)
            for name in (*_CHOSEN, *CHAT_PARAMETERS)
        }
        rows = [row.box for row in self._rows.values()]
        self.box.children = [self._presets.box, *rows]

    def _change(self, setting: Parameter, value: object) -> None:
        """Change a setting, unless its control only shows what holds already."""
        with self._lock:
            if setting.check(value) == self._session.settings[setting.name]:
                return
            if setting.name == "thread":
                self._session.thread = str(value)
            else:
                self._session.settings.set(setting.name, value, PANEL)

    def _reset(self, setting: Parameter) -> None:
        with self._lock:
            self._session.settings.unset(setting.name)
            self.refresh(setting.name)


class _Presets:
    """The presets: one to choose, and buttons that save and remove the user's own."""

    def __init__(self, session: Session, lock: threading.RLock) -> None:
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
        setting: Parameter,
        change: Callable[[Parameter, object], None],
        reset: Callable[[Parameter], None],
    ) -> None:
        self._setting = setting
        self._change = change
        self._showing = False
        self.control = _control(setting)
        self._reset = ipywidgets.Button(
            icon="undo",
            tooltip=f"Reset {_title(setting)}",
        )
        self._reset.add_class("h2o-reset")
        self._reset.on_click(lambda _: reset(setting))
        self._why = ipywidgets.Label()
        self._why.add_class("h2o-why")
        self._why.layout.display = "none"
        self._origin = ipywidgets.Label()
        self._origin.add_class("h2o-origin")
        line = ipywidgets.HBox([self.control, self._reset])
        line.add_class("h2o-control")
        self.box = ipywidgets.VBox([line, self._origin, self._why])
        self.control.observe(self._on_change, "value")

    def show(
        self, value: object, *, chosen: bool, origin: str, own: tuple[Value, str] | None
    ) -> None:
        """Show a value and where it comes from."""
        self._say("")
        if value in (None, "") and own is not None:
            shown, said = own
        else:
            shown, said = None, origin
        _say(self._origin, said)
        if hasattr(self.control, "placeholder"):
            own_one = "the model's own" if self._setting.name in CHAT_PARAMETERS else ""
            nothing = _NOTHING.get(self._setting.name, own_one)
            self.control.placeholder = nothing if shown is None else str(shown)
            self._put(self._shown(value))
        elif value is None:
            if isinstance(self.control, ipywidgets.Dropdown):
                self._put(None)
            (self.control.remove_class if own else self.control.add_class)(_UNSET)
            (self.control.add_class if own else self.control.remove_class)(_OWN)
            if shown is not None:
                self._put(shown)
        else:
            self.control.remove_class(_UNSET)
            self.control.remove_class(_OWN)
            self._put(value)
        self._reset.layout.visibility = "visible" if chosen else "hidden"
        for widget in (self.control, self._reset):
            answer_while_cells_run(widget)

    def _put(self, value: object) -> None:
        """Let the control show a value, which so is nobody's choice."""
        self._showing = True
        try:
            self.control.value = value
        finally:
            self._showing = False

    def _shown(self, value: Any) -> object:
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
        if isinstance(shown, str) and self._setting.kind in (int, float, tuple, dict):
            return self._setting.parse(shown.strip() or "none")
        return shown

    def _say(self, why: str) -> None:
        _say(self._why, why)
        (self.control.add_class if why else self.control.remove_class)(_REFUSED)


def _title(setting: Parameter) -> str:
    return setting.name.replace("_", " ")


def _control(setting: Parameter) -> Any:
    """Return the control that fits a setting's kind and range."""
    shared: dict[str, Any] = {
        "description": _title(setting),
        "tooltip": setting.help,
        "style": {"description_width": _LABELS},
    }
    if setting.choices:
        options = [(choice, choice) for choice in setting.choices]
        own = [("the model's own", None)] if setting.optional else []
        return ipywidgets.Dropdown(options=[*own, *options], **shared)
    if setting.kind is bool:
        return ipywidgets.Checkbox(**shared)
    shared["continuous_update"] = False
    parameter = CHAT_PARAMETERS.get(setting.name)
    if parameter is not None and _is_share(parameter):
        # From 0 to 1, and neither where that is refused.
        most = 1.0 if parameter.most == 1 else 0.99
        least = 0.0 if parameter.least == 0 else 0.01
        return ipywidgets.FloatSlider(
            value=0.5, min=least, max=most, step=0.01, **shared
        )
    if setting.name == "system":
        return ipywidgets.Textarea(rows=3, **shared)
    return (ipywidgets.Combobox if setting.kind is str else ipywidgets.Text)(**shared)


def _is_share(parameter: Parameter) -> bool:
    from_0 = 0 in (parameter.above, parameter.least)
    return from_0 and 1 in (parameter.below, parameter.most)
