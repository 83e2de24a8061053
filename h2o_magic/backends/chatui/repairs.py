"""What may be tried again before the first token of a chat-ui answer, and when.

Pure. A busy server is asked as often as :class:`~.patience.Patience` says, and
not at all after a 429 that names no time: refused messages count towards its limit.
"""

from __future__ import annotations

from h2o_magic.backends.gptgm.repairs import Repairs as BusyRepairs
from h2o_magic.backends.gptgm.repairs import terms_missing
from h2o_magic.backends.patience import Patience
from h2o_magic.errors import BackendError, StatusError

__all__ = ["Repairs", "conversation_lost"]

# Status, and words in the server's message (in lower case): the conversation or the
# message has gone, it belongs to another session, or it is full.
_LOST = (
    (404, "conversation not found"),
    (404, "message not found"),
    (403, "access to this conversation"),
    (429, "start a new"),
)


class Repairs:
    """The repairs of one question: a lost conversation is made again once.

    Parameters
    ----------
    patience
        How often to ask a busy server.
    """

    def __init__(self, patience: Patience) -> None:
        self._busy = BusyRepairs(patience)
        self._made_again = False

    def delay(self, error: BackendError, *, kept: bool) -> float | None:
        """Return the seconds after which to try again, or None to give up.

        Parameters
        ----------
        error
            The failure of the last try, which came before any token.
        kept
            True if the conversation is one of an earlier question.
        """
        if terms_missing(error):
            return None  # a server of 2023, which needs another protocol
        if not conversation_lost(error, kept=kept):
            return self._busy.delay(error)
        again, self._made_again = not self._made_again, True
        return 0.0 if again else None


def conversation_lost(error: BackendError | None, *, kept: bool) -> bool:
    """Return whether the conversation has to be made again.

    A parent message that the server does not have is a 500 without words there.
    """
    if not isinstance(error, StatusError):
        return False
    said = error.server_message.lower()
    named = any(error.status == status and words in said for status, words in _LOST)
    return named or (kept and error.status == 500)
