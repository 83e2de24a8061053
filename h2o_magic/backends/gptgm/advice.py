"""How a failure of a gpt-gm server is told to the user, and what to do about it.

Pure. What the failures of chat-ui of June 2023 and text-generation-inference 0.9 look
like is in tests/recordings.
"""

from __future__ import annotations

from h2o_magic.backends.telling import COMMON, Row, advised, told
from h2o_magic.errors import BackendError, StatusError

__all__ = ["explained"]

_ADVICE: tuple[Row, ...] = (
    (403, "referer", "the server is known by another address; use that one"),
    (404, "conversation not found", "the server keeps losing this chat; ask it later"),
    (405, "modal", "the server forgets who asks; it may have lost its cookies' store"),
    (422, "", ""),
    (424, "", ""),
    *COMMON,
)
# What chat-ui says about a model that it does not know, and about much else.
_NO_WORDS = (500, "Internal Error")
_GUESS = "perhaps it does not have the model {model!r}; see what it offers"
_USUAL_WAIT = 60.0  # seconds; chat-ui counts the messages of the last minute


def explained(
    error: BackendError, *, url: str, model: str = "", naming: bool = False
) -> BackendError:
    """Return `error` as it is told, or itself if there is nothing better to say.

    Parameters
    ----------
    error
        The failure that is reported.
    url
        The server's address.
    model
        The model that was asked for.
    naming
        True if the request that failed was one that names the model to the server.
    """

    def refusal(error: StatusError) -> str:
        if naming and (error.status, error.server_message) == _NO_WORDS:
            return f"{error}: {_GUESS.format(model=model)}"
        facts = {"url": url, "model": model, "kind": "gpt-gm server"}
        return advised(error, _ADVICE, usual_wait=_USUAL_WAIT, **facts)

    return told(error, refusal)
