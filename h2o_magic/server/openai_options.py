"""The options of a chat completion: each takes effect, means nothing, or is refused.

What is left out has the meaning that it has in the OpenAI API: sampled at temperature
1, from all tokens, without a penalty, from another seed each time. Two are otherwise:
an absent ``max_tokens`` is the 1024 of :mod:`h2o_magic.parameters`, since an answer
reserves its memory before it begins; and nothing of the messages is ever left out
unless ``truncate`` is given. ``null`` is the same as absent.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from h2o_magic.errors import ParameterError
from h2o_magic.nearest import did_you_mean
from h2o_magic.parameters import PARAMETERS
from h2o_magic.server.openai_errors import OpenAIError
from h2o_magic.server.sampling import Sampling, parse_sampling

__all__ = ["options_of", "sampling_of"]

#: Our parameter for each field; those of one name come first. (``return_full_text`` is
#: none: an answer of this API is the answer alone.)
_NAMES = {
    **{name: name for name in PARAMETERS if name != "return_full_text"},
    "max_tokens": "max_new_tokens",
    "max_completion_tokens": "max_new_tokens",
}
_LENGTHS = ("max_tokens", "max_completion_tokens", "max_new_tokens")
#: Fields that other modules read.
_ELSEWHERE = frozenset(
    {"messages", "model", "response_format", "stream", "stream_options", "strict"}
)


def _anything(_value: object) -> bool:
    return True


def _is(*harmless: object) -> Callable[[object], bool]:
    """Return a test for values that ask for nothing; JSON's true is no 1."""
    return lambda value: any(
        value == one and isinstance(value, bool) == isinstance(one, bool)
        for one in harmless
    )


#: Fields of the API that have no effect here, each with what it may hold: anything
#: where it never touches the answer, else only what asks for nothing.
_WITHOUT_EFFECT: Mapping[str, Callable[[object], bool]] = {
    "metadata": _anything,
    "parallel_tool_calls": _anything,
    "prompt_cache_key": _anything,
    "prompt_cache_retention": _anything,
    "safety_identifier": _anything,
    "service_tier": _anything,
    "store": _anything,
    "user": _anything,
    "frequency_penalty": _is(0),
    "function_call": _is("none", "auto"),
    "functions": _is([]),
    "logit_bias": _is({}),
    "logprobs": _is(False),
    "modalities": _is(["text"]),
    "n": _is(1),
    "presence_penalty": _is(0),
    "tool_choice": _is("none", "auto"),
    "tools": _is([]),
    "top_logprobs": _is(0),
}


def options_of(body: Mapping[str, Any]) -> dict[str, Any]:
    """Return the generation parameters in a request's body, checked, in our names.

    Raises
    ------
    OpenAIError
        If a value is of the wrong type or out of its range, or a field would change
        the answer and is not supported; the message names it.
    """
    given = {name: value for name, value in body.items() if value is not None}
    for name, value in given.items():
        _check_field(name, value)
    lengths = {given[name] for name in _LENGTHS if _countable(given.get(name))}
    if len(lengths) > 1:
        raise OpenAIError(
            f"expected one length of the answer, got {sorted(lengths)} in "
            f"{', '.join(name for name in _LENGTHS if name in given)}: give one of them"
        )
    options: dict[str, Any] = {"temperature": 1.0}
    for name, value in given.items():
        if name in _NAMES and not _is_off(name, value):
            options[_NAMES[name]] = _checked(name, value)
    return _with_temperature(options, given)


def sampling_of(options: Mapping[str, Any], *, stream: bool) -> Sampling:
    """Return how an answer with these `options` is to be written."""
    whole = {**options, "return_full_text": False}
    return parse_sampling(whole, stream=stream)


def _check_field(name: str, value: object) -> None:
    if name in _NAMES or name in _ELSEWHERE:
        return
    harmless = _WITHOUT_EFFECT.get(name)
    if harmless is None:
        known = [*_NAMES, *_ELSEWHERE, *_WITHOUT_EFFECT]
        raise OpenAIError(
            f"unknown field {name[:60]!r}, which this server does not support: leave "
            f"it out ({did_you_mean(name, known)})",
            param=name[:60],
            code="unknown_parameter",
        )
    if not harmless(value):
        raise OpenAIError(
            f"`{name}` would change the answer, and this server does not support it: "
            "leave it out",
            param=name,
            code="unsupported_parameter",
        )


def _countable(value: object) -> bool:
    return isinstance(value, int) and not isinstance(value, bool)


def _is_off(name: str, value: object) -> bool:
    """Whether the value is the API's word for no such thing."""
    if isinstance(value, bool):
        return False
    return (name, value) in (("top_p", 1), ("temperature", 0)) or value == []


def _checked(name: str, value: object) -> object:
    ours = _NAMES[name]
    try:
        return PARAMETERS[ours].check(value)
    except ParameterError as error:
        message = str(error).replace(f"`{ours}`", f"`{name}`", 1)
        raise OpenAIError(message, param=name, code="invalid_value") from error


def _with_temperature(
    options: dict[str, Any], given: Mapping[str, Any]
) -> dict[str, Any]:
    """Let temperature 0 mean: the most likely token each time."""
    if given.get("temperature") != 0 or isinstance(given["temperature"], bool):
        return options
    if given.get("do_sample") is True:
        raise OpenAIError(
            "`temperature` 0 takes the most likely token each time, and `do_sample` "
            "true wants another: give one of them",
            param="do_sample",
        )
    warpers = {"temperature", "top_p", "top_k", "typical_p"}
    rest = {name: value for name, value in options.items() if name not in warpers}
    return {**rest, "do_sample": False}
