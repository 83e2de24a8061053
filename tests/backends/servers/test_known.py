"""The servers that are known by name, and the file that keeps them."""

from __future__ import annotations

import json
import os
import stat
import subprocess
import sys
from pathlib import Path

import pytest
from filelock import FileLock

from h2o_magic.backends.base import ModelInfo
from h2o_magic.backends.servers.credentials import KeySource
from h2o_magic.backends.servers.known import KnownServer, KnownServers, suggested_name
from h2o_magic.backends.servers.model_cache import ModelCache
from h2o_magic.config import json_file, paths
from h2o_magic.errors import ConfigurationError

LAB = KnownServer(
    "lab", "https://gpu.example.org/v1", "openai", KeySource("env", "LAB")
)
CHAT = KnownServer("chat", "http://chat.example.org", "gpt-gm")


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "config" / "servers.json"


@pytest.fixture
def said() -> list[str]:
    return []


@pytest.fixture
def known(path: Path, said: list[str]) -> KnownServers:
    return KnownServers(path, said.append)


def test_what_is_kept_is_found_by_name_and_by_address(
    known: KnownServers, path: Path
) -> None:
    assert known.keep(LAB) == LAB
    known.keep(CHAT)
    again = KnownServers(path)
    assert again.all() == (LAB, CHAT)
    for server in ("lab", LAB.url, "https://GPU.example.org/", f"{LAB.url}/"):
        assert again.find(server) == LAB
    for server in ("Lab", "http://gpu.example.org", "https://gpu.example.org:8443"):
        assert again.find(server) is None


def test_nothing_is_written_by_reading(known: KnownServers, path: Path) -> None:
    assert known.all() == ()
    assert known.find("lab") is None
    assert not path.parent.exists()


@pytest.mark.skipif(os.name == "nt", reason="Windows has no such modes")
def test_the_file_is_for_this_user_only(known: KnownServers, path: Path) -> None:
    before = os.umask(0)
    try:
        known.keep(LAB)
    finally:
        os.umask(before)
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    assert stat.S_IMODE(path.parent.stat().st_mode) == 0o700


def test_the_file_says_where_the_key_is_and_not_more(
    known: KnownServers, path: Path
) -> None:
    known.keep(LAB)
    known.keep(CHAT)
    assert json.loads(path.read_text()) == {
        "version": 1,
        "entries": {
            "lab": {
                "url": "https://gpu.example.org/v1",
                "dialect": "openai",
                "key": {"env": "LAB"},
            },
            "chat": {"url": "http://chat.example.org", "dialect": "gpt-gm"},
        },
    }


def test_one_address_has_one_entry(known: KnownServers) -> None:
    known.keep(LAB)
    known.keep(CHAT)
    other = KnownServer("lab", "https://gpu.example.org", "gpt-gm")
    known.keep(other)
    assert known.all() == (other, CHAT)
    renamed = KnownServer("gpu", "https://gpu.example.org", "gpt-gm")
    known.keep(renamed)
    assert known.all() == (CHAT, renamed)


def test_a_name_that_another_server_has_is_refused(known: KnownServers) -> None:
    known.keep(LAB)
    with pytest.raises(
        ConfigurationError, match="the name lab is taken by https://gpu"
    ):
        known.keep(KnownServer("lab", "http://other", "openai"))
    assert known.all() == (LAB,)


@pytest.mark.parametrize(
    ("url", "hint", "name"),
    [
        ("https://gpu.example.org:8000/v1", "vLLM", "gpu"),
        ("http://127.0.0.1:8000", "vLLM", "vllm"),
        ("http://[::1]:8080", "llama.cpp", "llama-cpp"),
        ("http://localhost:1234", "LM Studio", "lm-studio"),
        ("http://10.1.2.3:8000", "vLLM", "server-10-1-2-3"),
        ("http://[fe80::1]", "", "server-fe80-1"),
        ("http://local", "", "server"),
        ("http://" + "x" * 60, "", "x" * 30),
    ],
)
def test_a_server_without_a_name_gets_one_after_its_host(
    url: str, hint: str, name: str
) -> None:
    assert suggested_name(url, hint) == name


def test_a_name_that_is_taken_gets_a_number(known: KnownServers) -> None:
    names = [
        known.keep(KnownServer("", f"http://127.0.0.1:{port}", "openai")).name
        for port in (1, 2, 3)
    ]
    assert names == ["openai", "openai-2", "openai-3"]


@pytest.mark.parametrize("name", ["local", "a b", "-a", "a.b", "x" * 41, "a/b", "a\n"])
def test_what_is_no_name(name: str) -> None:
    with pytest.raises(ConfigurationError, match="a server name of 1 to 40"):
        KnownServer(name, "http://a")


def test_a_server_stays_known_while_no_package_speaks_its_dialect(
    known: KnownServers, said: list[str]
) -> None:
    known.keep(KnownServer("a", "http://a", "klingon"))
    assert [entry.dialect for entry in known.all()] == ["klingon"]
    assert said == []


def test_a_server_is_forgotten(known: KnownServers) -> None:
    known.keep(LAB)
    known.keep(CHAT)
    assert known.forget("lab") == LAB
    assert known.all() == (CHAT,)
    with pytest.raises(ConfigurationError, match="did you mean 'chat'"):
        known.forget("chta")


def test_an_unknown_name_is_told_with_the_five_likest(known: KnownServers) -> None:
    for n in range(30):
        known.keep(KnownServer(f"gpu-{n}", f"http://host-{n}", "openai"))
    with pytest.raises(ConfigurationError) as caught:
        known.forget("zz9")
    assert "known: gpu-19, gpu-28, gpu-29, gpu-9, local and 26 others" in str(
        caught.value
    )


# The file


@pytest.mark.parametrize(
    ("text", "why"),
    [
        ("", "not valid JSON"),
        ("{", "not valid JSON"),
        ("\0\0\0", "not valid JSON"),
        ("[" * 100_000, "not valid JSON"),
        ("[]", "written by another version"),
        ('{"version": 2, "entries": {}}', "written by another version"),
        ('{"version": 1, "entries": []}', "written by another version"),
    ],
)
def test_a_damaged_file_is_kept_aside_and_a_line_says_so(
    known: KnownServers, path: Path, said: list[str], text: str, why: str
) -> None:
    path.parent.mkdir()
    path.write_text(text)
    assert known.all() == ()
    (aside,) = path.parent.glob("servers.json.damaged-*")
    assert aside.read_text() == text
    (line,) = said
    assert line == (
        f"known servers: {path} is damaged ({why}) and was renamed to {aside.name}; "
        "valid entries kept: 0"
    )
    known.keep(LAB)
    assert known.all() == (LAB,)
    assert len(said) == 1
    assert aside.exists()


@pytest.mark.parametrize(
    "bad",
    [
        None,
        {"url": "http://user:geheim@host", "dialect": "openai"},
        {"url": "http://host", "dialect": 7},
        {"url": "http://host", "dialect": ""},
        {"url": "http://host"},
        {"url": "http://host", "dialect": "openai", "key": "geheim"},
        {"url": "http://host", "dialect": "openai", "key": {"text": "geheim"}},
        {"url": "http://host", "dialect": "openai", "key": {"env": "a", "b": "c"}},
    ],
)
def test_a_damaged_entry_costs_no_other(
    known: KnownServers, path: Path, said: list[str], bad: object
) -> None:
    known.keep(LAB)
    document = json.loads(path.read_text())
    document["entries"]["bad"] = bad
    path.write_text(json.dumps(document))
    assert known.all() == (LAB,)
    (line,) = said
    assert "valid entries kept: 1" in line
    assert "geheim" not in line
    assert known.all() == (LAB,)
    assert len(said) == 1


def test_a_write_that_fails_leaves_the_file_as_it_was_and_goes_on_in_memory(
    known: KnownServers, path: Path, said: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    known.keep(LAB)
    before = path.read_bytes()

    def full(_: int) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(json_file.os, "fsync", full)
    known.keep(CHAT)
    assert path.read_bytes() == before
    assert not list(path.parent.glob(".*"))
    monkeypatch.undo()
    known.forget("lab")
    assert (known.all(), path.read_bytes()) == ((CHAT,), before)
    (line,) = said
    assert "servers.json cannot be written (No space left on device)" in line


def test_a_folder_that_cannot_be_made_is_one_line(
    tmp_path: Path, said: list[str]
) -> None:
    (tmp_path / "file").touch()
    known = KnownServers(tmp_path / "file" / "servers.json", said.append)
    known.keep(LAB)
    known.keep(CHAT)
    assert known.all() == (LAB, CHAT)
    (line,) = said
    assert "servers.json cannot be written (Not a directory)" in line
    assert "set H2O_MAGIC_HOME to a folder that you can write to" in line
    assert "\n" not in line


def test_files_below_one_folder_that_cannot_be_used_are_told_of_once(
    tmp_path: Path, said: list[str]
) -> None:
    (tmp_path / "loop").symlink_to(tmp_path / "loop")
    for name in ("servers.json", "others.json", "deeper/still/others.json"):
        known = KnownServers(tmp_path / "loop" / name, said.append)
        assert known.all() == ()
        known.keep(LAB)
        assert known.all() == (LAB,)
    (line,) = said
    assert "Too many levels of symbolic links" in line


def test_a_damaged_file_that_cannot_be_set_aside_is_read_and_told_of_once(
    path: Path, known: KnownServers, said: list[str]
) -> None:
    known.keep(LAB)
    document = json.loads(path.read_text())
    document["entries"]["broken"] = {"url": "nowhere"}
    path.write_text(json.dumps(document))
    mutex = path.with_name("servers.json.mutex")
    mutex.unlink(missing_ok=True)
    mutex.mkdir()
    assert known.all() == known.all() == (LAB,)
    (line,) = said
    assert "servers.json cannot be repaired: invalid entries: 1" in line


def test_a_file_that_cannot_be_read_is_one_line(
    path: Path, known: KnownServers, said: list[str]
) -> None:
    path.mkdir(parents=True)
    assert known.all() == known.all() == ()
    assert len(said) == 1
    assert "cannot be read" in said[0]


def test_another_writer_is_waited_for_and_then_given_up(
    known: KnownServers, path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    known.keep(LAB)
    monkeypatch.setattr(json_file, "_LOCK_TIMEOUT", 0.1)
    with FileLock(path.with_name("servers.json.mutex")):
        assert known.all() == (LAB,)  # reading waits for nobody
        with pytest.raises(ConfigurationError, match="another kernel has locked"):
            known.keep(CHAT)


WRITER = """
import sys
from pathlib import Path
from h2o_magic.backends.servers.known import KnownServer, KnownServers
known = KnownServers(Path(sys.argv[1]))
for n in range(10):
    known.keep(KnownServer(f"{sys.argv[2]}-{n}", f"http://{sys.argv[2]}-{n}", "openai"))
"""


def test_kernels_that_write_at_once_lose_nothing(path: Path) -> None:
    writers = [
        subprocess.Popen([sys.executable, "-c", WRITER, str(path), name])
        for name in ("a", "b", "c")
    ]
    assert [writer.wait() for writer in writers] == [0, 0, 0]
    names = {server.name for server in KnownServers(path).all()}
    assert names == {f"{name}-{n}" for name in "abc" for n in range(10)}


HOLDER = """
import sys
from filelock import FileLock
with FileLock(sys.argv[1]):
    print("held", flush=True)
    sys.stdin.read()
"""


def test_a_killed_kernel_blocks_nobody(
    known: KnownServers, path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    known.keep(LAB)
    monkeypatch.setattr(json_file, "_LOCK_TIMEOUT", 0.1)
    holder = subprocess.Popen(
        [sys.executable, "-c", HOLDER, str(path.with_name("servers.json.mutex"))],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
    )
    assert holder.stdout is not None
    with holder:
        assert holder.stdout.readline() == b"held\n"
        with pytest.raises(ConfigurationError, match="another kernel has locked"):
            known.keep(CHAT)
        holder.kill()
        holder.wait()
        known.keep(CHAT)
    assert known.all() == (LAB, CHAT)


def test_the_files_have_their_places(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setenv("H2O_MAGIC_HOME", str(tmp_path))
    files = (paths.servers_file(), paths.aliases_file(), paths.model_lists_file())
    assert len({file.name for file in files}) == 3
    assert {file.parent for file in files} == {tmp_path}
    monkeypatch.delenv("H2O_MAGIC_HOME")
    assert "h2o_magic" in str(paths.servers_file())


# Lists of models


def test_the_last_list_of_each_server_is_kept(tmp_path: Path) -> None:
    path = tmp_path / "lists.json"
    models = [ModelInfo("a", weights="a.gguf", size=7, context=512), ModelInfo("b")]
    lists = ModelCache(path)
    lists.put("http://one", models)
    lists.put("http://two", [])
    found = ModelCache(path).get("http://one")
    assert found is not None
    assert list(found.models) == models
    assert found.at > 0
    assert lists.get("http://three") is None


def test_only_the_latest_lists_are_kept(tmp_path: Path) -> None:
    lists = ModelCache(tmp_path / "lists.json")
    for n in range(60):
        lists.put(f"http://host-{n}", [])
    assert lists.get("http://host-9") is None
    assert lists.get("http://host-59") is not None


def test_a_list_that_cannot_be_kept_is_no_harm(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    lists = ModelCache(tmp_path / "file" / "lists.json", lambda _: None)
    lists.put("http://one", [ModelInfo("a")])
