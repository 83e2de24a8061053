"""What comes of asking a row: an answer, a failure, or that it is to be asked later."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal, TypeAlias

from h2o_magic.chat.events import RateLimit

#: What a failure is about: the row itself; a server that takes no more now, or cannot
#: be reached; or what all rows will meet, such as a wrong key or an unknown model.
FailureKind: TypeAlias = Literal["row", "busy", "lost", "run"]


@dataclass(frozen=True, slots=True)
class RowAnswer:
    """An answer that counts: it is complete, and fits the schema if there is one.

    Attributes
    ----------
    text : str
        The answer; with a schema, its JSON.
    prompt_tokens, completion_tokens : int or None
        As the server counted; both questions' where the answer was repaired.
    seconds, first_token : float
        From the question to the end, and to the first text; the latter may be None.
    model : str
        What answered, by the server's name; empty if it did not say.
    repaired : str
        The first answer, which did not fit the schema; empty if that one counts.
    """

    text: str
    prompt_tokens: int | None = None
    completion_tokens: int | None = None
    seconds: float = 0.0
    first_token: float | None = None
    model: str = ""
    repaired: str = ""


@dataclass(frozen=True, slots=True)
class RowFailure:
    """Why a row has no answer.

    `wait` is for how many seconds a busy server asks; of a lost row, it says that the
    server cannot be reached now.
    """

    message: str
    kind: FailureKind = "row"
    wait: float | None = None


@dataclass(frozen=True, slots=True)
class Outcome:
    """What came of asking a row; `requests` is how many were sent for that.

    `ticket` is the number under which the row was given to be asked. `limit` is what
    the server said about its limits. The tokens are those of all its requests, also of
    ones that failed; None where the server did not say.
    """

    ticket: int
    result: RowAnswer | RowFailure
    requests: int = 1
    limit: RateLimit | None = None
    prompt_tokens: int | None = None
    completion_tokens: int | None = None
