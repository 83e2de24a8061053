"""The current value of each setting, and where it comes from.

An option of a question overrides ``%config``, which overrides the environment, which
overrides the default. The environment is a mapping that the caller gives.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping

from h2o_magic.config.definitions import SETTINGS
from h2o_magic.config.parameter import PREFIX, Parameter, Value
from h2o_magic.config.parameters import CHAT_PARAMETERS, PARAMETERS
from h2o_magic.errors import ConfigurationError, did_you_mean

#: Variables of this package that are not settings: the folder, and those of tests.
_OTHER_VARIABLES = {
    f"{PREFIX}{name}"
    for name in (
        "HOME",
        "REQUIRE_BROWSER",
        "REQUIRE_NODE",
        "REQUIRE_RAY",
        "REQUIRE_WEIGHTS",
    )
}
_DEFAULT = "default"
#: The origin of a value from IPython's configuration.
FILE = "ipython_config.py"


class Settings:
    """The current value of each setting, and where it comes from.

    `environ` are the environment variables; an empty one counts as not set. `problems`
    has a line for each one with an invalid value, which is ignored, and `unknown` for
    each ``H2O_MAGIC_`` variable that is not a setting. Every method that takes a name
    raises ConfigurationError for an unknown one, and suggests the nearest.
    """

    def __init__(self, environ: Mapping[str, str] | None = None) -> None:
        environ = {} if environ is None else environ
        self._initial = {n: (s.default, _DEFAULT) for n, s in SETTINGS.items()}
        self.problems = tuple(self._read_environment(environ))
        self.unknown = tuple(_unknown_variables(environ))
        self._current = dict(self._initial)
        self._watchers: list[Callable[[str], None]] = []

    def __getitem__(self, name: str) -> Value | None:
        if name not in self._current:
            raise unknown_setting(name)
        return self._current[name][0]

    def origin(self, name: str) -> str:
        """Return ``default``, the variable's name, or the origin given to `set`."""
        find_setting(name)
        return self._current[name][1]

    def is_set(self, name: str) -> bool:
        return self.origin(name) != _DEFAULT

    def is_chosen(self, name: str) -> bool:
        """Return whether it was set in this kernel, not by its environment or files."""
        return self.origin(name) not in (_DEFAULT, FILE, find_setting(name).variable)

    def set(self, name: str, value: object, origin: str = "Python") -> None:
        """Set one setting, or raise ConfigurationError if the value is refused."""
        self._change(name, (self.checked(name, value), origin))

    def checked(self, name: str, value: object) -> Value | None:
        """Return what a setting would be if `value` were set; raises as `set` does."""
        return self._merged(find_setting(name), value)

    def unset(self, name: str) -> None:
        """Go back to the environment's value, or to the default."""
        find_setting(name)
        self._change(name, self._initial[name])

    def parameters(self) -> dict[str, Value | None]:
        """Return the generation parameters; None for one that is not sent."""
        return {name: self[name] for name in CHAT_PARAMETERS}

    def merged(self, options: Mapping[str, object]) -> dict[str, Value | None]:
        """Return all settings, overridden by the options of one question.

        ConfigurationError if one is refused, or can only be set for the notebook.
        """
        checked = {n: self._merged(find_option(n), v) for n, v in options.items()}
        return {name: value for name, (value, _) in self._current.items()} | checked

    def copy(self) -> Settings:
        """Return settings with the same values, whose changes do not change these."""
        settings = Settings()
        settings._initial, settings._current = self._initial, dict(self._current)
        return settings

    def watch(self, callback: Callable[[str], None]) -> None:
        """Call `callback` with a setting's name each time its value has changed."""
        self._watchers.append(callback)

    def unwatch(self, callback: Callable[[str], None]) -> None:
        self._watchers.remove(callback)

    def _merged(self, setting: Parameter, value: object) -> Value | None:
        checked, (before, _) = setting.check(value), self._current[setting.name]
        return checked if checked is None else setting.merge(before, checked)

    def _change(self, name: str, new: tuple[Value | None, str]) -> None:
        before, _ = self._current[name]
        self._current[name] = new
        if new[0] != before:
            for callback in tuple(self._watchers):
                callback(name)

    def _read_environment(self, environ: Mapping[str, str]) -> Iterator[str]:
        for name, setting in SETTINGS.items():
            variable = setting.variable
            try:
                if text := environ.get(variable):
                    value = setting.merge(setting.default, setting.parse(text))
                    self._initial[name] = (value, variable)
            except ConfigurationError as error:
                instead = "ignored"
                if setting.if_invalid is not None:
                    self._initial[name] = (setting.if_invalid, variable)
                    instead = f"taken for '{setting.if_invalid}'"
                yield f"{variable} is {instead}: {error}"


def find_setting(name: str) -> Parameter:
    if name not in SETTINGS:
        raise unknown_setting(name)
    return SETTINGS[name]


def find_option(name: str) -> Parameter:
    """Return a setting, or raise ConfigurationError if it is for the notebook only."""
    setting = find_setting(name)
    if not setting.option:
        raise ConfigurationError(
            f"`{name}` applies to the notebook, not to one question: "
            f"set it with `%config H2OMagics.{name}` or {setting.variable}"
        )
    return setting


def unknown_setting(name: str) -> ConfigurationError:
    if name in PARAMETERS:
        return ConfigurationError(_gptgm_only(name))
    hint = did_you_mean(name, SETTINGS)
    return ConfigurationError(f"unknown setting {name!r}: {hint}")


def _gptgm_only(name: str) -> str:
    return (
        f"`{name}` belongs to the gpt-gm protocol and is not a setting: "
        f"`h2o_magic.create_completion(..., {name}=...)` accepts it"
    )


def _unknown_variables(environ: Mapping[str, str]) -> Iterator[str]:
    known = _OTHER_VARIABLES | {setting.variable for setting in SETTINGS.values()}
    for variable in environ:
        if variable.startswith(PREFIX) and variable not in known:
            # Only what follows the prefix is compared, which they all share.
            name = variable.removeprefix(PREFIX).lower()
            if name in PARAMETERS:
                yield f"{variable} has no effect: {_gptgm_only(name)}"
            else:
                hint = did_you_mean(name, SETTINGS)
                yield f"{variable} is not a setting ({name!r}: {hint})"
