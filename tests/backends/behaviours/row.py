"""One behaviour of a server: what it sends, and what must come of it."""

from __future__ import annotations

import json
import time
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field, replace
from typing import Any

from h2o_magic.backends.http import DEFAULT_TIMEOUTS, Timeouts
from h2o_magic.chat.events import FinishReason
from h2o_magic.errors import BackendError
from tests.backends.scripted import Answer, answer

DONE = b"data: [DONE]\n\n"
WORDS = "Hello world"


@dataclass(frozen=True)
class Row:
    """One behaviour.

    Attributes
    ----------
    promise : str
        What the user may rely on.
    origin : str
        Which server does so, and where that is documented or reported.
    sends : tuple of Answer
        The answers to the first requests; a further one gets a whole answer.
    text, reasoning : str
        All of what came, also before a failure.
    ends : str or type
        Why the answer ended, or the error in place of an end. An answer that ended is
        kept whole, and sent along with the next question; another one is not.
    says : tuple of str
        What the error's message says.
    counts : tuple
        The tokens of the prompt and of the answer, None where they are not known.
    requests : int
        How often the server was asked.
    model : str
        What the server calls the model; empty if that is not looked at.
    notices : tuple of str
        What was told before the first text.
    parameters, timeouts, gptgm
        How it was asked, and in which dialect.
    """

    promise: str
    origin: str
    sends: tuple[Answer, ...]
    text: str = WORDS
    reasoning: str = ""
    ends: FinishReason | type[BackendError] = "end"
    says: tuple[str, ...] = ()
    counts: tuple[int | None, int | None] = (None, None)
    requests: int = 1
    model: str = ""
    notices: tuple[str, ...] = ()
    parameters: Mapping[str, Any] = field(default_factory=dict)
    timeouts: Timeouts = DEFAULT_TIMEOUTS
    gptgm: bool = False


def row(
    promise: str, origin: str, *sends: bytes | Answer, says: Any = (), **expected: Any
) -> Row:
    """Make a row; bytes are the body of a stream, a text in `says` stands alone."""
    answers = tuple(s if isinstance(s, Answer) else stream(s) for s in sends)
    words = (says,) if isinstance(says, str) else says
    return Row(promise, origin, answers, says=words, **expected)


def stream(*pieces: bytes, **how: Any) -> Answer:
    """A body of events, each piece in a chunk of its own."""
    how.setdefault("content_type", "text/event-stream")
    return answer(list(pieces), **how)


def pinging(begun: bytes) -> Answer:
    """A body that begins so, and pings for as long as anybody listens."""
    begins = stream(begun, end="hold")
    return replace(begins, pieces=Pings(begins.pieces), end="close")


class Pings(tuple[bytes, ...]):
    """Pieces, and then pings without end."""

    def __iter__(self) -> Iterator[bytes]:
        yield from super().__iter__()
        while True:
            time.sleep(0.01)
            yield b"8\r\n: ping\n\n\r\n"


def chunk(delta: Any = None, finish: str | None = None, **more: Any) -> dict[str, Any]:
    choice = {"index": 0, "delta": delta or {}, "finish_reason": finish}
    return {"object": "chat.completion.chunk", "choices": [choice], **more}


def said(text: str, finish: str | None = None, **more: Any) -> dict[str, Any]:
    return chunk({"content": text}, finish, **more)


def choice(**fields: Any) -> dict[str, Any]:
    """A chunk of whose choice only these fields are there."""
    return {"object": "chat.completion.chunk", "choices": [{"index": 0, **fields}]}


def sse(*documents: Any) -> bytes:
    """Return a stream of events; bytes stand for themselves."""
    return b"".join(
        d if isinstance(d, bytes) else b"data: %s\n\n" % json.dumps(d).encode()
        for d in documents
    )


#: A whole answer, for rows about what is between its parts.
FIRST, LAST = said("Hello"), said(" world", "stop")
HELLO = sse(FIRST, LAST, DONE)


def usage(prompt: int, completion: int) -> dict[str, int]:
    total = prompt + completion
    return {
        "prompt_tokens": prompt,
        "completion_tokens": completion,
        "total_tokens": total,
    }
