"""How many tokens a server of this package would read of some messages."""

from __future__ import annotations

from collections.abc import Sequence

from h2o_magic.backends.gptgm.calls import GptGmCalls
from h2o_magic.errors import ProtocolError, StatusError
from h2o_magic.messages import Message

__all__ = ["count_tokens"]

# What our own server says of a question that it cannot count.
_UNUSABLE = (422, 424)


def count_tokens(
    calls: GptGmCalls, model: str, messages: Sequence[Message]
) -> int | None:
    """Return the number of tokens, or None if the server is none that counts them.

    The messages are sent to servers of this package only.

    Parameters
    ----------
    calls
        The session to ask in.
    model
        Id of the model.
    messages
        The whole context; the last one is the question.

    Raises
    ------
    BackendError
        If the server is not reached, or says that it cannot count these.
    """
    try:
        if not _is_ours(calls):
            return None
        items = [{"role": m.role, "content": m.content} for m in messages]
        answer = calls.post("/api/tokenize", {"model": model, "messages": items})
    except ProtocolError:
        return None
    except StatusError as error:
        if error.status in _UNUSABLE:
            raise
        return None
    tokens = answer.get("tokens") if isinstance(answer, dict) else None
    return tokens if type(tokens) is int and tokens >= 0 else None


def _is_ours(calls: GptGmCalls) -> bool:
    health = calls.get("/health")
    return isinstance(health, dict) and isinstance(health.get("instance"), str)
