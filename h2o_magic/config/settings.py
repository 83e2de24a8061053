"""The settings in force, each with where its value came from.

An option of a question comes before ``%config``, that before the environment, that
before the default.

Pure: the environment is read from the mapping that the caller gives.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping

from h2o_magic.config.definitions import SETTINGS
from h2o_magic.config.parameter import Value
from h2o_magic.config.parameters import CHAT_PARAMETERS, PARAMETERS
from h2o_magic.config.setting import PREFIX, Setting
from h2o_magic.errors import ConfigurationError, did_you_mean

#: Variables of this package that are no setting's: folders, and what tests need.
_OTHER_VARIABLES = {
    f"{PREFIX}HOME",
    f"{PREFIX}REQUIRE_BROWSER",
    f"{PREFIX}REQUIRE_WEIGHTS",
}

_DEFAULT = "default"
#: Who set a value, for a reader; other origins are words already.
_WORDS = {
    "%config": "you, by %config",
    "Python": "you, from Python",
    "panel": "you, in the panel",
    "connect": "you, by %h2o connect",
}


class Settings:
    """The settings in force, each with where it came from.

    Parameters
    ----------
    environ
        The environment's variables, as ``os.environ`` has them; None for none. An
        empty variable counts as not set.

    Attributes
    ----------
    problems : tuple of str
        One line for each variable whose value is refused; its setting has the default.
    unknown : tuple of str
        One line for each ``H2O_MAGIC_`` variable that belongs to no setting.
    """

    def __init__(self, environ: Mapping[str, str] | None = None) -> None:
        environ = {} if environ is None else environ
        self._base: dict[str, tuple[Value | None, str]] = {}
        self._set: dict[str, tuple[Value | None, str]] = {}
        self._watchers: list[Callable[[str], None]] = []
        self.problems = tuple(self._read_environment(environ))
        self.unknown = tuple(_unknown_variables(environ))

    def __getitem__(self, name: str) -> Value | None:
        return self._in_force(name)[0]

    def origin(self, name: str) -> str:
        """Return where a value came from.

        ``default``, the variable's name, or what :meth:`set` was told.
        """
        return self._in_force(name)[1]

    def chosen(self, name: str) -> bool:
        """Return whether somebody set it, be it in the environment."""
        return self.origin(name) != _DEFAULT

    def set(self, name: str, value: object, origin: str = "Python") -> None:
        """Set one setting; `origin` says where the value came from.

        Raises
        ------
        ConfigurationError
            If there is no such setting (the message names the nearest), or its value
            is refused.
        """
        new = (find_setting(name).check(value), origin)
        before = self._in_force(name)
        if new != before:
            self._set[name] = new
            self._tell(name, before[0])

    def unset(self, name: str) -> None:
        """Go back to the environment's value, or to the default.

        Raises
        ------
        ConfigurationError
            If there is no such setting.
        """
        before = self[name]
        self._set.pop(name, None)
        self._tell(name, before)

    def parameters(self) -> dict[str, Value | None]:
        """Return the generation parameters; None for one that is not to be sent."""
        return {name: self[name] for name in CHAT_PARAMETERS}

    def merged(self, options: Mapping[str, object]) -> dict[str, Value | None]:
        """Return all settings, with what is given for one question over them.

        Raises
        ------
        ConfigurationError
            If an option is unknown, is none of a single question, or is refused.
        """
        for name in options:
            of_a_question(name)
        return self.merged_all(options)

    def merged_all(self, values: Mapping[str, object]) -> dict[str, Value | None]:
        """Return all settings, with checked `values` of any of them over them."""
        checked = {
            name: find_setting(name).check(value) for name, value in values.items()
        }
        return {name: self[name] for name in SETTINGS} | checked

    def watch(self, callback: Callable[[str], None]) -> None:
        """Call `callback` with a setting's name each time its value has changed."""
        self._watchers.append(callback)

    def unwatch(self, callback: Callable[[str], None]) -> None:
        """Call `callback` no more."""
        self._watchers.remove(callback)

    def _in_force(self, name: str) -> tuple[Value | None, str]:
        setting = find_setting(name)
        default = (setting.default, _DEFAULT)
        return self._set.get(name) or self._base.get(name) or default

    def _tell(self, name: str, before: Value | None) -> None:
        if self[name] != before:
            for callback in tuple(self._watchers):
                callback(name)

    def _read_environment(self, environ: Mapping[str, str]) -> Iterator[str]:
        """Take the values of variables, and yield what is wrong with some."""
        for name, setting in SETTINGS.items():
            text = environ.get(setting.variable)
            if not text:
                continue
            try:
                self._base[name] = (setting.parse(text), setting.variable)
            except ConfigurationError as error:
                yield f"{setting.variable} is ignored: {error}"


def origin_in_words(origin: str) -> str:
    """Return where a value comes from, as :meth:`Settings.origin` tells it."""
    return _WORDS.get(origin, origin)


def find_setting(name: str) -> Setting:
    """Return the setting with the name `name`.

    Raises
    ------
    ConfigurationError
        If there is none; the message names the nearest.
    """
    try:
        return SETTINGS[name]
    except KeyError:
        pass
    if name in PARAMETERS:
        raise ConfigurationError(_gptgm_only(name))
    raise ConfigurationError(
        f"unknown setting {name!r}: {did_you_mean(name, SETTINGS)}"
    )


def _gptgm_only(name: str) -> str:
    return (
        f"`{name}` belongs to the gpt-gm protocol and is not a setting: "
        f"`h2o_magic.create_completion(..., {name}=...)` takes it"
    )


def of_a_question(name: str) -> Setting:
    """Return the setting with the name `name`, if one question can be given it.

    Raises
    ------
    ConfigurationError
        If there is none, or it can only be set for the notebook.
    """
    setting = find_setting(name)
    if not setting.option:
        raise ConfigurationError(
            f"`{name}` holds for the notebook, not for one question: "
            f"set it with `%config H2OMagics.{name}` or {setting.variable}"
        )
    return setting


def _unknown_variables(environ: Mapping[str, str]) -> Iterator[str]:
    known = _OTHER_VARIABLES | {setting.variable for setting in SETTINGS.values()}
    for variable in environ:
        if variable.startswith(PREFIX) and variable not in known:
            # Only what follows the prefix is compared: that all have in common.
            name = variable.removeprefix(PREFIX).lower()
            if name in PARAMETERS:
                yield f"{variable} has no effect: {_gptgm_only(name)}"
                continue
            meant = did_you_mean(name, SETTINGS)
            yield f"{variable} belongs to no setting ({name!r}: {meant})"
