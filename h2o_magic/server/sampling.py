"""A request's generation parameters: checked, completed, and as engine options."""

from __future__ import annotations

import secrets
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from h2o_magic.config.parameters import DEFAULT_LENGTH, PARAMETERS

_SEED_BITS = 32
#: The engine's names; the last is for recommendations only.
_ENGINE_NAMES = {
    **{name: row.engine for name, row in PARAMETERS.items() if row.engine},
    "penalty_last_n": "repeat_last_n",
}
_WARPERS = frozenset(name for name, row in PARAMETERS.items() if row.sampling)


@dataclass(frozen=True, slots=True)
class Sampling:
    """How one answer is written; lengths are in tokens.

    `seed` is the one in use, None without sampling. `repeatable`: the client wants an
    answer that can be repeated. `sampled`: it wants sampling, if only by an option of
    it; a recommended temperature of 0 must not undo that.
    """

    max_new_tokens: int
    truncate: int | None
    stop: tuple[str, ...]
    return_full_text: bool
    seed: int | None
    repeatable: bool
    engine_options: Mapping[str, Any]
    sampled: bool = False


def parse_sampling(given: Mapping[str, Any]) -> Sampling:
    """Return the sampling of gpt-gm parameters.

    The defaults are text-generation-inference's: no sampling unless a sampling
    parameter is given, no penalty, the full text returned; but ``max_new_tokens`` is
    not 20. Unknown keys are ignored, as there.
    """
    values: dict[str, Any] = {
        name: parameter.check(given[name])
        for name, parameter in PARAMETERS.items()
        if parameter.gptgm and given.get(name) is not None
    }
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
        engine_options=_tgi_options(values, seed=seed, sampled=sampled),
    )


def _tgi_options(
    values: Mapping[str, Any], *, seed: int, sampled: bool
) -> dict[str, Any]:
    """Turn llama.cpp's defaults off, and sample in the order of transformers."""
    return {
        "temperature": 1.0,
        "top_k": 0,
        "top_p": 1.0,
        "typical_p": 1.0,
        "min_p": 0.0,
        "repeat_penalty": 1.0,
        "samplers": ["penalties", "temperature", "top_k", "top_p", "typ_p"],
        "mirostat": 0,
        # The penalty covers the whole input and answer, as in the old engine.
        "repeat_last_n": -1,
        **engine_options(values),
        "seed": seed,
        **({} if sampled else {"temperature": 0.0, "top_k": 1}),
    }


def engine_options(values: Mapping[str, Any]) -> dict[str, Any]:
    return {
        _ENGINE_NAMES[name]: value
        for name, value in values.items()
        if name in _ENGINE_NAMES
    }


def own_sampling(values: Mapping[str, Any]) -> Sampling:
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
