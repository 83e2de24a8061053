"""One question to an OpenAI-compatible server: asked, repaired before text, read."""

from __future__ import annotations

import time
from collections.abc import Callable, Generator, Iterator
from functools import partial

from h2o_magic.backends import ChatRequest
from h2o_magic.backends.openai.advice import Asked, explained
from h2o_magic.backends.openai.calls import OpenAICalls
from h2o_magic.backends.openai.flavour import entries_of
from h2o_magic.backends.openai.reader import AnswerReader
from h2o_magic.backends.openai.repairs import Repairs
from h2o_magic.backends.openai.request import Body, asks_for_flavour, make_body
from h2o_magic.backends.openai.schema import holds_to
from h2o_magic.backends.openai.stream import Interpreter
from h2o_magic.backends.patience import Patience
from h2o_magic.backends.telling import telling
from h2o_magic.errors import BackendError, ConnectionFailedError, TimedOutError
from h2o_magic.events import Event, Source
from h2o_magic.transport import QUICK, Cancellation, Reply, Timeouts

__all__ = ["answer_events"]

# Seconds to wait for the counts after the answer's end, and for the end of the body
# after the word that nothing more comes.
_COUNTS_GRACE = 5.0
_END_GRACE = 1.0


def answer_events(
    connect: Callable[[bool], OpenAICalls],
    request: ChatRequest,
    *,
    patience: Patience,
    cancellation: Cancellation,
) -> Generator[Event, None, None]:
    """Ask, and yield the answer's events, the last of them `Finished`.

    Parameters
    ----------
    connect
        Returns the way to the server; told True where the last one led to nobody. It
        is asked once more only if it then returns another.
    request
        What is asked.
    patience
        How often to ask a busy server.
    cancellation
        Ends the answer from another thread, without an error and without `Finished`.

    Raises
    ------
    ParameterError
        If the server cannot be told a parameter that somebody set.
    BackendError
        If the answer does not come or breaks off.
    """
    repairs = Repairs(patience)
    body: Body | None = None
    calls, moved = connect(False), False
    while True:
        told = False
        try:
            if body is None:
                body = _first_body(calls, request, cancellation)
            for event in _one_try(calls, request, body, cancellation):
                told = told or not isinstance(event, Source)
                yield event
            return
        except BackendError as error:
            if cancellation.cancelled:
                return
            lost = isinstance(error, ConnectionFailedError) and not (told or moved)
            if lost and (other := connect(True)) is not calls:
                calls, moved = other, True
                continue
            repair = None if told else repairs.after(error, body)
            if repair is None:
                asked = Asked(calls.url, request.model, body, partial(_names, calls))
                with telling(partial(explained, asked=asked)):
                    raise
            body = repair.body
        if cancellation.wait(repair.delay):
            return


def _first_body(
    calls: OpenAICalls, request: ChatRequest, cancellation: Cancellation
) -> Body:
    flavour = calls.known_flavour or "standard"
    if asks_for_flavour(request):
        flavour = calls.flavour(cancellation)
    return make_body(request, flavour, calls.url)


def _one_try(
    calls: OpenAICalls, request: ChatRequest, body: Body, cancellation: Cancellation
) -> Iterator[Event]:
    schema = request.schema
    stop = request.parameters.get("stop", ())
    interpreter = Interpreter(
        stop=stop if isinstance(stop, tuple) else (),
        schema=schema is not None and holds_to(schema, calls.flavour(cancellation)),
    )
    # The body is closed by whatever ends this; that stops the server's work.
    with calls.ask(body.document, cancellation) as reply:
        yield from _read(reply, interpreter, calls.timeouts)


def _read(
    reply: Reply, interpreter: Interpreter, timeouts: Timeouts
) -> Generator[Event, None, None]:
    reader = AnswerReader(interpreter)
    lost: BackendError | None = None
    last = time.monotonic()
    try:
        for data in reply.chunks():
            before = interpreter.chunks
            yield from reader.feed(data)
            if interpreter.chunks > before:
                last = time.monotonic()
            _limit(reply, interpreter, timeouts, time.monotonic() - last)
    except (ConnectionFailedError, TimedOutError) as error:
        lost = error
    yield from reader.flush()
    if isinstance(lost, TimedOutError) and not interpreter.said_end:
        lost.partial = interpreter.text
        raise lost
    yield reader.end(lost)


def _limit(
    reply: Reply, interpreter: Interpreter, timeouts: Timeouts, silence: float
) -> None:
    """Limit the wait for the next byte.

    A server may name itself before it begins to read the question, so the long wait
    is that for the first text. What is no chunk of the answer keeps nobody waiting
    for longer: some servers ping on while they hang.
    """
    if interpreter.said_done:
        reply.hurry(_END_GRACE)
    elif interpreter.said_end:
        reply.hurry(_COUNTS_GRACE)
    else:
        left = max(timeouts.first_byte - silence, 0.0)
        if not interpreter.spoke:
            reply.allow(left, "first words", of=timeouts.first_byte)
        elif left < timeouts.idle:
            reply.allow(left, "next words", of=timeouts.first_byte)


def _names(calls: OpenAICalls) -> list[str]:
    """Return the names of the server's models; none if it does not say at once."""
    try:
        entries = calls.models(read=entries_of, timeouts=QUICK)
        return [entry["id"] for entry in entries]
    except BackendError:
        return []
