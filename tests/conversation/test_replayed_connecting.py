"""Connecting where answers are stored: nobody is asked, and nobody else is either."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from h2o_magic.backends.servers.known import KnownServer, KnownServers
from h2o_magic.backends.servers.servers import Servers
from h2o_magic.config.settings import Settings
from h2o_magic.conversation.session import Session
from h2o_magic.errors import ReplayMissError
from tests.backends.scripted import ScriptedServer
from tests.by_question import answering, questions


def session(folder: Path, replay: str = "answers/") -> Session:
    settings = Settings()
    settings.set("replay", replay)
    return Session(settings=settings, folder=folder)


def change(folder: Path, fact: dict[str, Any]) -> None:
    """Change what a folder says that connecting returned."""
    changed = 0
    for file in (folder / "answers").glob("??/*.json"):
        entry = json.loads(file.read_bytes())
        if entry.get("what") == "connection":
            entry["value"] |= fact
            file.write_text(json.dumps(entry))
            changed += 1
    assert changed


def knows(asking: Session, name: str, server: ScriptedServer) -> None:
    asking.servers.remember(KnownServer(name, server.url, "openai"))


def test_a_second_run_connects_without_asking(tmp_path: Path) -> None:
    with answering({}) as server:
        first = session(tmp_path).connect(server.url, name="lab")
        asked = len(server.requests)
        second = session(tmp_path).connect(server.url, name="lab")
        assert len(server.requests) == asked
    assert str(second).startswith(str(first))
    assert "the server was not asked" in str(second)


@pytest.mark.parametrize("named", ["", "prod", "local"])
def test_a_folder_does_not_say_where_a_question_goes(
    tmp_path: Path, named: str
) -> None:
    with answering({}) as server, answering({}) as other:
        session(tmp_path).connect(server.url)
        change(tmp_path, {"server": named or other.url, "url": other.url})
        asking = session(tmp_path)
        knows(asking, "prod", other)
        asking.connect(server.url)
        assert asking.ask("One?").read() == "re: One?"
        assert questions(server) == ["One?"]
        assert other.requests == []


def test_nor_where_one_goes_to_a_server_that_is_named(tmp_path: Path) -> None:
    with answering({}) as server, answering({}) as other:
        first = session(tmp_path)
        knows(first, "lab", server)
        first.connect("lab")
        change(tmp_path, {"server": other.url, "url": other.url})
        asking = session(tmp_path)
        knows(asking, "lab", server)
        asking.connect("lab")
        assert asking.ask("One?").read() == "re: One?"
        assert other.requests == []


def test_a_name_that_means_another_server_here_is_the_notebooks_in_it(
    tmp_path: Path,
) -> None:
    with answering({}) as server, answering({}) as other:
        session(tmp_path).connect(server.url, name="lab")
        asking = session(tmp_path)
        knows(asking, "lab", other)
        asking.connect(server.url, name="lab")
        assert asking.ask("One?").read() == "re: One?"
        assert other.requests == []


def test_in_only_connecting_to_a_new_server_asks_nobody(tmp_path: Path) -> None:
    with answering({}) as server:
        asking = session(tmp_path, "only answers/")
        with pytest.raises(ReplayMissError, match="does not say what"):
            asking.connect(server.url)
        assert server.requests == []


@pytest.mark.parametrize(
    "fact", [{"server": 5}, {"dialect": 5}, {"dialect": "nosuch"}, {"url": None}]
)
def test_facts_that_cannot_be_are_asked_anew(
    tmp_path: Path, fact: dict[str, Any]
) -> None:
    with answering({}) as server:
        session(tmp_path).connect(server.url, name="lab")
        change(tmp_path, fact)
        asked = len(server.requests)
        connected = session(tmp_path).connect(server.url, name="lab")
        assert "not asked" not in str(connected)
        assert len(server.requests) > asked


def test_a_name_that_is_anothers_here_can_be_used_and_forgotten(
    tmp_path: Path,
) -> None:
    known = KnownServers(tmp_path / "servers.json")
    with answering({}) as server, answering({}) as other:
        known.keep(KnownServer("lab", other.url, "openai"))
        session(tmp_path).connect(server.url, name="lab")
        asking = session(tmp_path)
        asking.servers = Servers(known)
        asking.connect(server.url, name="lab")
        asking.settings.set("replay", "off")
        asking.connect("lab")
        assert asking.ask("One?").read() == "re: One?"
        assert other.requests == []
        asking.forget_server("lab")
        assert [entry.url for entry in known.all()] == [other.url]
