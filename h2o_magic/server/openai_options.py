"""The options of a chat completion: each takes effect, is irrelevant, or is refused.

The defaults are the model's: of its file, else of its makers, else of the engine. Only
the length has a default of ours, since an answer reserves its memory before it begins.
Messages are dropped only if ``truncation`` is ``auto`` (as in OpenAI's Responses API).
``null`` is the same as absent.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from h2o_magic.config.parameters import CHAT_PARAMETERS, checked
from h2o_magic.errors import ParameterError, did_you_mean
from h2o_magic.server.openai_errors import OpenAIError

_TAKEN = {name: row for name, row in CHAT_PARAMETERS.items() if row.field("h2o_magic")}
#: Our parameter for each field; those of one name come first.
_NAMES = {
    **{row.field("h2o_magic"): name for name, row in _TAKEN.items()},
    **{name: name for name in _TAKEN},
    "max_completion_tokens": "max_new_tokens",
}
_LENGTHS = ("max_tokens", "max_completion_tokens", "max_new_tokens")
#: Fields that other modules read.
_ELSEWHERE = frozenset(
    [
        "messages",
        "model",
        "response_format",
        "stream",
        "stream_options",
        "strict",
        "truncation",
    ]
)


def _anything(_value: object) -> bool:
    return True


def _is(*neutral: object) -> Callable[[object], bool]:
    """Return a test for values that change nothing; true is not 1."""
    return lambda value: any(
        value == one and isinstance(value, bool) == isinstance(one, bool)
        for one in neutral
    )


#: Fields of the API without effect here, each with the values it may have.
_WITHOUT_EFFECT: Mapping[str, Callable[[object], bool]] = {
    "metadata": _anything,
    "parallel_tool_calls": _anything,
    "prompt_cache_key": _anything,
    "prompt_cache_retention": _anything,
    "safety_identifier": _anything,
    "service_tier": _anything,
    "store": _anything,
    "user": _anything,
    "function_call": _is("none", "auto"),
    "functions": _is([]),
    "logit_bias": _is({}),
    "logprobs": _is(False),
    "modalities": _is(["text"]),
    "n": _is(1),
    "tool_choice": _is("none", "auto"),
    "tools": _is([]),
    "top_logprobs": _is(0),
}


def options_of(body: Mapping[str, Any]) -> dict[str, Any]:
    """Return the generation parameters of a request, checked, in our names."""
    given = {name: value for name, value in body.items() if value is not None}
    for name, value in given.items():
        _check_field(name, value)
    lengths = {given[name] for name in _LENGTHS if _countable(given.get(name))}
    if len(lengths) > 1:
        raise OpenAIError(
            f"expected one length of the answer, got {sorted(lengths)} in "
            f"{', '.join(name for name in _LENGTHS if name in given)}: give one of them"
        )
    options = {
        _NAMES[name]: _checked(name, value)
        for name, value in given.items()
        if name in _NAMES and value != []
    }
    try:
        return checked(options)
    except ParameterError as error:  # each by itself is valid
        raise OpenAIError(str(error), param="do_sample") from error


def _check_field(name: str, value: object) -> None:
    if name in _NAMES or name in _ELSEWHERE:
        return
    is_neutral = _WITHOUT_EFFECT.get(name)
    if is_neutral is None:
        known = [*_NAMES, *_ELSEWHERE, *_WITHOUT_EFFECT]
        raise OpenAIError(
            f"unknown field {name[:60]!r}, which this server does not support: leave "
            f"it out ({did_you_mean(name, known)})",
            param=name[:60],
            code="unknown_parameter",
        )
    if not is_neutral(value):
        raise OpenAIError(
            f"`{name}` would change the answer, and this server does not support it: "
            "leave it out",
            param=name,
            code="unsupported_parameter",
        )


def _countable(value: object) -> bool:
    return isinstance(value, int) and not isinstance(value, bool)


def _checked(name: str, value: object) -> object:
    ours = _NAMES[name]
    try:
        return CHAT_PARAMETERS[ours].check(value)
    except ParameterError as error:
        message = str(error).replace(f"`{ours}`", f"`{name}`", 1)
        raise OpenAIError(message, param=name, code="invalid_value") from error
