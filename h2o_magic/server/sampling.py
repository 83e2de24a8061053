"""The request's generation parameters: checked, completed, and in the engine's words.

Names, types and ranges are those of :mod:`h2o_magic.parameters`; what is sent back for
a bad one is in the words of text-generation-inference 0.9 (router/src/validation.rs).
"""

from __future__ import annotations

import secrets
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from h2o_magic.errors import ParameterError
from h2o_magic.parameters import DEFAULT_LENGTH, PARAMETERS, Parameter, Value

__all__ = [
    "Sampling",
    "ValidationError",
    "WrongTypeError",
    "engine_options",
    "own_sampling",
    "parse_sampling",
]

_PREFIX = "Input validation error: "
_SEED_BITS = 32
#: What the engine's sampler has, by its own names; the last is a recommendation only.
_ENGINE_NAMES = {
    **{name: row.engine for name, row in PARAMETERS.items() if row.engine},
    "penalty_last_n": "repeat_last_n",
}
_WARPERS = frozenset(name for name, row in PARAMETERS.items() if row.sampling)
_JSON_TYPES: Mapping[type, tuple[type | tuple[type, ...], str]] = {
    float: ((int, float), "f32"),
    int: (int, "u32"),
    bool: (bool, "a boolean"),
    str: (str, "a string"),
    tuple: (list, "a sequence"),
}


class ValidationError(ParameterError):
    """A parameter is out of its range, in text-generation-inference's words."""


class WrongTypeError(ParameterError):
    """A parameter is of the wrong JSON type, in text-generation-inference's words."""


@dataclass(frozen=True, slots=True)
class Sampling:
    """How one answer is to be written.

    Attributes
    ----------
    max_new_tokens : int
        The longest answer, in tokens.
    truncate : int or None
        The longest input, in tokens.
    stop : tuple of str
        Texts that end the answer.
    return_full_text : bool
        Put the prompt before the final text.
    seed : int or None
        The seed in use; None where the answer is not sampled.
    repeatable : bool
        The caller asked for an answer that can be repeated: a seed, or no sampling.
    engine_options : dict
        The sampler's settings in llama.cpp's names.
    sampled : bool
        The caller asked for a sampled answer, if only by an option of sampling: a
        recommended temperature of 0 must not undo that.
    """

    max_new_tokens: int
    truncate: int | None
    stop: tuple[str, ...]
    return_full_text: bool
    seed: int | None
    repeatable: bool
    engine_options: Mapping[str, Any]
    sampled: bool = False


def parse_sampling(given: Mapping[str, Any], *, stream: bool) -> Sampling:
    """Check the ``parameters`` object of a request.

    What is left out has text-generation-inference's meaning: no sampling unless a
    sampling parameter is given, no penalty, the full text returned. Only an absent
    ``max_new_tokens`` is our default and not 20. Unknown keys are ignored, as there.

    Raises
    ------
    WrongTypeError
        A value has the wrong JSON type.
    ValidationError
        A value is out of its range, or asks for what this server does not do.
    """
    values: dict[str, Any] = {
        name: _check(parameter, given[name])
        for name, parameter in PARAMETERS.items()
        if parameter.gptgm and given.get(name) is not None
    }
    _refuse_foreign(given, stream=stream)
    warped = any(name in values for name in _WARPERS)
    greedy = values.get("temperature") == 0
    sampled = bool(values.get("do_sample", warped)) and not greedy
    seed = values.get("seed", secrets.randbits(_SEED_BITS - 1))
    return Sampling(
        max_new_tokens=values.get("max_new_tokens", DEFAULT_LENGTH),
        truncate=values.get("truncate"),
        stop=values.get("stop", ()),
        return_full_text=bool(values.get("return_full_text", True)),
        seed=seed if sampled else None,
        repeatable="seed" in values or not sampled,
        engine_options=_as_of_old(values, seed=seed, sampled=sampled),
    )


def _as_of_old(
    values: Mapping[str, Any], *, seed: int, sampled: bool
) -> dict[str, Any]:
    """Return the settings that make llama.cpp sample as the old engine did.

    All its own defaults (top-k 40, top-p 0.95, min-p 0.05) are turned off, and the
    order is that of transformers.
    """
    return {
        "temperature": 1.0,
        "top_k": 0,
        "top_p": 1.0,
        "typical_p": 1.0,
        "min_p": 0.0,
        "repeat_penalty": 1.0,
        "samplers": ["penalties", "temperature", "top_k", "top_p", "typ_p"],
        "mirostat": 0,
        # The penalty looks at the whole input and answer, as in the old engine.
        "repeat_last_n": -1,
        **engine_options(values),
        "seed": seed,
        **({} if sampled else {"temperature": 0.0, "top_k": 1}),
    }


def engine_options(values: Mapping[str, Any]) -> dict[str, Any]:
    """Return those of the `values` that the engine's sampler has, in its names."""
    return {
        _ENGINE_NAMES[name]: value
        for name, value in values.items()
        if name in _ENGINE_NAMES
    }


def own_sampling(values: Mapping[str, Any]) -> Sampling:
    """Return how an answer is written that leaves to the model what nobody set.

    Parameters
    ----------
    values
        What somebody set, checked, as :func:`h2o_magic.parameters.checked` does.
    """
    greedy = values.get("do_sample") is False or values.get("temperature") == 0
    options = engine_options(values)
    if greedy:  # whatever other samplers the model's file asks for
        options |= {"temperature": 0.0, "samplers": ["penalties", "temperature"]}
        options["mirostat"] = 0
    return Sampling(
        max_new_tokens=values.get("max_new_tokens", DEFAULT_LENGTH),
        truncate=values.get("truncate"),
        stop=values.get("stop", ()),
        return_full_text=False,
        seed=None if greedy else values.get("seed"),
        repeatable="seed" in values or greedy,
        engine_options=options,
        sampled=not greedy
        and (
            values.get("do_sample") is True
            or not {"seed", *_WARPERS}.isdisjoint(values)
        ),
    )


def _check(parameter: Parameter, value: object) -> Value:
    try:
        return parameter.check(value)
    except ParameterError as error:
        accepted, expected = _JSON_TYPES[parameter.kind]
        # JSON's true is no number, though Python's is.
        mistaken_bool = isinstance(value, bool) and parameter.kind is not bool
        texts = not isinstance(value, list) or all(isinstance(v, str) for v in value)
        if isinstance(value, accepted) and not mistaken_bool and texts:
            raise ValidationError(_PREFIX + _rule(parameter, value)) from error
        raise WrongTypeError(
            "Failed to deserialize the JSON body into the target type: "
            f"parameters.{parameter.name}: invalid type: {_shown(value)}, "
            f"expected {expected}"
        ) from error


def _rule(parameter: Parameter, value: object) -> str:
    name = f"`{parameter.name}`"
    most = parameter.most or 0
    if isinstance(value, list) and len(value) > most:
        return f"{name} supports up to {most} stop sequences. Given: {len(value)}"
    fraction = parameter.below is not None or parameter.most == 1
    if parameter.above == 0 and not fraction:
        return f"{name} must be strictly positive"
    return f"{name} {parameter.rule}"


def _shown(value: object) -> str:
    """Describe a JSON value as Rust's serde does: ``string "many"``."""
    if isinstance(value, bool):
        return f"boolean `{str(value).lower()}`"
    if isinstance(value, str):
        return f'string "{value}"'
    if isinstance(value, int):
        return f"integer `{value}`"
    if isinstance(value, float):
        return f"floating point `{value}`"
    return "sequence" if isinstance(value, list) else "map"


def _refuse_foreign(given: Mapping[str, Any], *, stream: bool) -> None:
    """Refuse what the old engine knew and this one does not do."""
    if given.get("best_of") not in (None, 1):
        reason = (
            "`best_of` != 1 is not supported when streaming tokens"
            if stream
            else f"`best_of` must be > 0 and <= 1. Given: {given['best_of']}"
        )
        raise ValidationError(_PREFIX + reason)
    if given.get("decoder_input_details") and stream:
        raise ValidationError(
            _PREFIX + "`decoder_input_details` == true is not supported when streaming "
            "tokens"
        )
