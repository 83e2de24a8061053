"""The loop of a question, with a dialect that a test plays."""

from __future__ import annotations

from collections.abc import Callable, Generator

import pytest

from h2o_magic.backends.ask import ask
from h2o_magic.backends.http import Cancellation
from h2o_magic.chat.events import Event, Finished, Notice, Source, TextDelta
from h2o_magic.errors import BackendError, ConnectionFailedError, ProtocolError

Step = Event | BackendError
WHOLE = (TextDelta("a"), Finished("a"))


class Scripted:
    """Plays one try after the other, and is always willing to try again."""

    def __init__(self, *tries: tuple[Step, ...], delay: float | None = 0.0) -> None:
        self.tries = list(tries)
        self.delay = delay
        self.asked: list[str] = []
        self.closed = 0

    def answer(
        self,
        client: str,
        cancellation: Cancellation,  # noqa: ARG002
    ) -> Generator[Event, None, None]:
        self.asked.append(client)
        try:
            for step in self.tries.pop(0):
                if isinstance(step, BackendError):
                    raise step
                yield step
        finally:
            self.closed += 1

    def retry_after(self, error: BackendError) -> float | None:  # noqa: ARG002
        return self.delay

    def explain(self, error: BackendError, client: str) -> str:
        return f"{error}, at {client}"


def staying(_: bool) -> str:
    return "here"


def moving() -> Callable[[bool], str]:
    places = iter(["here", "there", "nowhere"])
    return lambda _: next(places)


@pytest.mark.parametrize("before", [(), (Source("m"),), (Notice("loading"),)])
def test_what_fails_before_text_is_asked_again(before: tuple[Event, ...]) -> None:
    question = Scripted((*before, ProtocolError("x")), WHOLE)
    assert [*ask(question, staying)] == [*before, *WHOLE]
    assert question.asked == ["here", "here"]
    assert question.closed == 2


def test_a_failure_after_text_is_reported_with_advice() -> None:
    stream = ask(Scripted((TextDelta("a"), ProtocolError("x"))), staying)
    assert next(stream) == TextDelta("a")
    with pytest.raises(ProtocolError, match="x, at here"):
        next(stream)


def test_a_server_that_moved_is_asked_once_where_it_is_now() -> None:
    def lost() -> tuple[Step, ...]:
        return (ConnectionFailedError("x"),)

    question = Scripted(lost(), WHOLE, delay=None)
    assert [*ask(question, moving())] == [*WHOLE]
    assert question.asked == ["here", "there"]
    with pytest.raises(ConnectionFailedError, match="x, at there"):
        list(ask(Scripted(lost(), lost(), delay=None), moving()))
    with pytest.raises(ConnectionFailedError, match="x, at here"):
        list(ask(Scripted(lost(), delay=None), staying))


def test_closing_closes_the_try_under_way_and_ends_without_an_error() -> None:
    question = Scripted(WHOLE)
    stream = ask(question, staying)
    assert next(stream) == TextDelta("a")
    stream.close()
    assert question.closed == 1
    assert list(stream) == []
