"""One question to an OpenAI-compatible server, and the body that it is sent with."""

from __future__ import annotations

from collections.abc import Generator
from functools import partial

from h2o_magic.backends.ask import read
from h2o_magic.backends.base import ChatRequest
from h2o_magic.backends.http import QUICK, Cancellation
from h2o_magic.backends.openai.api import OpenAICalls
from h2o_magic.backends.openai.errors import Asked, explained
from h2o_magic.backends.openai.flavour import entries_of
from h2o_magic.backends.openai.parser import Interpreter
from h2o_magic.backends.openai.reader import AnswerReader
from h2o_magic.backends.openai.repairs import Repairs
from h2o_magic.backends.openai.request import Body, asks_for_flavour, make_body
from h2o_magic.backends.openai.schema import holds_to
from h2o_magic.backends.retry import Patience
from h2o_magic.chat.events import Event
from h2o_magic.errors import BackendError


class OpenAIQuestion:
    """How one question is asked; what a server refuses is left out of its body."""

    def __init__(self, request: ChatRequest, patience: Patience) -> None:
        self._request = request
        self._repairs = Repairs(patience)
        self._body: Body | None = None

    def answer(
        self, calls: OpenAICalls, cancellation: Cancellation
    ) -> Generator[Event, None, None]:
        """Send the question once, and yield the answer's events.

        Raises
        ------
        ParameterError
            If the server cannot be told a parameter that somebody set.
        """
        request = self._request
        if self._body is None:
            flavour = calls.known_flavour or "standard"
            if asks_for_flavour(request):
                flavour = calls.flavour(cancellation)
            self._body = make_body(request, flavour, calls.url)
        schema, stop = request.schema, request.parameters.get("stop", ())
        interpreter = Interpreter(
            stop=stop if isinstance(stop, tuple) else (),
            schema=schema is not None and holds_to(schema, calls.flavour(cancellation)),
        )
        # Closing the body, as whatever ends this does, stops the server's work.
        with calls.ask(self._body.document, cancellation) as reply:
            reader = AnswerReader(interpreter)
            yield from read(reply, reader, interpreter, calls.timeouts)

    def retry_after(self, error: BackendError) -> float | None:
        """Return the seconds after which to ask again; None to give up."""
        repair = self._repairs.after(error, self._body)
        if repair is None:
            return None
        self._body = repair.body
        return repair.delay

    def explained(self, error: BackendError, calls: OpenAICalls) -> BackendError:
        """Return `error` with advice."""
        names = partial(_names, calls)
        return explained(
            error, Asked(calls.url, self._request.model, self._body, names)
        )


def _names(calls: OpenAICalls) -> list[str]:
    """Return the names of the server's models; none if it does not say at once."""
    try:
        entries = calls.models(read=entries_of, timeouts=QUICK)
        return [entry["id"] for entry in entries]
    except BackendError:
        return []
