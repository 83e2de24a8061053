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
from h2o_magic.config.settings import FILE, Settings
from h2o_magic.errors import ConfigurationError

#: The origin of values that are set after the magics are made.
_CONFIG = "%config"


class _Checked:
    """A trait that stands for a setting: it checks, and passes values on."""

    name: str

    def validate(self, obj: SettingsTraits, value: object) -> object:
        return _check(obj, self.name, value)

    def from_string(self, text: str) -> object:
        """Return the value of a text on IPython's own command line."""
        return SETTINGS[self.name].parse(text)

    def from_string_list(self, texts: list[str]) -> object:
        return self.from_string(texts[0]) if len(texts) == 1 else texts

    def set(self, obj: SettingsTraits, value: object) -> None:
        super().set(obj, value)  # type: ignore[misc]
        if obj._source == FILE and obj.settings.origin(self.name) == _CONFIG:
            return  # the shell kept what %config had set before a reload
        obj.settings.set(self.name, getattr(obj, self.name), obj._source)


_BASES: dict[type, type] = {
    str: traitlets.Unicode,
    bool: traitlets.Bool,
    int: traitlets.Int,
    float: traitlets.Float,
    tuple: traitlets.List,
    dict: traitlets.Dict,
}
# Help shows a type's name, so that of the base is kept.
_TYPES: dict[type, Any] = {
    kind: type(base.__name__, (_Checked, base), {}) for kind, base in _BASES.items()
}
#: How an environment variable is written, where that is not obvious.
_FORM: dict[type, str] = {
    tuple: " (a JSON list, or one text)",
    dict: " (a JSON object)",
}


def _trait(setting: Parameter) -> Any:
    parts = [
        setting.help,
        f"Unit: {setting.unit}." if setting.unit else "",
        "None: the model's own value." if setting.name in CHAT_PARAMETERS else "",
        f"Default: {setting.default!r}.",
        f"Environment: {setting.variable}{_FORM.get(setting.kind, '')}.",
    ]
    return _TYPES[setting.kind](
        default_value=setting.default,
        allow_none=setting.optional,
        help=" ".join(filter(None, parts)),
    ).tag(config=True)


class SettingsTraits(Configurable):
    """The settings as traits of the magics, each kept equal to its setting.

    An invalid value raises ``TraitError`` with one line, and nothing changes.
    """

    settings: Settings
    _source: str  # the origin of the values that traits are given now

    # At class scope this is the class's own namespace: a trait for each setting.
    locals().update({name: _trait(setting) for name, setting in SETTINGS.items()})

    def __init__(self, shell: Any, *, settings: Settings, **kwargs: Any) -> None:
        self.settings = settings
        self._source = _CONFIG
        for name in SETTINGS:
            if settings[name] != SETTINGS[name].default:  # a trait has the same
                self._follow(name)
        _refuse_list_changes(type(self).__name__, getattr(shell, "config", {}))
        try:
            with self._values_from(FILE):
                super().__init__(shell, **kwargs)  # type: ignore[call-arg]
        except TraitError:
            # IPython's Magics enter themselves there before they read the values.
            if self in getattr(shell, "configurables", ()):
                shell.configurables.remove(self)
            raise
        settings.watch(self._follow)

    def update_config(self, config: Config) -> None:
        """Apply the values of ``%config``; all of them, or none."""
        given = config.get(type(self).__name__, Config())
        try:
            checked = {
                name: _check(self, name, given[name], now=True) for name in given
            }
        except TraitError:
            # The shell keeps this object, and would pass the invalid value on when the
            # extension is loaded again.
            given.clear()
            raise
        # The base class may first load the old configuration again, over what was set
        # since: it does where that has a list with `append`. Nothing here needs it.
        for name, value in checked.items():
            setattr(self, name, value)

    def check_now(self, name: str, value: object) -> None:
        """Raise ``ConfigurationError`` if a valid value cannot be used at present."""

    def disconnect(self) -> None:
        """Stop following the settings."""
        self.settings.unwatch(self._follow)

    def _follow(self, name: str) -> None:
        """Take a setting's value, and leave its origin as it is."""
        with self._values_from(self.settings.origin(name)):
            self.set_trait(name, self.settings[name])

    @contextmanager
    def _values_from(self, origin: str) -> Iterator[None]:
        before, self._source = self._source, origin
        try:
            yield
        finally:
            self._source = before


def _check(
    owner: SettingsTraits, name: str, value: object, *, now: bool = False
) -> object:
    try:
        checked = owner.settings.checked(name, value)
        if now:
            owner.check_now(name, checked)
        return checked
    except ConfigurationError as error:
        raise TraitError(f"{type(owner).__name__}.{name}: {error}") from error


def _refuse_list_changes(owner: str, config: Mapping[str, Any]) -> None:
    """Refuse ``c.H2OMagics.stop.append(...)``: traitlets would ignore it silently."""
    for name, value in config.get(owner, {}).items():
        if isinstance(value, LazyConfigValue) and value.to_dict():
            raise TraitError(
                f"{owner}.{name}: expected a value, got items to add to a list: "
                f"use `c.{owner}.{name} = [...]`"
            )
