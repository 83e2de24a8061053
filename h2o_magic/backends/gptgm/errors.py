"""What the failures of a gpt-gm server mean: what to try again, and what to advise.

Pure. The failures are those of chat-ui of June 2023 and text-generation-inference 0.9
(tests/recordings).
"""

from __future__ import annotations

from h2o_magic.backends.error_advice import COMMON, Row, advised, told
from h2o_magic.backends.retry import DEFAULT_PATIENCE, Patience, Waits, names_a_wait
from h2o_magic.errors import BackendError, GenerationError, StatusError

_BUSY_STATUSES = {429, 502, 503, 504}
_ADVICE: tuple[Row, ...] = (
    (403, "referer", "the server is known by another address; use that one"),
    (404, "conversation not found", "the server does not keep its conversations"),
    (405, "modal", "the server does not keep its sessions; its log may say why"),
    (422, "", ""),
    (424, "", ""),
    *COMMON,
)
# What chat-ui says about a model that it does not know, and about much else.
_NO_WORDS = (500, "Internal Error")
_GUESS = "perhaps it does not have the model {model!r}; see what it offers"
_USUAL_WAIT = 60.0  # seconds; chat-ui counts the messages of the last minute


class Repairs:
    """What may be tried again: each repair once, a busy server as `patience` says."""

    def __init__(self, patience: Patience = DEFAULT_PATIENCE) -> None:
        self._waits = Waits(patience)
        self._done: set[str] = set()

    def after(self, error: BackendError) -> float | None:
        """Return the seconds after which to try again, or None to give up."""
        if _is_busy(error):
            return self._waits.after(error)
        kind = _repairable(error)
        if kind is None or kind in self._done:
            return None
        self._done.add(kind)
        return 0.0


def terms_missing(error: BackendError | None) -> bool:
    """Return whether the server session has not accepted the terms."""
    return (
        isinstance(error, StatusError)
        and error.status == 405
        and "modal" in error.server_message.lower()
    )


def explained(
    error: BackendError, *, url: str, model: str = "", naming: bool = False
) -> BackendError:
    """Return `error` with advice, or itself if there is nothing better to say.

    `naming` is true if the request that failed was one that names the model.
    """

    def refusal(error: StatusError) -> str:
        if naming and (error.status, error.server_message) == _NO_WORDS:
            return f"{error}: {_GUESS.format(model=model)}"
        facts = {"url": url, "model": model, "kind": "gpt-gm server"}
        return advised(error, _ADVICE, usual_wait=_USUAL_WAIT, **facts)

    return told(error, refusal)


def _repairable(error: BackendError) -> str | None:
    if terms_missing(error):
        return "terms"
    failed = isinstance(error, GenerationError) and error.error_type == "generation"
    if failed or (isinstance(error, StatusError) and error.status == 424):
        return "generation"
    return None


def _is_busy(error: BackendError) -> bool:
    if isinstance(error, GenerationError):
        return error.error_type == "overloaded"
    if not isinstance(error, StatusError) or error.status not in _BUSY_STATUSES:
        return False
    waits = names_a_wait(error) or "overloaded" in error.server_message
    return error.status != 429 or waits
