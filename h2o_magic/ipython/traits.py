"""The settings as traits, which ``%config H2OMagics`` lists, reads and sets."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from typing import Any

import traitlets
from traitlets import TraitError
from traitlets.config import Config, Configurable
from traitlets.config.loader import LazyConfigValue

from h2o_magic.config.definitions import SETTINGS
from h2o_magic.config.parameter import Parameter
from h2o_magic.config.parameters import CHAT_PARAMETERS
from h2o_magic.config.settings import Settings, find_setting
from h2o_magic.errors import ConfigurationError

#: Where values come from that are in force when the magics are made.
_FILE = "ipython_config.py"
#: Where values come from that are set later.
_CONFIG = "%config"


class _Checked:
    """What a trait does that stands for a setting: it checks, and passes on."""

    name: str

    def validate(self, obj: SettingsTraits, value: object) -> object:
        return _check(obj, self.name, value)

    def from_string(self, text: str) -> object:
        """Return what a text of IPython's own command line stands for."""
        return SETTINGS[self.name].parse(text)

    def from_string_list(self, texts: list[str]) -> object:
        return self.from_string(texts[0]) if len(texts) == 1 else texts

    def set(self, obj: SettingsTraits, value: object) -> None:
        super().set(obj, value)  # type: ignore[misc]
        if obj._source == _FILE and obj.settings.origin(self.name) == _CONFIG:
            return  # the shell kept what %config had set before a reload
        obj.settings.set(self.name, getattr(obj, self.name), obj._source)


def _like(base: type) -> Any:
    """Return a type of trait that checks; help shows the name, so it is the same."""
    return type(base.__name__, (_Checked, base), {})


_TYPES = {
    str: _like(traitlets.Unicode),
    bool: _like(traitlets.Bool),
    int: _like(traitlets.Int),
    float: _like(traitlets.Float),
    tuple: _like(traitlets.List),
    dict: _like(traitlets.Dict),
}


#: How a variable of the environment is written, where that is not obvious.
_HOW: dict[type, str] = {tuple: " (a JSON list, or one text)", dict: " (a JSON object)"}


def _trait(setting: Parameter) -> Any:
    trait = _TYPES[setting.kind](
        default_value=setting.default, allow_none=setting.optional, help=_help(setting)
    )
    return trait.tag(config=True)


def _help(setting: Parameter) -> str:
    how = _HOW.get(setting.kind, "")
    parts = [
        setting.help,
        f"Unit: {setting.unit}." if setting.unit else "",
        "None: the model's own." if setting.name in CHAT_PARAMETERS else "",
        f"Default: {setting.default!r}.",
        f"Environment: {setting.variable}{how}.",
    ]
    return " ".join(filter(None, parts))


class SettingsTraits(Configurable):
    """The settings as traits of the magics, one for each, made from the table.

    A trait that changes changes its setting, and the other way round. A value that is
    refused raises ``TraitError`` with one line, and nothing changes.
    """

    settings: Settings
    _source: str  # where a value comes from that a trait is given now

    # At class scope this is the class's own namespace: a trait for each setting.
    locals().update({name: _trait(setting) for name, setting in SETTINGS.items()})

    def __init__(self, shell: Any, *, settings: Settings, **kwargs: Any) -> None:
        self.settings = settings
        self._source = _CONFIG
        for name in SETTINGS:
            if settings[name] != SETTINGS[name].default:  # a trait has the same
                self._follow(name)
        _refuse_lists_to_come(type(self).__name__, getattr(shell, "config", {}))
        try:
            with self._given_by(_FILE):
                super().__init__(shell, **kwargs)  # type: ignore[call-arg]
        except TraitError:
            # IPython's Magics enter themselves there before they read the values.
            if self in getattr(shell, "configurables", ()):
                shell.configurables.remove(self)
            raise
        settings.watch(self._follow)

    def update_config(self, config: Config) -> None:
        """Take the values that ``%config`` gives; all of them, or none."""
        given = config.get(type(self).__name__, Config())
        try:
            checked = {
                name: _check(self, name, given[name], now=True) for name in given
            }
        except TraitError:
            # The shell gets the same object next, keeps what is in it, and would hand
            # the refused value out again when the extension is loaded anew.
            given.clear()
            raise
        # The base class may first load the old configuration again, over what was set
        # since: it does where that has a list with `append`. Nothing here needs it.
        for name, value in checked.items():
            setattr(self, name, value)

    def refuse(self, name: str, value: object) -> None:
        """Refuse what ``%config`` gives, if it has the right form but cannot be now.

        Raises
        ------
        ConfigurationError
            If it is so.
        """

    def leave(self) -> None:
        """Follow the settings no longer."""
        self.settings.unwatch(self._follow)

    def _follow(self, name: str) -> None:
        """Take a setting's value and leave its origin as it is."""
        with self._given_by(self.settings.origin(name)):
            self.set_trait(name, self.settings[name])

    @contextmanager
    def _given_by(self, origin: str) -> Iterator[None]:
        before, self._source = self._source, origin
        try:
            yield
        finally:
            self._source = before


def _check(
    owner: SettingsTraits, name: str, value: object, *, now: bool = False
) -> object:
    try:
        checked = find_setting(name).check(value)
        if now:
            owner.refuse(name, checked)
        return checked
    except ConfigurationError as error:
        raise TraitError(f"{type(owner).__name__}.{name}: {error}") from error


def _refuse_lists_to_come(owner: str, config: Mapping[str, Any]) -> None:
    """Refuse ``c.H2OMagics.stop.append(...)``, which would be left out silently.

    traitlets adds such items to the value before, and that is None, not a list.
    """
    for name, value in config.get(owner, {}).items():
        if isinstance(value, LazyConfigValue) and value.to_dict():
            raise TraitError(
                f"{owner}.{name}: expected a value, got items to add to one: "
                f"write `c.{owner}.{name} = [...]`"
            )
