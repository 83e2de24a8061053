"""Finding and starting the local server: real processes, real files."""

from __future__ import annotations

import atexit
import json
import os
import signal
import stat
import subprocess
import sys
import tempfile
from contextlib import closing
from pathlib import Path

import pytest

from h2o_magic.backends.base import ChatRequest
from h2o_magic.backends.gptgm import GptGmBackend
from h2o_magic.backends.local import locate
from h2o_magic.backends.openai import OpenAIBackend
from h2o_magic.chat.events import TextDelta
from h2o_magic.chat.messages import user
from h2o_magic.config import paths
from h2o_magic.conversation.session import Session
from h2o_magic.errors import (
    ConfigurationError,
    ConnectionFailedError,
    MissingExtraError,
)
from tests.local import runtime
from tests.server.tiny_gguf import write_llama


def test_no_server_runs_in_a_new_home(home: Path) -> None:
    assert locate.find_running() is None


def test_the_second_call_finds_what_the_first_started(home: Path) -> None:
    first = locate.find_or_start()
    assert locate.find_or_start() == first
    state = locate.find_running()
    assert state is not None
    assert state.endpoint == first
    assert state.pid == runtime(home)["pid"]
    assert state.busy_slots == 0


@pytest.mark.skipif(os.name == "nt", reason="Windows has no such modes")
@pytest.mark.parametrize("umask", [0o000, 0o022])
def test_its_files_are_for_this_user_only_whatever_the_umask(
    home: Path, umask: int
) -> None:
    before = os.umask(umask)
    try:
        locate.find_or_start()
    finally:
        os.umask(before)
    assert stat.S_IMODE(home.stat().st_mode) == 0o700
    files = [path for path in home.rglob("*") if path.is_file()]
    assert {path.suffix for path in files} == {".json", ".log", ".mutex"}
    assert {stat.S_IMODE(path.stat().st_mode) for path in files} == {0o600}


def test_a_notebook_starts_it_with_its_own_idle_minutes(
    home: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    told = []

    def spawn(_file: Path, _log: Path, idle_minutes: float | None) -> None:
        told.append(idle_minutes)
        raise ConfigurationError("not now")

    monkeypatch.setattr(locate, "_spawn", spawn)
    with closing(Session()) as session:
        session.configure(server_idle_minutes=0.5)
        for start in (session.models, locate.find_or_start):
            with pytest.raises(ConfigurationError, match="not now"):
                start()
    assert told == [0.5, None]


@pytest.mark.skipif(os.name == "nt", reason="no SIGSTOP there")
def test_a_server_that_is_silent_for_a_while_gets_no_second_beside_it(
    home: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    first = locate.find_or_start()
    monkeypatch.setattr(locate, "_ANSWER_TIMEOUT", 0.2)
    pid = runtime(home)["pid"]
    os.kill(pid, signal.SIGSTOP)
    try:
        assert locate.find_running() is None
        assert locate.find_or_start() == first
        command = [sys.executable, "-m", "h2o_magic.cli", "serve"]
        command += ["--runtime-file", str(paths.runtime_file())]
        second = subprocess.run(command, capture_output=True, text=True, check=False)
        assert second.returncode == 2
        assert "is already running" in second.stderr
    finally:
        os.kill(pid, signal.SIGCONT)
    assert runtime(home)["pid"] == pid


def test_the_runtime_file_and_the_log_are_the_users_alone(home: Path) -> None:
    locate.find_or_start()
    for path in (paths.runtime_file(), paths.log_file()):
        assert stat.S_IMODE(path.stat().st_mode) == 0o600


NAME_NO_SERVER = [
    "",
    "{",
    "[]",
    '{"url": "http://127.0.0.1:9"}',
    '{"url": "http://127.0.0.1:9", "token": "t", "instance": "i"}',
    '{"url": "http://127.0.0.1:9", "token": "a b", "instance": "i"}',
    '{"url": "http://example.org", "token": "t", "instance": "i"}',
    '{"url": 3, "token": null, "instance": "i"}',
]


def test_a_runtime_file_that_names_no_server_is_replaced(home: Path) -> None:
    home.mkdir()
    for text in NAME_NO_SERVER:
        paths.runtime_file().write_text(text)
        assert locate.find_running() is None, text
    assert locate.find_or_start().url == runtime(home)["url"]


def test_a_server_of_another_instance_is_not_trusted(home: Path) -> None:
    locate.find_or_start()
    path = paths.runtime_file()
    written = json.loads(path.read_text())
    path.write_text(json.dumps(written | {"instance": "another"}))
    assert locate.find_running() is None
    path.write_text(json.dumps(written))  # for the end of the test


def test_an_idle_server_of_another_version_is_replaced(
    home: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    locate.find_or_start()
    before = runtime(home)["pid"]
    monkeypatch.setattr(locate, "_version", lambda: "99.0")
    locate.find_or_start()
    assert runtime(home)["pid"] != before


def test_a_relative_home_is_one_place_for_kernel_and_server(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("H2O_MAGIC_HOME", "here")
    assert paths.runtime_file().parent == tmp_path / "here"


@pytest.fixture
def unwritable(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A home that cannot be made."""
    (tmp_path / "file").write_text("")
    home = tmp_path / "file" / "home"
    monkeypatch.setenv("H2O_MAGIC_HOME", str(home))
    monkeypatch.setattr(locate, "_temporary", None)
    monkeypatch.setattr(atexit, "register", lambda *_: None)
    return home


def test_where_nothing_can_be_written_a_server_starts_aside(unwritable: Path) -> None:
    endpoint = locate.find_or_start()
    folder = locate.log_file().parent
    try:
        assert locate.find_or_start() == endpoint
        assert locate.log_file().exists()
        assert not unwritable.exists()
        assert stat.S_IMODE(folder.stat().st_mode) == 0o700
    finally:
        locate._stop_temporary(folder)
    assert locate.find_running() is None
    assert not folder.exists()


def test_no_folder_at_all_is_one_clear_line(
    unwritable: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(tempfile, "tempdir", str(unwritable))
    with pytest.raises(ConfigurationError, match="set H2O_MAGIC_HOME to a folder"):
        locate.find_or_start()


def test_without_the_server_installed_its_packages_are_named(
    home: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(locate, "is_installed", lambda: False)
    with pytest.raises(MissingExtraError, match=r"run `pip install .*xllamacpp=="):
        locate.find_or_start()


@pytest.mark.skipif(os.name == "nt", reason="the stand-in is a shell script")
def test_a_server_that_ends_at_once_is_an_error_with_its_last_words(
    home: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    program = tmp_path / "python"
    program.write_text("#!/bin/sh\necho first\necho the last words\nexit 3\n")
    program.chmod(0o700)
    monkeypatch.setattr(sys, "executable", str(program))
    with pytest.raises(ConnectionFailedError, match=r"exit status 3.*the last words"):
        locate.find_or_start()


def test_nothing_has_to_let_go_where_no_server_runs(home: Path) -> None:
    locate.unload_models([Path("/m.gguf")])
    assert locate.find_running() is None


def test_the_server_lets_go_of_a_model(home: Path, tmp_path: Path) -> None:
    path = write_llama(tmp_path / "m.gguf")
    with closing(OpenAIBackend(connection=locate.find_or_start)) as backend:
        assert backend.count_tokens(str(path), [user("hi")])
    state = locate.find_running()
    assert state is not None
    assert state.loaded == [str(path)]
    locate.unload_models([path])
    state = locate.find_running()
    assert state is not None
    assert state.loaded == []


def test_a_model_that_is_answering_stays(home: Path, tmp_path: Path) -> None:
    path = write_llama(tmp_path / "m.gguf", context=8192, layers=8)
    request = ChatRequest(
        str(path),
        (user("hi"),),
        parameters={"max_new_tokens": 8000, "temperature": 0.1},
    )
    with closing(GptGmBackend(connection=locate.find_or_start)) as backend:
        answer = backend.stream(request)
        # The first text: before it, notices may come.
        next(event for event in answer if isinstance(event, TextDelta))
        with pytest.raises(ConfigurationError, match="is answering right now"):
            locate.unload_models([path])
        answer.close()
