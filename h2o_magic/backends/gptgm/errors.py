"""What the failures of a gpt-gm server mean: what to try again, and what to advise.

Pure. The failures are those of chat-ui of June 2023 and text-generation-inference 0.9
(tests/recordings).
"""

from __future__ import annotations

from h2o_magic.backends.error_advice import COMMON, Row, message_of, refusal_message
from h2o_magic.backends.retry import requested_wait
from h2o_magic.errors import BackendError, GenerationError, StatusError

_BUSY_STATUSES = {429, 502, 503, 504}
_ADVICE: tuple[Row, ...] = (
    (403, "referer", "the server has another address; connect to that one"),
    (404, "conversation not found", "the server does not keep its conversations"),
    (405, "modal", "the server does not keep its sessions; its log may say why"),
    (422, "", ""),
    (424, "", ""),
    *COMMON,
)
# What chat-ui says about a model that it does not know, and about much else.
_NO_WORDS = (500, "Internal Error")
_USUAL_WAIT = 60.0  # seconds; chat-ui counts the messages of the last minute


def is_busy(error: BackendError) -> bool:
    """Return whether the server may answer after a wait."""
    if isinstance(error, GenerationError):
        return error.error_type == "overloaded"
    if not isinstance(error, StatusError) or error.status not in _BUSY_STATUSES:
        return False
    waits = requested_wait(error) is not None or "overloaded" in error.server_message
    return error.status != 429 or waits


def repair_for(error: BackendError) -> str | None:
    """Return the name of what a second try may repair; None if nothing."""
    if terms_missing(error):
        return "terms"
    failed = isinstance(error, GenerationError) and error.error_type == "generation"
    if failed or (isinstance(error, StatusError) and error.status == 424):
        return "generation"
    return None


def terms_missing(error: BackendError | None) -> bool:
    return (
        isinstance(error, StatusError)
        and error.status == 405
        and "modal" in error.server_message.lower()
    )


def explain(
    error: BackendError, *, url: str, model: str = "", names_model: bool = False
) -> str:
    """Return an error's message with advice, if there is any.

    `names_model` is true if the request that failed was one that names the model.
    """

    def refusal(error: StatusError) -> str:
        if names_model and (error.status, error.server_message) == _NO_WORDS:
            hint = f"perhaps it does not have the model {model!r}; see what it offers"
            return f"{error}: {hint}"
        facts = {"url": url, "model": model, "kind": "gpt-gm server"}
        return refusal_message(error, _ADVICE, usual_wait=_USUAL_WAIT, **facts)

    return message_of(error, refusal)
