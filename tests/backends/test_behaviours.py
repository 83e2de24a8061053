"""Each row of the table of behaviours, over real sockets."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import closing, contextmanager
from typing import Any

import pytest

from h2o_magic.backends.gptgm import GptGmBackend
from h2o_magic.backends.openai import OpenAIBackend
from h2o_magic.backends.retry import RetryPolicy
from h2o_magic.chat.events import Notice
from h2o_magic.conversation.answer import Answer
from h2o_magic.conversation.session import Session
from h2o_magic.errors import BackendError
from tests.backends.behaviours import ROWS
from tests.backends.behaviours.row import Row, said, sse, stream
from tests.backends.dialects import GPTGM, OPENAI
from tests.backends.scripted import Answer as Reply
from tests.backends.scripted import ScriptedServer, document, final, serving, token

#: A row is not cut into single bytes if it has more of them.
_SMALL = 3000
_MODELS = document({"data": [{"id": "m"}]})
_RETRY = RetryPolicy(tries=3, wait=0.0)
_WHOLE = {
    False: stream(sse(said("Hello"), said(" world", "stop"))),
    True: stream(sse(token(" Hello"), token(" world"), final(" Hello world"))),
}


@contextmanager
def _asking(
    row: Row, cut: int = 0
) -> Iterator[tuple[Session, ScriptedServer, list[Reply]]]:
    """A session with a server, and the list of what that will answer."""
    queued = [each.cut(cut) if cut else each for each in row.sends]
    dialect, backend = (GPTGM, GptGmBackend) if row.gptgm else (OPENAI, OpenAIBackend)
    usual = _WHOLE[row.gptgm]
    answering = dialect.script(then=lambda _: queued.pop(0) if queued else usual)
    with (
        serving(
            lambda r: _MODELS if r.path == "/v1/models" else answering(r)
        ) as server,
        closing(backend(server.url, retry=_RETRY, timeouts=row.timeouts)) as client,
    ):
        yield Session(client), server, queued


def _ask(session: Session, row: Row) -> tuple[Answer, list[str], BackendError | None]:
    """Ask, and return the answer, what was told before it, and how it failed."""
    answer = session.ask("Hi there", model="mm", **row.parameters)
    notices = []
    try:
        for event in answer:
            if isinstance(event, Notice):
                notices.append(event.text)
    except BackendError as error:
        return answer, notices, error
    return answer, notices, None


def _outcome(answer: Answer, error: BackendError | None) -> dict[str, Any]:
    facts = answer.facts
    ended = facts.finish_reason if error is None else type(error)
    counts = (facts.prompt_tokens, facts.completion_tokens)
    return {
        "text": answer.text,
        "reasoning": answer.reasoning,
        "ends": ended,
        "counts": counts,
        "status": facts.status,
    }


def _expected(row: Row) -> dict[str, Any]:
    whole = isinstance(row.ends, str)
    return {
        "text": row.text,
        "reasoning": row.reasoning,
        "ends": row.ends,
        "counts": row.counts,
        "status": "complete" if whole else "failed",
    }


def _questions(row: Row, server: ScriptedServer) -> list[str]:
    return (GPTGM if row.gptgm else OPENAI).questions(server)


@pytest.mark.parametrize("row", ROWS, ids=lambda row: row.promise)
def test_what_servers_do_comes_to_the_right_value(row: Row) -> None:
    with _asking(row) as (session, server, queued):
        answer, notices, error = _ask(session, row)
        assert _outcome(answer, error) == _expected(row), error
        assert len(_questions(row, server)) == row.requests
        assert tuple(notices) == row.notices
        assert row.model in ("", answer.facts.model)
        if error is not None:
            assert [words for words in row.says if words not in str(error)] == []
            assert error.partial == row.text
        queued.clear()
        session.ask("And now?", model="mm").read()
        sent = server.requests[-1] if not row.gptgm else None
        if sent is not None:
            kept = [m["content"] for m in sent.json["messages"]]
            whole = error is None and row.text
            assert kept == [*(["Hi there", row.text] if whole else []), "And now?"]
