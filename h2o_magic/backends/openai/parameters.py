"""THE table of how an OpenAI-compatible server is told a generation parameter.

Pure. A parameter that the API itself does not have goes only to servers that are known
to take it, since most of the others drop what they do not know without a word.
Sources: the recordings for fields that were refused, the request models of
llama-cpp-python and FastChat 0.2.36, and the servers' documentation.
"""

from __future__ import annotations

from collections.abc import Mapping

from h2o_magic.backends.openai.flavour import Flavour
from h2o_magic.errors import ParameterError
from h2o_magic.parameters import PARAMETERS, Value

__all__ = ["SENT_DEFAULTS", "WITHOUT_DEFAULT", "fields_of", "needs_flavour"]

#: Names on the wire that every server of the dialect has.
_STANDARD: Mapping[str, str] = {
    "temperature": "temperature",
    "top_p": "top_p",
    "max_new_tokens": "max_tokens",
    "seed": "seed",
    "stop": "stop",
}
#: What else a flavour has, and (None) what it lacks although it is standard.
_OWN: Mapping[Flavour, Mapping[str, str | None]] = {
    "standard": {},
    "vllm": {
        "top_k": "top_k",
        "repetition_penalty": "repetition_penalty",
        "truncate": "truncate_prompt_tokens",
    },
    "llamacpp": {
        "top_k": "top_k",
        "typical_p": "typical_p",
        "repetition_penalty": "repeat_penalty",
    },
    "llama_cpp_server": {"top_k": "top_k", "repetition_penalty": "repeat_penalty"},
    # Its seed is ignored: the same one gave two texts (stream_seed_a, stream_seed_b).
    "fastchat": {"top_k": "top_k", "seed": None},
    "h2ogpt": {"top_k": "top_k", "repetition_penalty": "repetition_penalty"},
    "ollama": {},
    "lmstudio": {"top_k": "top_k", "repetition_penalty": "repeat_penalty"},
    "h2o_magic": {
        "top_k": "top_k",
        "typical_p": "typical_p",
        "repetition_penalty": "repetition_penalty",
        "truncate": "truncate",
    },
}
#: Defaults that are sent. The others fit the models of the gpt-gm service: a penalty,
#: or a cut at 2048 tokens, that nobody asked for would harm those of other servers.
SENT_DEFAULTS = frozenset({"temperature", "max_new_tokens"})
#: Said without a field of its own.
_ELSEWHERE = frozenset({"do_sample", "return_full_text"})
#: Not sent where nobody chose them.
WITHOUT_DEFAULT = frozenset(PARAMETERS) - SENT_DEFAULTS - _ELSEWHERE


def needs_flavour(chosen: frozenset[str]) -> bool:
    """Return whether it depends on the flavour how the `chosen` parameters are sent."""
    differing = {name for own in _OWN.values() for name in own}
    return not chosen.isdisjoint(differing)


def fields_of(
    parameters: Mapping[str, Value],
    chosen: frozenset[str],
    *,
    flavour: Flavour,
    server: str,
) -> dict[str, tuple[str, Value]]:
    """Return the fields of a request by the parameter that each stands for.

    Parameters
    ----------
    parameters
        As :func:`h2o_magic.parameters.resolve` returns them.
    chosen
        Names of those that the user chose.
    flavour
        What the server is.
    server
        Its address, for the error.

    Returns
    -------
    dict
        By the parameter's name: the field's name and its value.

    Raises
    ------
    ParameterError
        If the server cannot be told one that the user chose.
    """
    names = {**_STANDARD, **_OWN[flavour]}
    fields: dict[str, tuple[str, Value]] = {}
    for name, value in parameters.items():
        wire = names.get(name)
        if wire is None:
            if name in chosen and name not in _ELSEWHERE:
                raise _unknown(name, flavour, server)
        elif name in chosen or name in SENT_DEFAULTS:
            fields[name] = (wire, value)
    if parameters.get("return_full_text") is True:
        raise ParameterError(
            f"`return_full_text` cannot be had from {server}: an OpenAI-compatible "
            "server sends the answer alone; leave it out, or set it to None"
        )
    if parameters.get("do_sample") is False:
        # The API's word for the most likely token each time.
        fields["do_sample"] = ("temperature", 0)
        fields.pop("temperature", None)
    return fields


def _unknown(name: str, flavour: Flavour, server: str) -> ParameterError:
    which = "an OpenAI-compatible server" if flavour == "standard" else flavour
    return ParameterError(
        f"`{name}` cannot be sent to {server}: {which} is not known to obey it; "
        "leave it out, or set it to None where it is a setting"
    )
