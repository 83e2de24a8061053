"""The generation parameters of a gpt-gm request: checked, and as engine options.

The defaults are text-generation-inference's: no sampling unless a sampling parameter is
given, no penalty, the full text returned; but ``max_new_tokens`` is not 20. Unknown
keys are ignored, as there.
"""

from __future__ import annotations

import secrets
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from h2o_magic.config.parameters import DEFAULT_LENGTH, PARAMETERS

_SEED_BITS = 32
_ENGINE_NAMES = {name: row.engine for name, row in PARAMETERS.items() if row.engine}
_WARPERS = frozenset(name for name, row in PARAMETERS.items() if row.sampling)


@dataclass(frozen=True, slots=True)
class Sampling:
    """How one answer is written; lengths are in tokens.

    `seed` is the one in use, None without sampling.
    """

    max_new_tokens: int
    truncate: int | None
    stop: tuple[str, ...]
    return_full_text: bool
    seed: int | None
    engine_options: Mapping[str, Any]


def parse_sampling(given: Mapping[str, Any]) -> Sampling:
    values: dict[str, Any] = {
        name: parameter.check(given[name])
        for name, parameter in PARAMETERS.items()
        if parameter.gptgm and given.get(name) is not None
    }
    warped = any(name in values for name in _WARPERS)
    greedy = values.get("temperature") == 0
    sampled = bool(values.get("do_sample", warped)) and not greedy
    seed = values.get("seed", secrets.randbits(_SEED_BITS - 1))
    options = _engine_options(values, seed=seed, sampled=sampled)
    # Reading only the new part of a prompt rounds differently from reading all of it,
    # so an answer that is to be repeated does without the prompt cache.
    options["cache_prompt"] = sampled and "seed" not in values
    return Sampling(
        max_new_tokens=values.get("max_new_tokens", DEFAULT_LENGTH),
        truncate=values.get("truncate"),
        stop=values.get("stop", ()),
        return_full_text=bool(values.get("return_full_text", True)),
        seed=seed if sampled else None,
        engine_options=options,
    )


def _engine_options(
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
        **{_ENGINE_NAMES[n]: v for n, v in values.items() if n in _ENGINE_NAMES},
        "seed": seed,
        **({} if sampled else {"temperature": 0.0, "top_k": 1}),
    }
