"""THE table of how an OpenAI-compatible server is told a generation parameter.

Pure. A parameter that the API itself does not have goes only to servers that are known
to take it, since most of the others drop what they do not know without a word.
Sources: the recordings for fields that were refused, the request models of
llama-cpp-python and FastChat 0.2.36, and the servers' documentation.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping

from h2o_magic.backends.openai.flavour import Flavour
from h2o_magic.errors import ParameterError
from h2o_magic.parameters import Value

__all__ = ["fields_of", "needs_flavour"]

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
    "vllm": {"top_k": "top_k", "repetition_penalty": "repetition_penalty"},
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
    },
}


def needs_flavour(parameters: Collection[str]) -> bool:
    """Return whether it depends on the flavour how these `parameters` are sent."""
    return any(name in parameters for own in _OWN.values() for name in own)


def fields_of(
    parameters: Mapping[str, Value], *, flavour: Flavour, server: str
) -> dict[str, tuple[str, Value]]:
    """Return the fields of a request by the parameter that each stands for.

    Parameters
    ----------
    parameters
        What somebody set, as :func:`h2o_magic.parameters.checked` returns it.
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
        If the server cannot be told one of them.
    """
    names = {**_STANDARD, **_OWN[flavour]}
    fields: dict[str, tuple[str, Value]] = {}
    for name, value in parameters.items():
        if name == "do_sample":
            continue
        wire = names.get(name)
        if wire is None:
            raise _unknown(name, flavour, server)
        fields[name] = (wire, value)
    if parameters.get("do_sample") is False:
        # The API's word for the most likely token each time.
        fields.pop("temperature", None)
        fields["do_sample"] = ("temperature", 0)
    return fields


def _unknown(name: str, flavour: Flavour, server: str) -> ParameterError:
    which = "an OpenAI-compatible server" if flavour == "standard" else flavour
    return ParameterError(
        f"`{name}` cannot be sent to {server}: {which} is not known to obey it; "
        "leave it out, or set it to None where it is a setting"
    )
