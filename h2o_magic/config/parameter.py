"""What a generation parameter is: a row of the table, and the check of its values."""

from __future__ import annotations

import json
import math
import reprlib
from collections.abc import Mapping
from numbers import Integral, Real
from typing import Any, NamedTuple, TypeAlias

from h2o_magic.errors import ParameterError, did_you_mean

#: The largest number of tokens or turns, and the rule of such a number.
LARGEST = 2**31 - 1
COUNT = "must be a whole number above 0"

Value: TypeAlias = float | int | bool | str | tuple[str, ...] | Mapping[str, Any]


class Parameter(NamedTuple):  # made in a fifth of a dataclass's time: `%load_ext` waits
    """One generation parameter.

    Attributes
    ----------
    name : str
        The name in Python and in settings; its option is the same with dashes.
    kind : type
        ``float``, ``int``, ``bool``, ``str``, ``tuple`` for a list of texts, or
        ``dict`` for a JSON object.
    help : str
        One sentence for the reader of ``--help``.
    rule : str
        The range in words, as a server says it: ``must be strictly positive``.
    gptgm : str
        Its name in the gpt-gm protocol.
    openai : str
        Its field in the OpenAI API, for every server that has no other.
    servers : mapping
        Its field at servers that differ from that, by their flavour.
    engine : str
        Its name in the sampler of llama.cpp, the local server's engine.
    gguf : str
        Its key below ``general.sampling`` in a model's file.
    sampling : bool
        True if it has no meaning where the most likely token is taken each time.
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
    choices : tuple of str
        The only texts that are allowed; none for a parameter that is no text.
    gptgm_only : bool
        True if only `create_completion` takes it: no other dialect has it.
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
        """The command line's spelling: ``--max-new-tokens``."""
        return "--" + self.name.replace("_", "-")

    def field(self, flavour: str) -> str:
        """Return its field in a request to an OpenAI-compatible server; may be empty.

        Parameters
        ----------
        flavour
            What the server is, as :mod:`h2o_magic.backends.openai.flavour` calls it.
        """
        return self.servers.get(flavour, self.openai)

    def check(self, value: object) -> Value:
        """Return `value` as a plain Python value of this parameter's kind.

        Numbers of other libraries (NumPy scalars) are converted; a bool is not taken
        for a number, nor a text for one. A JSON object is copied.

        Raises
        ------
        ParameterError
            If the type is wrong, a number is not finite, or the range is left.
        """
        checked = self._convert(value)
        if checked is None or not self._in_range(checked):
            rule, meant = self.rule, ""
            if rule == COUNT and isinstance(checked, int) and checked > LARGEST:
                rule = f"must be at most {LARGEST}"
            if self.choices:
                meant = f": {did_you_mean(str(value), self.choices)}"
            raise ParameterError(
                f"`{self.name}` {rule}, got {reprlib.repr(value)}{meant}"
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
