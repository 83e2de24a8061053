"""How many tokens an OpenAI-compatible server would read of some messages.

The API has no call for it. vLLM, llama.cpp and servers of this package have one each,
at their root.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any

from h2o_magic.backends.openai.api import OpenAICalls
from h2o_magic.backends.openai.flavour import Flavour
from h2o_magic.chat.messages import Message
from h2o_magic.errors import ProtocolError, StatusError

_Items = list[dict[str, str]]
# A server in front of it may let only the API itself through.
_NO_SUCH_CALL = frozenset({403, 404, 405, 501})


def count_tokens(
    calls: OpenAICalls, model: str, messages: Sequence[Message]
) -> int | None:
    """Return the number of tokens, or None if the server cannot count them.

    The messages are sent only to servers that can.

    Parameters
    ----------
    calls
        The way to the server.
    model
        Id of the model.
    messages
        The whole context; the last one is the question.

    Raises
    ------
    BackendError
        If the server is not reached, or refuses these.
    """
    counter = _COUNTERS.get(calls.flavour())
    if counter is None:
        return None
    items = [{"role": m.role, "content": m.content} for m in messages]
    try:
        return counter(calls, model, items)
    except ProtocolError:
        return None
    except StatusError as error:
        if error.status in _NO_SUCH_CALL:
            return None
        raise


def _count_vllm(calls: OpenAICalls, model: str, items: _Items) -> int | None:
    answer = calls.post("/tokenize", {"model": model, "messages": items})
    return _count(_get(answer, "count"))


def _count_llamacpp(calls: OpenAICalls, model: str, items: _Items) -> int | None:
    template = {"model": model, "messages": items}
    prompt = _get(calls.post("/apply-template", template), "prompt")
    if not isinstance(prompt, str):
        return None
    text = {"content": prompt, "add_special": True, "parse_special": True}
    tokens = _get(calls.post("/tokenize", {"model": model, **text}), "tokens")
    return len(tokens) if isinstance(tokens, list) else None


def _count_ours(calls: OpenAICalls, model: str, items: _Items) -> int | None:
    answer = calls.post("/api/tokenize", {"model": model, "messages": items})
    return _count(_get(answer, "tokens"))


_COUNTERS: Mapping[Flavour, Callable[[OpenAICalls, str, _Items], int | None]] = {
    "vllm": _count_vllm,
    "llamacpp": _count_llamacpp,
    "h2o_magic": _count_ours,
}


def _get(document: object, name: str) -> Any:
    return document.get(name) if isinstance(document, dict) else None


def _count(value: object) -> int | None:
    return value if type(value) is int and value >= 0 else None
