"""What a setting is: its name and help, and its values as Python and as text."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from typing import NamedTuple

from h2o_magic.config.parameter import Value

#: What the names of this package's environment variables begin with.
PREFIX = "H2O_MAGIC_"

_SWITCHES = {
    **dict.fromkeys(("true", "1", "yes", "on"), True),
    **dict.fromkeys(("false", "0", "no", "off"), False),
}


class Setting(NamedTuple):  # sooner made than a dataclass: `%load_ext` waits
    """One setting.

    Attributes
    ----------
    name : str
        The name in Python and in ``%config``.
    kind : type
        ``str``, ``bool``, ``int``, ``float``, ``tuple`` for a list of texts, or
        ``dict`` for a JSON object.
    help : str
        One sentence for the reader of a help.
    default : Value or None
        What holds where nothing is set.
    rule : callable
        Returns a value that is not None as it is kept, or raises
        ``ConfigurationError``.
    unit : str
        What a number counts; empty for a plain number.
    option : str
        ``--max-turns``; empty if it cannot be given for one question.
    metavar : str
        What a help calls its value; empty for a switch.
    optional : bool
        True if None is a value of it. For a generation parameter that means: not
        sent, the server decides.
    choices : tuple of str
        The only values, where they can be listed.
    """

    name: str
    kind: type
    help: str
    default: Value | None
    rule: Callable[[object], Value]
    unit: str = ""
    option: str = ""
    metavar: str = ""
    optional: bool = False
    choices: tuple[str, ...] = ()

    @property
    def variable(self) -> str:
        """The environment's spelling: ``H2O_MAGIC_MAX_TURNS``."""
        return PREFIX + self.name.upper()

    @property
    def nothing(self) -> str:
        """How None is written: ``none``, or nothing where that is a value."""
        return "" if "none" in self.choices else "none"

    def check(self, value: object) -> Value | None:
        """Return `value` as a plain Python value of this setting's kind.

        Raises
        ------
        ConfigurationError
            If it is refused; ``ParameterError`` for numbers, switches and lists.
        """
        return None if value is None and self.optional else self.rule(value)

    def parse(self, text: str) -> Value | None:
        """Return the value that `text` of a command line or a variable stands for.

        Switches are read from true, false, yes, no, on, off, 1 and 0; None is written
        as :attr:`nothing` says; a list is a JSON list of texts, and any other text is
        its only one; an object is JSON.

        Raises
        ------
        ConfigurationError
            As :meth:`check` does.
        """
        if self.optional and text.strip().lower() == self.nothing:
            return None
        return self.check(_read(self.kind, text))

    def write(self, value: Value | None) -> str:
        """Return `value` as the text that :meth:`parse` reads."""
        if value is None:
            return self.nothing
        if isinstance(value, tuple | Mapping):
            return json.dumps(value, ensure_ascii=False)
        return str(value).lower() if isinstance(value, bool) else str(value)


def _read(kind: type, text: str) -> object:
    """Return what `text` stands for, or the text itself where it is of no such kind."""
    if kind is bool:
        return _SWITCHES.get(text.strip().lower(), text)
    if kind is tuple:
        return _texts(text)
    try:
        return json.loads(text) if kind is dict else kind(text)
    except (ValueError, RecursionError):
        return text


def _texts(text: str) -> list[str]:
    try:
        found = json.loads(text)
    except (ValueError, RecursionError):
        return [text]
    # `[1]` may be a text to stop at, as `[INST]` is: it is no list of texts.
    listed = isinstance(found, list) and all(isinstance(word, str) for word in found)
    return found if listed else [text]
