"""The table of generation parameters, and the checks made from it.

This is the only place where a parameter's name, type, range, default and help stand.
The magic's options, the panel's controls, the request body, the server's checks and
the documentation are all made from it. Ranges and their wording follow
text-generation-inference 0.9, the engine of the gpt-gm service; defaults follow the
original gpt-gm client.
"""

from __future__ import annotations

import math
import reprlib
from collections.abc import Mapping
from numbers import Integral, Real
from typing import NamedTuple, TypeAlias

from h2o_magic.errors import ParameterError
from h2o_magic.nearest import did_you_mean

__all__ = ["PARAMETERS", "Parameter", "Value", "resolve"]

Value: TypeAlias = float | int | bool | str | tuple[str, ...]


class Parameter(NamedTuple):  # made in a fifth of a dataclass's time: `%load_ext` waits
    """One generation parameter.

    Attributes
    ----------
    name : str
        The name on the wire and in Python; its option is the same with dashes.
    kind : type
        ``float``, ``int``, ``bool``, or ``tuple`` for a list of texts.
    help : str
        One sentence for the reader of ``--help``.
    rule : str
        The range in words, as a server says it: ``must be strictly positive``.
    default : Value or None
        None means: not sent, the server decides.
    above, below : float or None
        Exclusive bounds of a number.
    most : int or None
        The largest allowed integer, or the longest allowed list.
    unit : str
        What a number counts; empty for a plain number.
    """

    name: str
    kind: type
    help: str
    rule: str
    default: Value | None = None
    above: float | None = None
    below: float | None = None
    most: int | None = None
    unit: str = ""

    @property
    def option(self) -> str:
        """The command line's spelling: ``--max-new-tokens``."""
        return "--" + self.name.replace("_", "-")

    def check(self, value: object) -> Value:
        """Return `value` as a plain Python value of this parameter's kind.

        Numbers of other libraries (NumPy scalars) are converted; a bool is not taken
        for a number, nor a text for one.

        Raises
        ------
        ParameterError
            If the type is wrong, a number is not finite, or the range is left.
        """
        checked = self._convert(value)
        if checked is None or not self._in_range(checked):
            rule = self.rule
            if rule == _COUNT and isinstance(checked, int) and checked > _LARGEST:
                rule = f"must be at most {_LARGEST}"
            raise ParameterError(f"`{self.name}` {rule}, got {reprlib.repr(value)}")
        return checked

    def parse(self, text: str) -> Value:
        """Return the value that `text` of a command line stands for.

        Raises
        ------
        ParameterError
            As :meth:`check` does.
        """
        try:
            value: object = self.kind(text) if self.kind in (int, float) else text
        except ValueError:
            value = text
        return self.check(value)

    def _convert(self, value: object) -> Value | None:
        if self.kind is bool:
            return value if isinstance(value, bool) else None
        if self.kind is tuple:
            return _texts(value)
        if isinstance(value, bool):
            return None
        if self.kind is int:
            return int(value) if isinstance(value, Integral) else None
        return _finite(value) if isinstance(value, Real) else None

    def _in_range(self, value: Value) -> bool:
        if isinstance(value, tuple):
            return self.most is None or len(value) <= self.most
        if isinstance(value, bool | str):
            return True
        return (
            (self.above is None or value > self.above)
            and (self.below is None or value < self.below)
            and (self.most is None or value <= self.most)
        )


def _finite(value: Real) -> float | None:
    try:
        number = float(value)
    except OverflowError:  # a whole number past the largest float
        return None
    return number if math.isfinite(number) else None


def _texts(value: object) -> tuple[str, ...] | None:
    if isinstance(value, str):
        value = (value,)
    if not isinstance(value, list | tuple):
        return None
    if not all(isinstance(text, str) and text for text in value):
        return None
    return tuple(value)


_POSITIVE = "must be a number above 0"
_LARGEST = 2**31 - 1
_COUNT = "must be a whole number above 0"
_FRACTION = "must be > 0.0 and < 1.0"

_TABLE = (
    Parameter(
        "temperature",
        float,
        "How varied the wording is: low is focused, high is free.",
        _POSITIVE + " (for the most likely words only, turn `do_sample` off)",
        default=0.4,
        above=0,
    ),
    Parameter(
        "top_p",
        float,
        "Sample from the fewest tokens whose probabilities add up to this.",
        _FRACTION,
        above=0,
        below=1,
    ),
    Parameter(
        "top_k",
        int,
        "Sample from this many of the most likely tokens.",
        _COUNT,
        above=0,
        most=_LARGEST,
        unit="tokens",
    ),
    Parameter(
        "typical_p",
        float,
        "Sample from the tokens nearest the expected surprise, up to this probability.",
        _FRACTION,
        above=0,
        below=1,
    ),
    Parameter(
        "repetition_penalty",
        float,
        "Make words that were just used less likely; 1.0 is off.",
        _POSITIVE,
        default=1.2,
        above=0,
    ),
    Parameter(
        "max_new_tokens",
        int,
        "The longest answer.",
        _COUNT,
        default=1024,
        above=0,
        most=_LARGEST,
        unit="tokens",
    ),
    Parameter(
        "truncate",
        int,
        "Read at most this much of the input, keeping its end.",
        _COUNT,
        default=2048,
        above=0,
        most=_LARGEST,
        unit="tokens",
    ),
    Parameter(
        "do_sample",
        bool,
        "Sample; off takes the most likely token each time.",
        "must be true or false",
        default=True,
    ),
    Parameter(
        "seed",
        int,
        "Repeat a sampled answer: the same seed gives the same text.",
        f"must be a whole number from 0 to {2**32 - 2}",
        above=-1,
        most=2**32 - 2,
    ),
    Parameter(
        "stop",
        tuple,
        "End the answer where this text appears (up to 4 times).",
        "must be at most 4 texts, none of them empty",
        most=4,
    ),
    Parameter(
        "return_full_text",
        bool,
        "Put the prompt, as the model saw it, before the answer.",
        "must be true or false",
        default=False,
    ),
)

#: All generation parameters by name, in the order in which they are shown.
PARAMETERS: Mapping[str, Parameter] = {p.name: p for p in _TABLE}


def resolve(given: Mapping[str, object]) -> dict[str, Value]:
    """Check given parameters and complete them with the defaults.

    Parameters
    ----------
    given
        Values by parameter name. None leaves a parameter out, also one that has a
        default, so that the server's own default holds.

    Returns
    -------
    dict
        Every parameter that is to be sent, by name, in the table's order.

    Raises
    ------
    ParameterError
        If a name is unknown (the message names the nearest) or a value is refused.
    """
    for name in given:
        if name not in PARAMETERS:
            raise ParameterError(
                f"unknown parameter {name!r}: {did_you_mean(name, PARAMETERS)}"
            )
    resolved = {}
    for parameter in PARAMETERS.values():
        value = given.get(parameter.name, parameter.default)
        if value is not None:
            resolved[parameter.name] = parameter.check(value)
    return resolved
