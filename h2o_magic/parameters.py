"""The table of generation parameters, and the checks made from it.

This is the only place where a parameter's name, type, range and help stand. The magic's
options, the panel's controls, the request body, the server's checks and the
documentation are all made from it. Ranges and their wording follow
text-generation-inference 0.9, the engine of the gpt-gm service.

A parameter that nobody set is not sent: the model's own value counts. Only the gpt-gm
dialect has documented defaults, those of its original client.
"""

from __future__ import annotations

import math
import reprlib
from collections.abc import Mapping
from numbers import Integral, Real
from typing import NamedTuple, TypeAlias

from h2o_magic.errors import ParameterError
from h2o_magic.nearest import did_you_mean

__all__ = [
    "CHAT_PARAMETERS",
    "DEFAULT_LENGTH",
    "PARAMETERS",
    "Parameter",
    "Value",
    "checked",
    "resolve",
    "set_before",
]

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
    service_default : Value or None
        What the gpt-gm dialect sends where nobody set it; None for nothing.
    above, below : float or None
        Exclusive bounds of a number.
    least : float or None
        The smallest allowed number.
    most : int or None
        The largest allowed number, or the longest allowed list.
    unit : str
        What a number counts; empty for a plain number.
    gptgm_only : bool
        True if only `create_completion` takes it: no other dialect has it.
    """

    name: str
    kind: type
    help: str
    rule: str
    service_default: Value | None = None
    above: float | None = None
    below: float | None = None
    least: float | None = None
    most: int | None = None
    unit: str = ""
    gptgm_only: bool = False

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
            and (self.least is None or value >= self.least)
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
#: The length of an answer, in tokens, for which nobody set one: that of the gpt-gm
#: service, and of the local server, whose small models repeat themselves.
DEFAULT_LENGTH = 1024
_FRACTION = "must be > 0.0 and < 1.0"

_TABLE = (
    Parameter(
        "temperature",
        float,
        "How varied the wording is: low is focused, high is free.",
        "must be a number, 0 or above (0 takes the most likely word each time)",
        service_default=0.4,
        least=0,
    ),
    Parameter(
        "top_p",
        float,
        "Sample from the fewest tokens whose probabilities add up to this; 1.0 is off.",
        "must be > 0.0 and <= 1.0",
        above=0,
        most=1,
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
        service_default=1.2,
        above=0,
    ),
    Parameter(
        "max_new_tokens",
        int,
        "The longest answer.",
        _COUNT,
        service_default=DEFAULT_LENGTH,
        above=0,
        most=_LARGEST,
        unit="tokens",
    ),
    Parameter(
        "truncate",
        int,
        "Read at most this much of the input, keeping its end.",
        _COUNT,
        service_default=2048,
        above=0,
        most=_LARGEST,
        unit="tokens",
        gptgm_only=True,
    ),
    Parameter(
        "do_sample",
        bool,
        "Sample; off takes the most likely token each time.",
        "must be true or false",
        service_default=True,
    ),
    Parameter(
        "seed",
        int,
        "Repeat a sampled answer: the same seed gives the same text.",
        f"must be a whole number from 0 to {2**32 - 2}",
        least=0,
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
        service_default=False,
        gptgm_only=True,
    ),
)

#: All generation parameters by name, in the order in which they are shown.
PARAMETERS: Mapping[str, Parameter] = {p.name: p for p in _TABLE}

#: Those that a question of a conversation can be given, whatever server answers.
CHAT_PARAMETERS: Mapping[str, Parameter] = {
    p.name: p for p in _TABLE if not p.gptgm_only
}

#: What has no meaning where the most likely token is taken each time.
_OF_SAMPLING = ("temperature", "top_p", "top_k", "typical_p")


def checked(given: Mapping[str, object]) -> dict[str, Value]:
    """Return the parameters that were set, checked, in the table's order.

    Parameters
    ----------
    given
        Values by parameter name; None leaves a parameter out.

    Raises
    ------
    ParameterError
        If a name is unknown (the message names the nearest), a value is refused, or
        `do_sample` contradicts a temperature of 0.
    """
    for name in given:
        if name not in PARAMETERS:
            raise ParameterError(
                f"unknown parameter {name!r}: {did_you_mean(name, PARAMETERS)}"
            )
    values = {
        parameter.name: parameter.check(given[parameter.name])
        for parameter in PARAMETERS.values()
        if given.get(parameter.name) is not None
    }
    if values.get("temperature") == 0 and values.get("do_sample") is True:
        raise ParameterError(
            "`temperature` 0 takes the most likely token each time, and `do_sample` "
            "true wants another: leave one of them out"
        )
    return values


def set_before(kept: Mapping[str, object]) -> dict[str, object]:
    """Return what somebody had set of the parameters that were kept with a question.

    Versions up to 0.4 also kept the defaults that they sent, among them of parameters
    that are gpt-gm's alone, by which they are known.
    """
    old = any(name in kept for name, p in PARAMETERS.items() if p.gptgm_only)
    return {
        name: kept[name]
        for name, parameter in CHAT_PARAMETERS.items()
        if kept.get(name) is not None
        and not (old and kept[name] == parameter.service_default)
    }


def resolve(given: Mapping[str, object]) -> dict[str, Value]:
    """Check given parameters and complete them with the gpt-gm service's defaults.

    Parameters
    ----------
    given
        Values by parameter name. None leaves a parameter out, also one that has a
        default, so that the server's own default holds. A temperature of 0 becomes
        ``do_sample`` false, which is the service's word for it.

    Returns
    -------
    dict
        Every parameter that is to be sent, by name, in the table's order.

    Raises
    ------
    ParameterError
        As :func:`checked` does.
    """
    chosen = checked(given)
    values = {
        name: chosen.get(name, parameter.service_default)
        for name, parameter in PARAMETERS.items()
        if name in chosen or given.get(name, parameter.service_default) is not None
    }
    if values.get("top_p") == 1:  # its engine has no word for that but none
        del values["top_p"]
    if chosen.get("temperature") == 0:
        values |= {"do_sample": False, **dict.fromkeys(_OF_SAMPLING)}
    return {name: value for name, value in values.items() if value is not None}
