"""Removing downloaded weights: only those, with all that belongs to them."""

from __future__ import annotations

import os
from collections.abc import Iterator, Sequence
from pathlib import Path

import huggingface_hub
import pytest
from filelock import FileLock
from huggingface_hub import constants

from h2o_magic.config.models import MODELS
from h2o_magic.errors import ConfigurationError
from h2o_magic.weights.files import find_weights
from h2o_magic.weights.remove import remove

OWN = MODELS["llama-13b"].source.repository


@pytest.fixture
def cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setattr(constants, "HF_HUB_CACHE", str(tmp_path / "hub"))
    return tmp_path / "hub"


def put(
    cache: Path, repository: str, file: str, size: int, revision: str = "a"
) -> Path:
    """Put a file into the cache as huggingface_hub does: an entry and its content."""
    folder = cache / f"models--{repository.replace('/', '--')}"
    blob = folder / "blobs" / f"{file.replace('/', '_')}{size}"
    entry = folder / "snapshots" / revision / file
    for path in (blob, entry):
        path.parent.mkdir(parents=True, exist_ok=True)
    blob.write_bytes(b"x" * size)
    entry.symlink_to(os.path.relpath(blob, entry.parent))
    return entry


def nothing(_: Sequence[Path]) -> None:
    pass


def files(cache: Path) -> set[str]:
    return {path.name for path in cache.rglob("*") if path.is_file()}


def test_the_weights_of_a_model_go_and_nothing_else(cache: Path) -> None:
    put(cache, OWN, "m.Q4_K_M.gguf", 5000)
    put(cache, OWN, "m.Q2_K.gguf", 300)
    put(cache, OWN, "README.md", 10)
    put(cache, "owner/repo", "m.gguf", 20)
    assert remove("llama-13b", nothing) == 5000
    assert files(cache) == {
        *("m.Q2_K.gguf", "m.Q2_K.gguf300"),
        *("README.md", "README.md10"),
        *("m.gguf", "m.gguf20"),
    }
    weights = find_weights("llama-13b")
    assert weights is not None
    assert weights.demo


def test_all_revisions_go_and_each_content_counts_once(cache: Path) -> None:
    put(cache, OWN, "m.Q4_K_M.gguf", 5000)
    put(cache, OWN, "m.Q4_K_M.gguf", 5000, revision="b")
    put(cache, OWN, "m.Q4_K_M.gguf", 70, revision="c")
    assert remove(OWN, nothing) == 5070
    assert files(cache) == set()


def test_of_a_repository_all_gguf_files_go(cache: Path) -> None:
    for number in (1, 2):
        put(cache, "owner/repo", f"m-0000{number}-of-00002.gguf", number)
    put(cache, "owner/repo", "below/n.gguf", 4)
    put(cache, "owner/repo", "config.json", 8)
    assert remove("owner/repo", nothing) == 7
    assert files(cache) == {"config.json", "config.json8"}


def test_one_file_of_a_repository_goes(cache: Path) -> None:
    put(cache, "owner/repo", "a.gguf", 1)
    put(cache, "owner/repo", "b.gguf", 2)
    assert remove("owner/repo:B.gguf", nothing) == 2
    assert files(cache) == {"a.gguf", "a.gguf1"}


def test_a_file_in_a_folder_goes_under_its_name(cache: Path) -> None:
    put(cache, "owner/repo", "a/m.gguf", 1)
    put(cache, "owner/repo", "b/m.gguf", 2)
    with pytest.raises(ConfigurationError, match="nothing to remove"):
        remove("owner/repo:m.gguf", nothing)
    assert remove("owner/repo:b/m.gguf", nothing) == 2
    assert remove("owner/repo:m.gguf", nothing) == 1


def test_all_of_a_repository_is_also_what_is_no_model(cache: Path) -> None:
    put(cache, "owner/repo", "mmproj-F16.gguf", 3)
    assert remove("owner/repo", nothing) == 3


def test_a_content_that_another_entry_names_stays(cache: Path) -> None:
    entry = put(cache, "owner/repo", "a.gguf", 50)
    entry.with_name("copy.gguf").symlink_to(entry.readlink())
    assert remove("owner/repo:a.gguf", nothing) == 0
    assert files(cache) == {"copy.gguf", "a.gguf50"}


def test_what_a_broken_download_left_goes_too(cache: Path) -> None:
    put(cache, OWN, "README.md", 1)
    blobs = cache / f"models--{OWN.replace('/', '--')}" / "blobs"
    (blobs / "abc.incomplete").write_bytes(b"x" * 900)
    assert remove("llama-13b", nothing) == 900
    assert files(cache) - {"abc.lock"} == {"README.md", "README.md1"}


def test_a_download_that_is_under_way_is_left_alone(cache: Path) -> None:
    put(cache, "owner/repo", "a.gguf", 5)
    folder = cache / "models--owner--repo"
    part = folder / "blobs" / "abc.incomplete"
    part.write_bytes(b"x")
    locks = cache / ".locks" / folder.name
    locks.mkdir(parents=True)
    with FileLock(locks / "abc.lock"):
        stays: list[str] = []
        assert remove("owner/repo", nothing, stays.append) == 5
        assert stays == ["a download from owner/repo is in progress and continues"]
        with pytest.raises(ConfigurationError, match="is being downloaded"):
            remove("owner/repo", nothing)
        assert part.exists()
    assert remove("owner/repo", nothing) == 1


def test_files_without_links_go(cache: Path) -> None:
    """As on Windows, where the cache may hold the files themselves."""
    entry = put(cache, "owner/repo", "a.gguf", 5)
    entry.resolve().rename(entry)
    assert remove("owner/repo", nothing) == 5
    assert files(cache) == set()


def test_the_cache_stays_in_order(cache: Path) -> None:
    put(cache, OWN, "m.Q4_K_M.gguf", 5000)
    put(cache, OWN, "m.Q2_K.gguf", 300)
    remove("llama-13b", nothing)
    found = huggingface_hub.scan_cache_dir(cache)
    assert [repo.size_on_disk for repo in found.repos] == [300]
    assert not found.warnings


@pytest.mark.parametrize(
    ("name", "words"),
    [
        ("llama-13b", r"llama-13b has no downloaded weights in .*: nothing to remove"),
        ("owner/repo", "nothing to remove"),
        ("lama-13b", "did you mean 'llama-13b'"),
    ],
)
def test_where_there_is_nothing_it_says_so(cache: Path, name: str, words: str) -> None:
    with pytest.raises(ConfigurationError, match=words):
        remove(name, nothing)


def test_files_outside_the_cache_are_not_touched(cache: Path, tmp_path: Path) -> None:
    mine = tmp_path / "mine.gguf"
    mine.touch()
    with pytest.raises(ConfigurationError, match=r"a local file .* delete it yourself"):
        remove(str(mine), nothing)
    weights = find_weights("llama-13b")
    assert weights is not None
    with pytest.raises(ConfigurationError, match="a local file"):
        remove(str(weights.path), nothing)
    assert mine.exists()
    assert weights.path.exists()


def test_one_that_cannot_be_unloaded_stays(cache: Path) -> None:
    entry = put(cache, OWN, "m.Q4_K_M.gguf", 5000)
    told: list[Path] = []

    def refuse(paths: Sequence[Path]) -> None:
        told.extend(paths)
        raise ConfigurationError("it is answering")

    with pytest.raises(ConfigurationError, match="it is answering"):
        remove("llama-13b", refuse)
    assert told == [entry]
    assert entry.exists()


@pytest.fixture
def read_only(cache: Path) -> Iterator[Path]:
    entry = put(cache, OWN, "m.Q4_K_M.gguf", 5000)
    entry.parent.chmod(0o500)
    yield entry
    entry.parent.chmod(0o700)


@pytest.mark.skipif(
    not hasattr(os, "geteuid") or os.geteuid() == 0, reason="root may remove anything"
)
def test_a_file_that_cannot_be_removed_is_named(read_only: Path) -> None:
    with pytest.raises(ConfigurationError, match="cannot remove"):
        remove("llama-13b", nothing)
