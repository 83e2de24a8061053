"""A setting or generation parameter: a row of a table, and its values checked."""

from __future__ import annotations

import json
import math
import reprlib
from collections.abc import Callable, Mapping
from contextlib import suppress
from numbers import Integral, Real
from typing import Any, NamedTuple, TypeAlias

from h2o_magic.errors import ParameterError, did_you_mean, nearest

#: Prefix of this package's environment variables.
PREFIX = "H2O_MAGIC_"
#: The largest number of tokens or turns, and the rule for such a number.
LARGEST = 2**31 - 1
COUNT = "must be a whole number above 0"

_METAVARS = {int: "N", float: "X", tuple: "TEXT", bool: "", dict: "JSON", str: "TEXT"}
BOOLEANS = {
    **dict.fromkeys(("true", "1", "yes", "on"), True),
    **dict.fromkeys(("false", "0", "no", "off"), False),
}

Value: TypeAlias = float | int | bool | str | tuple[str, ...] | Mapping[str, Any]


class Parameter(NamedTuple):  # created faster than a dataclass: `%load_ext` waits
    """A setting or generation parameter. A name that is empty does not exist there."""

    name: str  # in Python, in `%config` and of its option
    kind: type  # float, int, bool, str, tuple (texts) or dict (a JSON object)
    help: str  # one sentence
    rule: str  # the accepted values in words: `must be a number above 0`
    label: str = ""  # its name in words, if not the name itself
    default: Value | None = None  # where nothing is set
    optional: bool = True  # accepts None; for a generation parameter: not sent
    above: float | None = None  # exclusive bounds of a number
    below: float | None = None
    least: float | None = None  # inclusive bounds of a number
    most: float | None = None  # also of the length of a list
    slider_to: float | None = None  # the end of a slider, where there is no bound
    unit: str = ""  # what a number counts
    choices: tuple[str, ...] = ()  # the accepted texts, where they can be listed
    #: Returns the stored value, or raises ConfigurationError; replaces kind and range.
    convert: Callable[[object], Value] | None = None
    #: Returns the value after a new one was set: what that leaves open stays as it was.
    merge: Callable[[Any, Any], Value] = lambda _before, new: new
    #: What counts if the environment has an invalid value; None for what would without.
    if_invalid: Value | None = None
    option_name: str | None = None  # if not the name with dashes; empty: no option
    value_name: str | None = None  # what a help text calls its value
    gptgm: str = ""  # its name in the gpt-gm protocol
    openai: str = ""  # in the OpenAI API
    engine: str = ""  # in llama.cpp's sampler
    gguf: str = ""  # below `general.sampling` in a model's file
    servers: Mapping[str, str] = {}  # at servers that deviate from the OpenAI API
    sampling: bool = False  # no effect where the most likely token is always taken
    service_default: Value | None = None  # what gpt-gm is sent if it is not set
    gptgm_only: bool = False  # only `create_completion` accepts it

    @property
    def title(self) -> str:
        """What a form calls it: ``Creativity (temperature)``."""
        words = self.name.replace("_", " ")
        if not self.label:
            return words.capitalize()
        same = words in self.label.lower()
        return self.label if same else f"{self.label} ({self.name})"

    @property
    def option(self) -> str:
        """Such as ``--max-new-tokens``; empty if it cannot be set for one question."""
        dashed = "--" + self.name.replace("_", "-")
        return dashed if self.option_name is None else self.option_name

    @property
    def metavar(self) -> str:
        """What a help text calls its value; empty for a switch."""
        return self.value_name or "|".join(self.choices) or _METAVARS[self.kind]

    @property
    def variable(self) -> str:
        return PREFIX + self.name.upper()

    @property
    def nothing(self) -> str:
        """None as text: ``none``, or an empty text where that is a choice."""
        return "" if "none" in self.choices else "none"

    def field(self, flavour: str) -> str:
        """Return its field at a server of an OpenAI flavour; may be empty."""
        return self.servers.get(flavour, self.openai)

    def check(self, value: object) -> Value | None:
        """Return `value` as a plain Python value of this parameter's kind.

        NumPy scalars are converted; a bool or a text is not accepted as a number.
        Raises ConfigurationError, ``ParameterError`` for all but free text.
        """
        if value is None and self.optional:
            return None
        if self.convert is not None:
            return self.convert(value)
        checked = _CONVERT[self.kind](value)
        if checked is None or not self._in_range(checked):
            rule, hint = self.rule, ""
            if rule == COUNT and isinstance(checked, int) and checked > LARGEST:
                rule = f"must be at most {LARGEST}"
            if self.choices and nearest(str(value), self.choices):
                hint = f": {did_you_mean(str(value), self.choices)}"
            raise ParameterError(
                f"`{self.name}` {rule}, got {reprlib.repr(value)}{hint}"
            )
        return checked

    def _in_range(self, value: Value) -> bool:
        if isinstance(value, tuple):
            return self.most is None or len(value) <= self.most
        if isinstance(value, str):
            return value in self.choices
        if isinstance(value, bool | Mapping):
            return True
        return (
            (self.above is None or value > self.above)
            and (self.below is None or value < self.below)
            and (self.least is None or value >= self.least)
            and (self.most is None or value <= self.most)
        )

    def parse(self, text: str) -> Value | None:
        """Return the value of a text from a command line or a variable, checked.

        Booleans are true, false, yes, no, on, off, 1 and 0; None is :attr:`nothing`; a
        list is a JSON list of texts, or a single text; an object is JSON.
        """
        if self.optional and text.strip().lower() == self.nothing:
            return None
        if self.kind is bool:
            return self.check(BOOLEANS.get(text.strip().lower(), text))
        value: object = text
        with suppress(ValueError, RecursionError):
            value = json.loads(text) if self.kind in (dict, tuple) else self.kind(text)
        if self.kind is tuple:
            # `[1]` may be a text to stop at, as `[INST]` is: it is not a list of texts.
            texts = isinstance(value, list) and all(isinstance(t, str) for t in value)
            value = value if texts else [text]
        return self.check(value)

    def write(self, value: Value | None) -> str:
        """Return `value` as the text that :meth:`parse` reads."""
        if value is None:
            return self.nothing
        if isinstance(value, tuple | Mapping):
            return json.dumps(value, ensure_ascii=False)
        return str(value).lower() if isinstance(value, bool) else str(value)


def _int(value: object) -> int | None:
    if isinstance(value, bool) or not isinstance(value, Integral):
        return None
    return int(value)


def _float(value: object) -> float | None:
    if isinstance(value, bool) or not isinstance(value, Real):
        return None
    try:
        number = float(value)
    except OverflowError:  # a whole number past the largest float
        return None
    return number if math.isfinite(number) else None


def _json_object(value: object) -> dict[str, Any] | None:
    if not isinstance(value, Mapping) or not all(isinstance(k, str) for k in value):
        return None
    try:
        text = json.dumps(dict(value), allow_nan=False, ensure_ascii=False)
        text.encode()  # half a character cannot be sent
        return dict(json.loads(text))
    except (TypeError, ValueError, RecursionError):
        return None


def _texts(value: object) -> tuple[str, ...] | None:
    texts = (value,) if isinstance(value, str) else value
    if not isinstance(texts, list | tuple):
        return None
    return tuple(texts) if all(isinstance(t, str) and t for t in texts) else None


_CONVERT: Mapping[type, Callable[[object], Value | None]] = {
    int: _int,
    float: _float,
    tuple: _texts,
    dict: _json_object,
    bool: lambda value: value if isinstance(value, bool) else None,
    str: lambda value: value if isinstance(value, str) else None,
}
