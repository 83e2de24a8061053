"""The keys of all known servers, for who keeps them out of what is sent."""

from __future__ import annotations

import json
import sys
from pathlib import Path

import pytest

from h2o_magic.backends.servers.credentials import Credentials, KeySource
from h2o_magic.backends.servers.known import KnownServer, KnownServers
from h2o_magic.backends.servers.servers import Servers
from h2o_magic.config import paths

URL = "https://gpu.example.org"


def servers(credentials: Credentials, *sources: KeySource) -> Servers:
    known = KnownServers()
    for place, source in enumerate(sources):
        known.keep(KnownServer(f"s{place}", f"{URL}:{place + 1}", "openai", source))
    return Servers(known, credentials=credentials)


@pytest.fixture(autouse=True)
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("H2O_MAGIC_HOME", str(tmp_path))
    return tmp_path


def test_keys_in_the_environment_of_servers_that_were_never_asked_are_known() -> None:
    environ = {"LAB_KEY": "lab-key", "OTHER": "other"}
    sources = KeySource("env", "LAB_KEY"), KeySource("env", "NOT_SET")
    assert servers(Credentials(environ), *sources).key_texts() == ("lab-key",)


def test_keys_that_were_typed_are_known_and_none_is_asked_for() -> None:
    asked: list[str] = []
    typed = Credentials({}, ask=lambda prompt: asked.append(prompt) or "typed-key")
    known = servers(typed, KeySource("prompt"))
    assert known.key_texts() == ()
    assert not asked
    typed.prompt(URL)
    assert known.key_texts() == ("typed-key",)


def test_keys_of_the_keyring_are_known_once_they_were_read(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    source = KeySource("keyring", "gpu")
    credentials = Credentials({})
    known = servers(credentials, source)
    with monkeypatch.context() as without:
        without.setitem(sys.modules, "keyring", None)  # importing it would fail
        assert known.key_texts() == ()
    monkeypatch.setattr(
        "h2o_magic.backends.servers.credentials._from_keyring", lambda _: "ring-key"
    )
    credentials.read(source, URL)
    assert known.key_texts() == ("ring-key",)


def test_the_token_of_the_local_server_is_known(home: Path) -> None:
    assert servers(Credentials({})).key_texts() == ()
    file = paths.runtime_file()
    file.parent.mkdir(parents=True, exist_ok=True)
    file.write_text(json.dumps({"token": "local-token"}))
    assert servers(Credentials({})).key_texts() == ("local-token",)


@pytest.mark.parametrize("damaged", ["", "[]", "{}", '{"token"', "\0"])
def test_a_damaged_file_raises_no_error(home: Path, damaged: str) -> None:
    file = paths.runtime_file()
    file.parent.mkdir(parents=True, exist_ok=True)
    file.write_text(damaged)
    assert servers(Credentials({})).key_texts() == ()
