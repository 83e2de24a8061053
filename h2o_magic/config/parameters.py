"""The table of generation parameters, and the checks made from it.

A parameter is one row here, and nothing elsewhere: options, settings, the panel's
controls, requests, the servers' checks and the documentation are made from the rows. An
empty name in a column means that it cannot be sent there. Ranges and their wording
follow text-generation-inference 0.9, the engine of the gpt-gm service, and the OpenAI
API.

A parameter that is not set is not sent: the model's own value applies. Only the gpt-gm
dialect has documented defaults, those of its original client.
"""

from __future__ import annotations

from collections.abc import Mapping

from h2o_magic.config.parameter import COUNT, LARGEST, Parameter, Value
from h2o_magic.errors import ParameterError, did_you_mean

#: Default length of an answer, in tokens: that of the gpt-gm service, and of the local
#: server, whose small models repeat themselves.
DEFAULT_LENGTH = 1024
_PENALTY = "must be a number from -2 to 2"
_LLAMA_CPP = "llamacpp llama_cpp_server"
_EFFORTS = ("none", "minimal", "low", "medium", "high", "xhigh")


def _at(field: str, flavours: str) -> dict[str, str]:
    return dict.fromkeys(flavours.split(), field)


# A field that the API itself does not have is sent only to servers that are known to
# accept it: most of the others ignore unknown fields silently. Sources: the recordings
# of refused fields (tests/recordings/openai), the request models of vLLM,
# llama-cpp-python, FastChat 0.2.36 and h2oGPT, and the documentation of llama.cpp's
# server, Ollama and LM Studio.
_TABLE = (
    Parameter(
        "temperature",
        float,
        "Randomness of the wording: low is focused, high is varied.",
        "must be a number, 0 or above (0 always takes the most likely token)",
        label="Creativity",
        gptgm="temperature",
        openai="temperature",
        engine="temperature",
        gguf="temp",
        sampling=True,
        service_default=0.4,
        least=0,
        slider_to=2,
    ),
    Parameter(
        "top_p",
        float,
        "Choose among the likeliest tokens that add up to this; 1.0 is off.",
        "must be > 0.0 and <= 1.0",
        label="Range of words",
        gptgm="top_p",
        openai="top_p",
        engine="top_p",
        gguf="top_p",
        sampling=True,
        above=0,
        most=1,
    ),
    Parameter(
        "top_k",
        int,
        "Choose among this many of the likeliest tokens.",
        COUNT,
        label="Number of candidates",
        gptgm="top_k",
        servers=_at("top_k", f"{_LLAMA_CPP} vllm fastchat h2ogpt lmstudio h2o_magic"),
        engine="top_k",
        gguf="top_k",
        sampling=True,
        above=0,
        most=LARGEST,
        unit="tokens",
    ),
    Parameter(
        "min_p",
        float,
        "Choose among tokens this likely, relative to the likeliest; 0 is off.",
        "must be a number from 0 to 1",
        label="Least likely word",
        servers=_at("min_p", f"{_LLAMA_CPP} vllm h2ogpt h2o_magic"),
        engine="min_p",
        gguf="min_p",
        sampling=True,
        least=0,
        most=1,
    ),
    Parameter(
        "typical_p",
        float,
        "Choose among the most typical tokens that add up to this.",
        "must be > 0.0 and < 1.0",
        label="Typical words",
        gptgm="typical_p",
        servers=_at("typical_p", "llamacpp h2o_magic"),
        engine="typical_p",
        sampling=True,
        above=0,
        below=1,
    ),
    Parameter(
        "repetition_penalty",
        float,
        "Make recently used words less likely; 1.0 is off.",
        "must be a number above 0",
        label="Avoid repetition",
        gptgm="repetition_penalty",
        servers=_at("repetition_penalty", "vllm h2ogpt h2o_magic")
        | _at("repeat_penalty", f"{_LLAMA_CPP} lmstudio"),
        engine="repeat_penalty",
        gguf="penalty_repeat",
        service_default=1.2,
        above=0,
        slider_to=2,
    ),
    Parameter(
        "frequency_penalty",
        float,
        "Make words less likely the more often they were used; 0 is off.",
        _PENALTY,
        label="Avoid frequent words",
        openai="frequency_penalty",
        servers=_at("", "fastchat"),  # its own worker does not read it
        engine="frequency_penalty",
        least=-2,
        most=2,
    ),
    Parameter(
        "presence_penalty",
        float,
        "Make words that were used at all less likely; 0 is off.",
        _PENALTY,
        label="Prefer new words",
        openai="presence_penalty",
        servers=_at("", "fastchat"),
        engine="presence_penalty",
        least=-2,
        most=2,
    ),
    Parameter(
        "max_new_tokens",
        int,
        "The most tokens that an answer may have.",
        COUNT,
        label="Maximum length",
        gptgm="max_new_tokens",
        openai="max_tokens",
        service_default=DEFAULT_LENGTH,
        above=0,
        most=LARGEST,
        unit="tokens",
    ),
    Parameter(
        "truncate",
        int,
        "Read at most this much of the input, keeping its end.",
        COUNT,
        gptgm="truncate",
        service_default=2048,
        above=0,
        most=LARGEST,
        unit="tokens",
        gptgm_only=True,
    ),
    Parameter(
        "do_sample",
        bool,
        "Choose among likely tokens; off always takes the likeliest.",
        "must be true or false",
        label="Vary the wording",
        gptgm="do_sample",
        openai="temperature",  # 0 where it is off
        service_default=True,
    ),
    Parameter(
        "seed",
        int,
        "Make a sampled answer repeatable: the same seed gives the same text.",
        f"must be a whole number from 0 to {2**32 - 2}",
        gptgm="seed",
        openai="seed",
        # Ignored: the same one gave two texts (stream_seed_a, stream_seed_b).
        servers=_at("", "fastchat"),
        engine="seed",
        least=0,
        most=2**32 - 2,
    ),
    Parameter(
        "stop",
        tuple,
        "End the answer where this text appears (up to 4 texts).",
        "must be at most 4 texts, none empty",
        label="Stop at",
        gptgm="stop",
        openai="stop",
        most=4,
    ),
    Parameter(
        "reasoning_effort",
        str,
        "How much a reasoning model reasons before it answers.",
        f"must be one of {', '.join(_EFFORTS)}",
        openai="reasoning_effort",
        servers=_at("", "llama_cpp_server fastchat h2ogpt lmstudio"),
        choices=_EFFORTS,
    ),
    Parameter(
        "return_full_text",
        bool,
        "Put the prompt, as the model saw it, before the answer.",
        "must be true or false",
        gptgm="return_full_text",
        service_default=False,
        gptgm_only=True,
    ),
    Parameter(
        "extra",
        dict,
        "Additional fields of the request, for options that only the server knows.",
        "must be a JSON object",
        label="Additional fields",
    ),
)

#: All generation parameters by name, in the order in which they are shown.
PARAMETERS: Mapping[str, Parameter] = {p.name: p for p in _TABLE}

#: Those of a question in a conversation, whatever server answers.
CHAT_PARAMETERS: Mapping[str, Parameter] = {
    p.name: p for p in _TABLE if not p.gptgm_only
}


def checked(given: Mapping[str, object]) -> dict[str, Value]:
    """Return the parameters that are set (not None), checked, in the table's order.

    ParameterError if a name is unknown, a value is refused, or `do_sample` contradicts
    a temperature of 0.
    """
    for name in given:
        if name not in PARAMETERS:
            raise ParameterError(
                f"unknown parameter {name!r}: {did_you_mean(name, PARAMETERS)}"
            )
    values = {
        name: value
        for name, parameter in PARAMETERS.items()
        if (value := parameter.check(given.get(name))) is not None
    }
    if values.get("temperature") == 0 and values.get("do_sample") is True:
        raise ParameterError(
            "`temperature` 0 (no sampling) contradicts `do_sample` true: leave one out"
        )
    return values


def explicit_parameters(stored: Mapping[str, object]) -> dict[str, object]:
    """Return the parameters of a stored question that the user had set.

    Versions up to 0.4 also stored the defaults that they sent; those questions have
    parameters that belong to gpt-gm only.
    """
    old = any(PARAMETERS[name].gptgm_only for name in stored if name in PARAMETERS)
    return {
        name: stored[name]
        for name, parameter in CHAT_PARAMETERS.items()
        if stored.get(name) is not None
        and not (old and stored[name] == parameter.service_default)
    }


def resolve(given: Mapping[str, object]) -> dict[str, Value]:
    """Return what a gpt-gm server is sent, by its names: what is given, else defaults.

    None leaves a parameter out, even one with a default, so that the server's own
    default applies. A temperature of 0 becomes ``do_sample`` false. ParameterError as
    of :func:`checked`, and if the protocol has no such parameter.
    """
    chosen = checked(given)
    for name in chosen:
        if not PARAMETERS[name].gptgm:
            raise ParameterError(
                f"`{name}` cannot be sent to a gpt-gm server, whose protocol does not "
                "have it: leave it out, or set it to None if it is a setting"
            )
    rows = [parameter for parameter in PARAMETERS.values() if parameter.gptgm]
    values = {
        row.gptgm: chosen.get(row.name, row.service_default)
        for row in rows
        if row.name in chosen or given.get(row.name, row.service_default) is not None
    }
    if chosen.get("top_p") == 1:  # which the service expresses by leaving it out
        del values["top_p"]
    if chosen.get("temperature") == 0:
        values |= {row.gptgm: None for row in rows if row.sampling}
        values["do_sample"] = False
    return {name: value for name, value in values.items() if value is not None}
