"""Each row of the table of behaviours, over real sockets."""

from __future__ import annotations

import re
from collections.abc import Iterator
from contextlib import closing, contextmanager

import pytest

from h2o_magic.backends.gptgm import GptGmBackend
from h2o_magic.backends.openai import OpenAIBackend
from h2o_magic.backends.retry import RetryPolicy
from h2o_magic.chat.events import Notice
from h2o_magic.conversation.answer import Answer
from h2o_magic.conversation.session import Session
from h2o_magic.errors import BackendError
from tests.backends.behaviours import ROWS
from tests.backends.behaviours.row import Pings, Row, said, sse, stream
from tests.backends.dialects import GPTGM, OPENAI
from tests.backends.scripted import Answer as Reply
from tests.backends.scripted import ScriptedServer, document, final, serving, token

#: What is larger than this is not cut, and the size of the pieces, in bytes.
_SMALL, _PIECE = 3000, 5
_MODELS = document({"data": [{"id": "mistral"}]})
_RETRY = RetryPolicy(tries=3, wait=0.0)
_USUAL = {
    False: stream(sse(said("Hello"), said(" world", "stop"))),
    True: stream(sse(token(" Hello"), token(" world"), final(" Hello world"))),
}
_QUOTES = re.compile("cannot be read|expected an answer")
_QUESTION = "Hi there"


@contextmanager
def _asking(row: Row) -> Iterator[tuple[Session, ScriptedServer, list[Reply]]]:
    """A session with a server, and the list of what that will answer."""
    dialect, backend = (GPTGM, GptGmBackend) if row.gptgm else (OPENAI, OpenAIBackend)
    queued: list[Reply] = []
    usual = _USUAL[row.gptgm]
    answering = dialect.script(then=lambda _: queued.pop(0) if queued else usual)
    with (
        serving(
            lambda r: _MODELS if r.path == "/v1/models" else answering(r)
        ) as server,
        closing(backend(server.url, retry=_RETRY, timeouts=row.timeouts)) as client,
    ):
        yield Session(client), server, queued


def _ask(session: Session, row: Row) -> Answer:
    """Ask, and compare what comes with the right value."""
    answer = session.ask(_QUESTION, model="mistrl", **row.parameters)
    notices: list[str] = []
    failed: BackendError | None = None
    try:
        notices += [event.text for event in answer if isinstance(event, Notice)]
    except BackendError as error:
        failed = error
    facts = answer.facts
    got = (
        answer.text,
        answer.reasoning,
        (failed and type(failed)) or facts.finish_reason,
    )
    assert got == (row.text, row.reasoning, row.ends), failed
    assert (facts.prompt_tokens, facts.completion_tokens) == row.counts
    assert facts.status == ("failed" if failed else "complete")
    assert row.model in ("", facts.model)
    if failed:
        assert [words for words in row.says if words not in str(failed)] == []
        assert failed.partial == row.text
        # An error's own words, and not the document that holds them.
        shown = "{" in "".join(row.says) or _QUOTES.search(str(failed))
        assert shown or "{" not in str(failed)
    else:
        assert tuple(notices) == row.notices
    return answer


def _cut(reply: Reply) -> Reply:
    endless = isinstance(reply.pieces, Pings)
    small = not endless and sum(map(len, reply.pieces)) < _SMALL
    return reply.cut(_PIECE) if small else reply


def test_each_behaviour_is_in_the_table_once() -> None:
    promises = [(row.gptgm, row.promise) for row in ROWS]
    assert len(set(promises)) == len(promises) >= 150
    assert all(row.origin for row in ROWS)


@pytest.mark.parametrize("row", ROWS, ids=lambda row: row.promise)
def test_what_servers_do_comes_to_the_right_value(row: Row) -> None:
    dialect = GPTGM if row.gptgm else OPENAI
    with _asking(row) as (session, server, queued):
        queued.extend(row.sends)
        _ask(session, row)
        assert len(dialect.questions(server)) == row.requests
        # The same once more, in pieces that are cut anywhere, without what was learned.
        session.backend.close()
        queued[:] = map(_cut, row.sends)
        again = _ask(session, row)
        assert len(dialect.questions(server)) == 2 * row.requests
        kept = [_QUESTION, row.text] if row.text and isinstance(row.ends, str) else []
        assert [m.content for m in again.messages] == [*kept, _QUESTION]
