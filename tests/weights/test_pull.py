"""Fetching weights from the hub, and every way in which that fails: one clear line."""

from __future__ import annotations

import errno
import os
import signal
import socket
import subprocess
import sys
import threading
import time
from collections import namedtuple
from collections.abc import Iterator
from pathlib import Path
from typing import Any, BinaryIO

import huggingface_hub
import pytest
from huggingface_hub import constants, file_download

from h2o_magic.cli import main
from h2o_magic.config.models import MODELS, REAL_MODEL, BuiltIn
from h2o_magic.errors import (
    ConfigurationError,
    ConnectionFailedError,
    H2OMagicError,
    MissingExtraError,
)
from h2o_magic.weights import pull as pulling
from h2o_magic.weights.files import find_weights, known_weights
from h2o_magic.weights.gguf import read_header
from h2o_magic.weights.names import part_paths
from h2o_magic.weights.progress import PullEvent, PullPlan, PullProgress, PullResult
from h2o_magic.weights.pull import pull
from h2o_magic.weights.remove import remove
from tests.server.client import until
from tests.server.hub import Hub, running_hub
from tests.server.test_stand_in import put_own
from tests.server.tiny_gguf import write_llama

FILE = bytes(range(256)) * 2000
REPOSITORY = "owner/repo"


@pytest.fixture(scope="module")
def running() -> Iterator[Hub]:
    with running_hub() as hub:
        yield hub


@pytest.fixture
def hub(running: Hub, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Hub]:
    """A hub of the test's own, with an empty cache, and no waiting between tries."""
    monkeypatch.setattr(constants, "ENDPOINT", running.url)
    template = running.url + "/{repo_id}/resolve/{revision}/{filename}"
    monkeypatch.setattr(constants, "HUGGINGFACE_CO_URL_TEMPLATE", template)
    monkeypatch.setattr(constants, "HF_HUB_CACHE", str(tmp_path / "hub"))
    monkeypatch.setattr(constants, "DOWNLOAD_CHUNK_SIZE", 500)
    monkeypatch.setattr(time, "sleep", lambda _: None)
    monkeypatch.setenv("HF_TOKEN", "hf_secret")
    # How bytes travel is no matter of what is in them; one test looks at that.
    monkeypatch.setattr(pulling, "read_header", lambda _: None)
    running.repositories.clear()
    for asked in running.asked.values():
        asked.clear()
    yield running
    huggingface_hub.close_session()


def parts(cache: Path) -> list[Path]:
    return list(cache.glob("hub/**/*.incomplete"))


# What is fetched


@pytest.mark.parametrize(
    ("name", "files", "file"),
    [
        ("llama-13b", ["README.md", "h.Q2_K.gguf", "h.Q4_K_M.gguf"], "h.Q4_K_M.gguf"),
        ("falcon-7b", ["f-q8_0.gguf", "f-Q4_0.gguf"], "f-Q4_0.gguf"),
        ("owner/repo", ["a.Q8_0.gguf", "a.q4_0.gguf"], "a.q4_0.gguf"),
        ("owner/repo", ["only.gguf"], "only.gguf"),
        ("owner/repo", ["below/only.gguf"], "only.gguf"),
        ("owner/repo:B.gguf", ["a.gguf", "b.gguf"], "b.gguf"),
        ("owner/repo:b.gguf", ["a.gguf", "below/b.gguf"], "b.gguf"),
        ("owner/repo:below/b.gguf", ["b.gguf", "below/b.gguf"], "below/b.gguf"),
        ("owner/repo:b.gguf", ["b.gguf", "below/b.gguf"], "b.gguf"),
        # Beside the preferred ones the smallest; here a longer name is a larger file.
        ("owner/repo", ["m-Q5_K_M.gguf", "m-BF16-large.gguf"], "m-Q5_K_M.gguf"),
        ("owner/repo", ["m-F16-large.gguf", "mmproj-F16.gguf"], "m-F16-large.gguf"),
        ("owner/repo", ["m.imatrix.gguf", "long-m-F16.gguf"], "long-m-F16.gguf"),
        ("owner/repo", ["mmproj-Q8_0.gguf", "m-Q8_0.gguf"], "m-Q8_0.gguf"),
        (
            "owner/repo:mmproj-F16.gguf",
            ["m.gguf", "mmproj-F16.gguf"],
            "mmproj-F16.gguf",
        ),
    ],
)
def test_pull_fetches_the_file_that_fits_and_it_answers(
    hub: Hub, name: str, files: list[str], file: str
) -> None:
    repository = MODELS[name].source.repository if name in MODELS else REPOSITORY
    hub.add(repository, {f: f.encode() for f in files})
    fetched = pull(name)
    assert (fetched.how, fetched.verified) == ("downloaded", True)
    assert fetched.path.as_posix().endswith(f"/{file}")
    assert f"/{fetched.path.read_bytes().decode()}".endswith(f"/{file}")
    weights = find_weights(name)
    assert weights is not None
    assert (weights.path, weights.demo) == (fetched.path, False)


def test_a_cache_that_cannot_be_written_is_named(hub: Hub, tmp_path: Path) -> None:
    hub.add(REPOSITORY, {"m.gguf": FILE})
    (tmp_path / "hub").symlink_to(tmp_path / "hub")
    with pytest.raises(ConfigurationError) as caught:
        pull(REPOSITORY)
    said = str(caught.value)
    assert said.startswith(f"cannot pull {REPOSITORY}: {tmp_path / 'hub'}")
    assert "set HF_HOME or HF_HUB_CACHE to a folder that you can write to" in said


def test_other_tools_find_it_in_the_hubs_cache(hub: Hub) -> None:
    hub.add(REPOSITORY, {"m.gguf": FILE})
    path = pull(REPOSITORY).path
    assert huggingface_hub.try_to_load_from_cache(REPOSITORY, "m.gguf") == str(path)
    found = huggingface_hub.scan_cache_dir(constants.HF_HUB_CACHE)
    assert [repo.size_on_disk for repo in found.repos] == [len(FILE)]
    assert not found.warnings


def test_what_is_told_comes_in_order_and_ends_whole(hub: Hub, tmp_path: Path) -> None:
    hub.add(REPOSITORY, {"m.gguf": FILE}, licence="llama2")
    told: list[PullEvent] = []
    fetched = pull(REPOSITORY, told.append)
    plan, *progress, last = told
    assert isinstance(plan, PullPlan)
    assert (plan.file, plan.repository, plan.licence) == (
        "m.gguf",
        REPOSITORY,
        "llama2",
    )
    assert (plan.size, plan.downloaded) == (len(FILE), 0)
    assert plan.folder == tmp_path / "hub"
    assert plan.free > 0
    assert {type(event) for event in progress} == {PullProgress}
    assert PullProgress(len(FILE), len(FILE)) in progress
    assert progress[-1] == PullProgress(len(FILE), len(FILE), verifying=True)
    assert last == fetched == PullResult(fetched.path, "downloaded", verified=True)


def test_what_is_here_is_not_fetched_again(hub: Hub) -> None:
    hub.add(REPOSITORY, {"m.gguf": FILE})
    path = pull(REPOSITORY).path
    told: list[PullEvent] = []
    assert pull(REPOSITORY, told.append) == PullResult(path, "cached", verified=False)
    assert told == [PullResult(path, "cached")]
    assert len(hub.ranges()) == 1


@pytest.mark.parametrize("name", [REPOSITORY, f"{REPOSITORY}:m.gguf", "llama-13b"])
def test_what_is_here_needs_no_hub(hub: Hub, name: str) -> None:
    own = MODELS["llama-13b"].source.repository
    for repository, file in ((REPOSITORY, "m.gguf"), (own, "m.Q4_K_M.gguf")):
        hub.add(repository, {file: FILE})
    path = pull(name).path
    hub.repositories.clear()
    there = pull(name)
    assert there == PullResult(path, "cached", newest=False)
    assert "could not check for a newer version" in there.words


def test_a_newer_version_is_told_and_fetched_and_answers(hub: Hub) -> None:
    hub.add(REPOSITORY, {"m.gguf": FILE})
    old = pull(REPOSITORY).path
    hub.add(REPOSITORY, {"m.gguf": FILE[1:]}).commit = "5" * 40
    told: list[PullEvent] = []
    new = pull(REPOSITORY, told.append)
    assert (new.how, new.verified, new.path.read_bytes()) == (
        "downloaded",
        True,
        FILE[1:],
    )
    assert isinstance(told[0], PullPlan)
    assert "it is newer than the present version" in told[0].lines
    weights = find_weights(REPOSITORY)
    assert weights is not None
    assert weights.path == new.path != old


@pytest.mark.parametrize("linked", [True, False])
def test_a_new_revision_with_the_same_file_is_not_fetched(
    hub: Hub, linked: bool
) -> None:
    remote = hub.add(REPOSITORY, {"m.gguf": FILE})
    path = pull(REPOSITORY).path
    if not linked:  # as on Windows
        path.resolve().rename(path)
    remote.commit = "5" * 40
    assert pull(REPOSITORY) == PullResult(path, "cached")
    assert len(hub.ranges()) == 1


def test_a_file_of_the_user_is_used_as_it_is(hub: Hub, tmp_path: Path) -> None:
    path = tmp_path / "mine.gguf"
    path.touch()
    assert pull(str(path)) == PullResult(path, "local")
    assert hub.asked["hub"] == []


def test_what_is_no_model_is_told_so_and_not_listed(
    hub: Hub, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(pulling, "read_header", read_header)
    hub.add(REPOSITORY, {"m.gguf": b"<html>not found</html>"})
    for _ in ("downloaded", "cached"):
        assert main(["pull", REPOSITORY]) == 2
        said = capsys.readouterr()
        *_, line = said.err.splitlines()
        assert "m.gguf is downloaded, but cannot be used: " in line
        assert "it begins with b'<htm'" in line
        assert said.out == ""
    assert [weights.model for weights in known_weights()] == list(MODELS)


def test_weights_that_are_split_come_whole(hub: Hub) -> None:
    names = [f"m-Q4_0-0000{n}-of-00003.gguf" for n in (1, 2, 3)]
    hub.add(REPOSITORY, {name: FILE[n:] for n, name in enumerate(reversed(names))})
    told: list[PullEvent] = []
    fetched = pull(REPOSITORY, told.append)
    assert fetched.path.name == names[0]
    weights = find_weights(REPOSITORY)
    assert weights is not None
    assert [file.name for file in part_paths(weights.path)] == names
    assert weights.size == 3 * len(FILE) - 3
    assert told[-2] == PullProgress(weights.size, weights.size, verifying=True)
    assert isinstance(told[0], PullPlan)
    assert (told[0].file, told[0].size) == ("m-Q4_0.gguf", weights.size)


def test_a_name_that_two_folders_hold_is_asked_for_with_its_folder(hub: Hub) -> None:
    hub.add(REPOSITORY, {"a/m.gguf": b"a", "b/m.gguf": b"b"})
    with pytest.raises(ConfigurationError, match=r"files: a/m\.gguf, b/m\.gguf"):
        pull(f"{REPOSITORY}:m.gguf")
    assert pull(f"{REPOSITORY}:b/m.gguf").path.read_bytes() == b"b"


def test_split_weights_that_lack_a_part_are_refused(hub: Hub) -> None:
    hub.add(REPOSITORY, {"m-00001-of-00002.gguf": FILE})
    with pytest.raises(ConfigurationError, match=r"lacks m-00002-of-00002\.gguf"):
        pull(REPOSITORY)


@pytest.mark.parametrize(
    ("name", "words"),
    [
        ("lama-13b", "did you mean 'llama-13b'"),
        ("a/b/c", "expected a model's name or owner/repository"),
        ("/b", "no such file '/b'"),
        ("m.gguf", "give an absolute path"),
        ("owner/repo", r"its GGUF files: none"),
        ("owner/repo:x.gguf", r"has no file 'x.gguf'"),
        ("owner/repo:README.md", "expected a GGUF file .* got 'README.md'"),
        ("owner/repo:*.md", r"its GGUF files: none"),
        ("own er/repo", "expected owner/repository"),
    ],
)
def test_pull_says_what_it_cannot_find(hub: Hub, name: str, words: str) -> None:
    hub.add(REPOSITORY, {"README.md": b""})
    with pytest.raises(ConfigurationError, match=words):
        pull(name)


def test_a_model_for_which_another_stands_in_is_fetched(
    hub: Hub, tmp_path: Path
) -> None:
    put_own(tmp_path / "hub", REAL_MODEL)
    assert find_weights("llama-13b").stands_in_for  # type: ignore[union-attr]
    source = MODELS["llama-13b"].source
    assert not isinstance(source, BuiltIn)
    hub.add(source.repository, {"m.Q4_K_M.gguf": FILE})
    assert pull("llama-13b").how == "downloaded"
    assert find_weights("llama-13b").stands_in_for == ""  # type: ignore[union-attr]


def test_what_is_built_in_is_neither_fetched_nor_removed(hub: Hub) -> None:
    with pytest.raises(ConfigurationError, match="demo is built in: there is nothing"):
        pull("demo")
    with pytest.raises(ConfigurationError, match="demo is built in: there is nothing"):
        remove("demo", lambda _: None)
    assert hub.asked["hub"] == []


def test_pull_without_the_library_says_what_to_install(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setitem(sys.modules, "huggingface_hub", None)
    with pytest.raises(
        MissingExtraError, match=r"downloading weights.*pip install .*hugging"
    ):
        pull("llama-13b")


# Broken ways


def test_a_connection_that_breaks_off_is_taken_up_where_it_broke(hub: Hub) -> None:
    remote = hub.add(REPOSITORY, {"m.gguf": FILE})
    # More cuts than tries in a row: each brought something.
    remote.cuts = [1000 * n for n in range(1, 9)]
    assert pull(REPOSITORY).path.read_bytes() == FILE
    assert hub.ranges() == [None, *(f"bytes={1000 * n}-" for n in range(1, 9))]


def test_a_way_that_stays_broken_is_given_up_and_what_came_is_kept(
    hub: Hub, tmp_path: Path
) -> None:
    remote = hub.add(REPOSITORY, {"m.gguf": FILE})
    remote.cuts = [5000] * 6
    with pytest.raises(ConnectionFailedError, match="cannot download owner/repo"):
        pull(REPOSITORY)
    assert len(hub.ranges()) == 6
    (part,) = parts(tmp_path)
    assert part.read_bytes() == FILE[:5000]
    told: list[PullEvent] = []
    remote.cuts = []
    assert pull(REPOSITORY, told.append).path.read_bytes() == FILE
    assert hub.ranges()[-1] == "bytes=5000-"
    assert parts(tmp_path) == []
    plan, first, *_, checked, _ = told
    assert isinstance(plan, PullPlan)
    assert plan.downloaded == 5000
    assert "resuming a partial download of 5 KB" in plan.lines
    assert first == PullProgress(5500, len(FILE))
    assert checked == PullProgress(len(FILE), len(FILE), verifying=True)


def test_a_server_without_ranges_sends_everything_again(hub: Hub) -> None:
    remote = hub.add(REPOSITORY, {"m.gguf": FILE})
    remote.cuts, remote.ranges = [5000], False
    assert pull(REPOSITORY).path.read_bytes() == FILE


def test_a_part_that_is_too_long_is_thrown_away(hub: Hub, tmp_path: Path) -> None:
    remote = hub.add(REPOSITORY, {"m.gguf": FILE})
    remote.cuts = [5000] * 6
    with pytest.raises(ConnectionFailedError):
        pull(REPOSITORY)
    remote.cuts = []
    (part,) = parts(tmp_path)
    part.write_bytes(FILE + b"more")
    assert pull(REPOSITORY).path.read_bytes() == FILE


@pytest.mark.parametrize("began", [False, True])
def test_a_wrong_checksum_is_said_and_nothing_is_kept(
    hub: Hub, tmp_path: Path, *, began: bool
) -> None:
    remote = hub.add(REPOSITORY, {"m.gguf": FILE})
    if began:
        remote.cuts = [5000] * 6
        with pytest.raises(ConnectionFailedError):
            pull(REPOSITORY)
        remote.cuts = []
    remote.damaged = True
    with pytest.raises(ConnectionFailedError, match="its checksum differs"):
        pull(REPOSITORY)
    assert [
        p for p in tmp_path.rglob("*") if p.is_file() and p.stat().st_size > 999
    ] == []
    remote.damaged = False
    assert pull(REPOSITORY).path.read_bytes() == FILE


@pytest.mark.parametrize("checksums", [True, False])
@pytest.mark.parametrize("began", [False, True])
def test_more_than_the_hub_announced_is_refused_and_thrown_away(
    hub: Hub, tmp_path: Path, *, checksums: bool, began: bool
) -> None:
    remote = hub.add(REPOSITORY, {"m.gguf": FILE})
    remote.checksums, remote.more = checksums, 50_000_000
    remote.cuts = [5000] if began else []
    told: list[PullEvent] = []
    with pytest.raises(ConnectionFailedError, match="than the declared 512,000 bytes"):
        pull(REPOSITORY, told.append)
    assert max(e.done for e in told if isinstance(e, PullProgress)) <= len(FILE)
    assert sum(part.stat().st_size for part in parts(tmp_path)) == 0
    assert len(hub.ranges()) == 1 + began
    remote.more = 0
    fetched = pull(REPOSITORY)
    assert (fetched.path.read_bytes(), fetched.verified) == (FILE, checksums)


def test_a_hub_that_is_busy_is_asked_again(hub: Hub) -> None:
    remote = hub.add(REPOSITORY, {"m.gguf": FILE})
    remote.content_refusals = [(429, {}), (429, {"Retry-After": "0"})]
    assert pull(REPOSITORY).path.read_bytes() == FILE
    assert len(hub.ranges()) == 3


@pytest.mark.parametrize(
    ("refusals", "asked", "words"),
    [
        ([(429, {})] * 6, 6, "wait a few minutes and pull again"),
        ([(502, {})], 1, "502"),
        ([(404, {})], 1, "or not this file"),
        ([(403, {})], 1, "access is restricted"),
    ],
)
def test_a_refusal_that_does_not_pass_is_said(
    hub: Hub, refusals: list[tuple[int, dict[str, str]]], asked: int, words: str
) -> None:
    remote = hub.add(REPOSITORY, {"m.gguf": FILE})
    remote.content_refusals = list(refusals)
    with pytest.raises(H2OMagicError, match=words):
        pull(REPOSITORY)
    assert len(hub.ranges()) == asked


def test_two_downloads_of_a_file_do_not_write_over_each_other(hub: Hub) -> None:
    remote = hub.add(REPOSITORY, {"m.gguf": FILE})
    remote.hold, remote.cuts = threading.Event(), [1000]
    done: list[PullResult] = []
    first = threading.Thread(target=lambda: done.append(pull(REPOSITORY)))
    first.start()
    until(lambda: len(hub.ranges()) == 1)
    with pytest.raises(ConnectionFailedError, match="another program is downloading"):
        pull(REPOSITORY)
    remote.hold.set()
    first.join()
    assert done[0].path.read_bytes() == FILE


# The token


def test_the_token_goes_to_the_hub_and_to_nobody_else(hub: Hub) -> None:
    hub.add(REPOSITORY, {"m.gguf": FILE})
    pull(REPOSITORY)
    assert {token for *_, token in hub.asked["hub"]} == {"Bearer hf_secret"}
    assert {token for *_, token in hub.asked["contents"]} == {None}


def test_no_message_holds_the_token(hub: Hub) -> None:
    remote = hub.add(REPOSITORY, {"m.gguf": FILE})
    remote.cuts = [0] * 9
    with pytest.raises(ConnectionFailedError) as caught:
        pull(REPOSITORY)
    assert "hf_secret" not in str(caught.value)


@pytest.mark.parametrize(
    ("status", "code", "words"),
    [
        (403, "GatedRepo", "set HF_TOKEN"),
        (401, "GatedRepo", "set HF_TOKEN"),
        (403, "", "set HF_TOKEN"),
        (404, "RepoNotFound", "has no public repository 'owner/repo'"),
        (401, "RepoNotFound", "has no public repository 'owner/repo'"),
        (429, "", "wait a few minutes"),
        (500, "", "500"),
    ],
)
def test_a_refusal_of_the_hub_says_what_to_do(
    hub: Hub, status: int, code: str, words: str
) -> None:
    hub.add(REPOSITORY, {"m.gguf": FILE}).refusal = (status, code)
    with pytest.raises(H2OMagicError) as caught:
        pull(REPOSITORY)
    assert words in str(caught.value)
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize(
    ("refusal", "words"),
    [
        ((403, "GatedRepo"), "set HF_TOKEN"),
        ((404, "EntryNotFound"), "or not this file"),
    ],
)
def test_files_that_are_refused_are_said_before_anything_is_told(
    hub: Hub, refusal: tuple[int, str], words: str
) -> None:
    hub.add(REPOSITORY, {"m.gguf": FILE}).files_refusal = refusal
    told: list[PullEvent] = []
    with pytest.raises(H2OMagicError, match=words):
        pull(REPOSITORY, told.append)
    assert told == []


# Room on this machine


Usage = namedtuple("Usage", "total used free")


def test_a_disk_that_is_too_small_is_said_before(
    hub: Hub, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    hub.add(REPOSITORY, {"m.gguf": FILE})
    monkeypatch.setattr("shutil.disk_usage", lambda _: Usage(9, 9, 100_000))
    with pytest.raises(ConfigurationError) as caught:
        pull(REPOSITORY)
    assert str(caught.value) == (
        f"m.gguf needs 512 KB on the disk of {tmp_path / 'hub'}, which has 100 KB "
        "free: free some space, or set HF_HUB_CACHE to a folder on another disk before "
        "the notebook starts"
    )
    assert hub.ranges() == []


def test_what_is_here_already_needs_no_room(
    hub: Hub, monkeypatch: pytest.MonkeyPatch
) -> None:
    remote = hub.add(REPOSITORY, {"m.gguf": FILE})
    remote.cuts = [len(FILE) - 1000] * 6
    with pytest.raises(ConnectionFailedError):
        pull(REPOSITORY)
    remote.cuts = []
    monkeypatch.setattr("shutil.disk_usage", lambda _: Usage(9, 9, 1000))
    assert pull(REPOSITORY).how == "downloaded"


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="needs a full device")
def test_a_disk_that_fills_up_is_said_and_the_way_on(
    hub: Hub, monkeypatch: pytest.MonkeyPatch
) -> None:
    hub.add(REPOSITORY, {"m.gguf": FILE})
    bring = file_download.http_get

    def until_full(url: str, part: BinaryIO, **options: Any) -> None:
        class Full(type(part)):  # type: ignore[misc]
            def write(self, data: bytes) -> int:
                if self.tell():
                    with Path("/dev/full").open("wb", buffering=0) as full:
                        full.write(data)
                return int(super().write(data))

        with Full(part.raw) as full:  # type: ignore[attr-defined]
            bring(url, full, **options)

    with monkeypatch.context() as patched:
        patched.setattr(file_download, "http_get", until_full)
        with pytest.raises(
            ConnectionFailedError,
            match=r"the disk is full; .* resumes it",
        ):
            pull(REPOSITORY)
    assert hub.ranges() == [None]
    assert pull(REPOSITORY).path.read_bytes() == FILE
    assert str(hub.ranges()[-1]).startswith("bytes=")


def test_a_quota_that_is_used_up_is_a_full_disk(
    hub: Hub, monkeypatch: pytest.MonkeyPatch
) -> None:
    hub.add(REPOSITORY, {"m.gguf": FILE})

    def fail(*_: object, **__: object) -> None:
        raise OSError(errno.EDQUOT, "Disk quota exceeded")

    monkeypatch.setattr(file_download, "http_get", fail)
    with pytest.raises(ConnectionFailedError, match="the disk is full"):
        pull(REPOSITORY)


def test_little_memory_is_a_warning_and_far_too_little_a_refusal(
    hub: Hub, monkeypatch: pytest.MonkeyPatch
) -> None:
    hub.add(REPOSITORY, {"m.gguf": FILE})

    def with_memory(size: int) -> None:
        for module in ("pull", "memory"):
            name = f"h2o_magic.weights.{module}.memory_of_machine"
            monkeypatch.setattr(name, lambda: size)

    with_memory(500_000)
    with pytest.raises(ConfigurationError) as caught:
        pull(REPOSITORY)
    assert "can never be loaded here: it needs 512 KB of memory, this machine has " in (
        str(caught.value)
    )
    told: list[PullEvent] = []
    with_memory(600_000)
    pull(REPOSITORY, told.append)
    assert isinstance(told[0], PullPlan)
    assert told[0].lines[-2:] == (
        "loading it needs 512 KB of 600 KB of memory, and more for the context",
        (
            "this exceeds the default limit of 450 KB for the local server: raise it "
            "with `h2o-magic serve --memory`"
        ),
    )


def test_a_file_beyond_plain_http_names_the_way(
    hub: Hub, monkeypatch: pytest.MonkeyPatch
) -> None:
    hub.add(REPOSITORY, {"m.gguf": FILE})
    monkeypatch.setattr("h2o_magic.weights.pull._LARGEST", 1000)
    with pytest.raises(ConfigurationError, match=r"`hf download owner/repo m.gguf`"):
        pull(REPOSITORY)


# The command


def start_pull(
    name: str, endpoint: str, cache: Path, **environment: str
) -> subprocess.Popen[str]:
    """Run `h2o-magic pull` in a process that knows no other hub and no token."""
    kept = {key: value for key, value in os.environ.items() if key != "HF_TOKEN"}
    kept |= {"HF_ENDPOINT": endpoint, "NO_PROXY": "127.0.0.1"}
    kept |= {"HF_HOME": str(cache), "HF_HUB_CACHE": str(cache / "hub")}
    return subprocess.Popen(
        [sys.executable, "-m", "h2o_magic.cli", "pull", name],
        env=kept | environment,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )


@pytest.fixture
def model(tmp_path: Path) -> bytes:
    """The bytes of a file that begins as a model does, as many as FILE has."""
    return (
        write_llama(tmp_path / "whole.gguf").read_bytes().ljust(len(FILE))[: len(FILE)]
    )


def test_the_command_says_all_and_prints_the_path(
    hub: Hub, tmp_path: Path, model: bytes
) -> None:
    hub.add(REPOSITORY, {"m.gguf": model}, licence="apache-2.0")
    with start_pull(REPOSITORY, hub.url, tmp_path) as command:
        out, said = command.communicate()
    assert command.returncode == 0, said
    assert Path(out.strip()).read_bytes() == model
    lines = said.splitlines()
    assert lines[0] == "m.gguf, 512 KB, from owner/repo"
    assert lines[1] == "licence: apache-2.0"
    assert lines[-1] == "owner/repo: m.gguf is downloaded and verified"
    assert "100 % · 512 KB of 512 KB" in lines[-2]


def test_an_interrupted_command_says_how_to_go_on_and_goes_on(
    hub: Hub, tmp_path: Path, model: bytes
) -> None:
    remote = hub.add(REPOSITORY, {"m.gguf": model})
    remote.hold, remote.cuts = threading.Event(), [200_000]
    with start_pull(REPOSITORY, hub.url, tmp_path) as command:
        until(lambda: any(p.stat().st_size > 100_000 for p in parts(tmp_path)))
        command.send_signal(signal.SIGINT)
        _, said = command.communicate()
    assert command.returncode == 130
    *_, last = said.splitlines()
    assert last == (
        "Stopped. The partial download is kept: `h2o-magic pull owner/repo` resumes it."
    )
    remote.hold.set()
    remote.hold = None
    (part,) = parts(tmp_path)
    here = part.stat().st_size
    with start_pull(REPOSITORY, hub.url, tmp_path) as command:
        out, said = command.communicate()
    assert Path(out.strip()).read_bytes() == model
    assert hub.ranges()[-1] == f"bytes={here}-"
    assert "resuming a partial download of" in said


def test_a_token_that_the_hub_refuses_is_named(hub: Hub, tmp_path: Path) -> None:
    with start_pull(REPOSITORY, hub.url, tmp_path, HF_TOKEN="hf_wrong") as command:
        _, said = command.communicate()
    assert command.returncode == 2
    assert said.count("\n") == 1, said
    assert "HF_TOKEN" in said
    assert "hf_wrong" not in said


def test_a_hub_that_cannot_be_reached_is_one_line(tmp_path: Path) -> None:
    """It is asked once: each further try would be a line, too."""
    with socket.socket() as silent:
        silent.bind(("127.0.0.1", 0))  # nobody else's; without listening, it refuses
        closed = f"http://127.0.0.1:{silent.getsockname()[1]}"
        with start_pull("owner/open", closed, tmp_path) as command:
            _, said = command.communicate()
    assert command.returncode == 2
    assert said.count("\n") == 1, said
    assert "cannot download owner/open from the Hugging Face hub: " in said


def test_offline_mode_is_one_line(hub: Hub, tmp_path: Path) -> None:
    with start_pull(REPOSITORY, hub.url, tmp_path, HF_HUB_OFFLINE="1") as command:
        _, said = command.communicate()
    assert command.returncode == 2
    assert said.count("\n") == 1, said
    assert "HF_HUB_OFFLINE" in said
