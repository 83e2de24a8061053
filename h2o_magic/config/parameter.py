"""A generation parameter: a row of the table, and the check of its values."""

from __future__ import annotations

import json
import math
import reprlib
from collections.abc import Mapping
from numbers import Integral, Real
from typing import Any, NamedTuple, TypeAlias

from h2o_magic.errors import ParameterError, did_you_mean

#: The largest number of tokens or turns, and the rule for such a number.
LARGEST = 2**31 - 1
COUNT = "must be a whole number above 0"

Value: TypeAlias = float | int | bool | str | tuple[str, ...] | Mapping[str, Any]


class Parameter(NamedTuple):  # created faster than a dataclass: `%load_ext` waits
    """One generation parameter.

    Attributes
    ----------
    name : str
        The name in Python and in settings; its option is the same with dashes.
    kind : type
        ``float``, ``int``, ``bool``, ``str``, ``tuple`` (texts) or ``dict`` (a JSON
        object).
    help : str
        One sentence.
    rule : str
        The accepted values in words: ``must be a number above 0``.
    gptgm, openai, engine, gguf : str
        Its name in the gpt-gm protocol, in the OpenAI API, in llama.cpp's sampler (the
        local server's engine) and below ``general.sampling`` in a model's file; empty
        where there is none.
    servers : mapping
        Its field at servers that deviate from the OpenAI API, by their flavour.
    sampling : bool
        True if it has no effect where the most likely token is always taken.
    service_default : Value or None
        What the gpt-gm dialect sends if it is not set; None for nothing.
    above, below : float or None
        Exclusive bounds of a number.
    least : float or None
        The smallest number.
    most : int or None
        The largest number, or the length of the longest list.
    unit : str
        What a number counts; may be empty.
    choices : tuple of str
        The accepted texts.
    gptgm_only : bool
        True if only `create_completion` accepts it.
    """

    name: str
    kind: type
    help: str
    rule: str
    gptgm: str = ""
    openai: str = ""
    servers: Mapping[str, str] = {}
    engine: str = ""
    gguf: str = ""
    sampling: bool = False
    service_default: Value | None = None
    above: float | None = None
    below: float | None = None
    least: float | None = None
    most: int | None = None
    unit: str = ""
    choices: tuple[str, ...] = ()
    gptgm_only: bool = False

    @property
    def option(self) -> str:
        """The option for it: ``--max-new-tokens``."""
        return "--" + self.name.replace("_", "-")

    def field(self, flavour: str) -> str:
        """Return its field in a request to an OpenAI-compatible server; may be empty.

        The flavours are those of :mod:`h2o_magic.backends.openai.flavour`.
        """
        return self.servers.get(flavour, self.openai)

    def check(self, value: object) -> Value:
        """Return `value` as a plain Python value of this parameter's kind.

        NumPy scalars are converted; a bool or a text is not accepted as a number. A
        JSON object is copied.

        Raises
        ------
        ParameterError
            If the type is wrong, or a number is not finite or out of range.
        """
        checked = self._convert(value)
        if checked is None or not self._in_range(checked):
            rule, hint = self.rule, ""
            if rule == COUNT and isinstance(checked, int) and checked > LARGEST:
                rule = f"must be at most {LARGEST}"
            if self.choices:
                hint = f": {did_you_mean(str(value), self.choices)}"
            raise ParameterError(
                f"`{self.name}` {rule}, got {reprlib.repr(value)}{hint}"
            )
        return checked

    def _convert(self, value: object) -> Value | None:
        if self.kind in (bool, str):
            return value if isinstance(value, self.kind) else None
        if self.kind is tuple:
            return _texts(value)
        if self.kind is dict:
            return _json_object(value)
        if isinstance(value, bool):
            return None
        if self.kind is int:
            return int(value) if isinstance(value, Integral) else None
        return _finite(value) if isinstance(value, Real) else None

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


def _finite(value: Real) -> float | None:
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
    if isinstance(value, str):
        value = (value,)
    if not isinstance(value, list | tuple):
        return None
    if not all(isinstance(text, str) and text for text in value):
        return None
    return tuple(value)
