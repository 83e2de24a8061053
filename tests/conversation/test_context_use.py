"""How full the context would be, told while a question is typed."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace

import pytest

from h2o_magic.backends.base import ModelInfo
from h2o_magic.chat.messages import user
from h2o_magic.chat.turns import Thread, Turn
from h2o_magic.config.definitions import LOCAL
from h2o_magic.conversation.session import Session
from tests.stand_in import StandIn


@pytest.fixture
def session() -> Iterator[Session]:
    session = Session()
    yield session
    session.close()


def fill(session: Session, *turns: Turn) -> None:
    session.record.add([Thread("main", turns)])


def test_the_parts_of_a_request_are_counted(session: Session) -> None:
    session.configure(system="Be brief. " * 30)
    fill(session, Turn("q" * 300, "a" * 600), Turn("q" * 300, "a" * 600))
    empty, typed = session.context_use(""), session.context_use("Why? " * 300, more=50)
    assert (empty.sent, empty.earlier, empty.full) == (2, 2, False)
    assert 600 < empty.turns < 700
    assert 100 < empty.system < 120
    assert empty.question == 0
    assert typed.question > 550
    assert typed.used == typed.question + typed.system + typed.turns
    assert (typed.turns, typed.system) == (empty.turns, empty.system)


def test_turns_that_have_no_room_are_told(session: Session) -> None:
    fill(session, *(Turn("q" * 3000, "a" * 3000) for _ in range(4)))
    session.configure(context=4096, max_new_tokens=1000)
    use = session.context_use("Why?")
    assert (use.sent, use.earlier, use.full) == (1, 4, True)
    assert (use.holds, use.answer, use.known) == (4096, 1000, False)


def test_an_edit_counts_the_turns_before_it(session: Session) -> None:
    fill(session, *(Turn("q", "a") for _ in range(4)))
    second = session.turns()[1]
    assert session.context_use("Why?", replaces=second).sent == 1


def test_what_a_server_listed_is_known_without_asking_it(session: Session) -> None:
    listed = [replace(ModelInfo("llama-13b"), context=128_000, system="Be kind.")]
    session.configure(model="llama-13b")
    session.servers.model_cache.put(LOCAL, listed)
    use = session.context_use("Why?")
    assert (use.holds, use.known) == (128_000, True)
    assert use.system > 0  # the recommended text


def test_no_server_is_asked(server: StandIn) -> None:
    session = Session()
    session.configure(server=server.url)
    assert not session.context_use("Why?").known
    session.configure(server="nobody-knows-it")
    assert not session.context_use("Why?").known
    session.close()
    assert server.requests == []


def test_the_servers_own_count_makes_it_exact(server: StandIn) -> None:
    session = Session()
    session.configure(server=server.url)
    before = session.context_use("word " * 1000).question
    session.connection.limits.learn("llama-13b", [user("x" * 6000)], 1000)
    assert session.context_use("word " * 1000).question < before
    session.close()
