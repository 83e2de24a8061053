"""A folder of answers: what is in its files, and what becomes of damaged ones."""

from __future__ import annotations

import json
import os
import stat
import subprocess
import sys
import threading
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from h2o_magic.backends.replay.folder import AnswerFolder, DamagedEntryError, line
from tests.unprivileged import give_up_privileges

KEY, OTHER = "ab" + "0" * 62, "ab" + "1" * 62
ENTRY = {"text": "Grüße 😀\u2028\x00\n", "half": "\ud83d", "n": [1, 1.5, None]}

links = pytest.mark.skipif(sys.platform == "win32", reason="links need a privilege")
modes = pytest.mark.skipif(sys.platform == "win32", reason="modes of files are POSIX's")


@pytest.fixture
def folder(tmp_path: Path) -> AnswerFolder:
    return AnswerFolder(tmp_path / "answers")


def names(path: Path) -> set[str]:
    return {str(p.relative_to(path)) for p in path.rglob("*") if not p.is_dir()}


def in_thread(work: Callable[[], Any]) -> Any:
    """Return what a function returns, or raises, where modes of files hold."""
    said: list[Any] = []

    def unprivileged() -> None:
        give_up_privileges()  # this thread's
        try:
            said.append(work())
        except OSError as error:
            said.append(error)

    thread = threading.Thread(target=unprivileged)
    thread.start()
    thread.join()
    return said[0]


# What the files are


def test_an_entry_is_one_line_of_a_file_of_its_own(folder: AnswerFolder) -> None:
    assert folder.read(KEY) is None
    assert not folder.path.exists()  # nothing is made before the first entry
    folder.write(KEY, ENTRY)
    folder.write(OTHER, {"text": "more"})
    assert (folder.read(KEY), folder.read(OTHER)) == (ENTRY, {"text": "more"})
    assert set(folder.keys()) == {KEY, OTHER}
    assert names(folder.path) == {
        *(".gitattributes", ".gitignore", f"ab/{KEY}.json", f"ab/{OTHER}.json")
    }
    content = folder.file(KEY).read_bytes()
    assert content.count(b"\n") == 1
    assert content.endswith(b"}\n")
    assert b"\0" not in content  # for git that would be no text
    assert "Grüße 😀\u2028".encode() in content
    assert json.loads(content) == ENTRY


def test_an_entry_replaces_one_of_its_key_and_can_be_removed(
    folder: AnswerFolder,
) -> None:
    for n in range(3):
        folder.write(KEY, {"n": n})
    assert folder.read(KEY) == {"n": 2}
    folder.write(OTHER, {})
    folder.remove(folder.file(KEY))
    assert (folder.read(KEY), folder.read(OTHER)) == (None, {})
    folder.remove(folder.file(OTHER))
    assert names(folder.path) == {".gitattributes", ".gitignore"}
    assert not folder.file(KEY).parent.exists()
    with pytest.raises(FileNotFoundError):
        folder.remove(folder.file(KEY))


def test_what_is_said_to_git_holds_for_entries_only_and_is_never_overwritten(
    folder: AnswerFolder,
) -> None:
    folder.path.mkdir()
    (folder.path / ".gitignore").write_text("mine")
    folder.write(KEY, {})
    assert (folder.path / ".gitignore").read_text() == "mine"
    attributes = (folder.path / ".gitattributes").read_text()
    assert attributes == "/[0-9a-f][0-9a-f]/*.json merge=union -text\n"


@pytest.mark.parametrize("key", ["", "ab", KEY.upper(), "../" + KEY[3:], KEY + "\n"])
def test_a_key_that_is_none_names_no_file(folder: AnswerFolder, key: str) -> None:
    with pytest.raises(ValueError, match="expected a key of 64 hexadecimal digits"):
        folder.read(key)


def test_a_number_that_json_does_not_have_is_not_written(folder: AnswerFolder) -> None:
    with pytest.raises(ValueError, match="not JSON compliant"):
        folder.write(KEY, {"seconds": float("nan")})
    assert list(folder.files()) == []


# What git, editors and others make of them


@pytest.mark.parametrize(
    "changed",
    [
        lambda content: content + line({"text": "of the other branch"}),
        lambda content: content + b"<<<<<<< no JSON at all \xff",
        lambda content: content.replace(b"\n", b"\r\n"),
        lambda content: content.rstrip(b"\n"),
        lambda content: b"\xef\xbb\xbf" + content,
        lambda content: json.dumps(json.loads(content)).encode(),
        lambda content: json.dumps(json.loads(content), indent=2).encode(),
        lambda content: b"\n" + content,
    ],
    ids=[
        *("merged", "any second line", "CRLF", "no line end", "BOM", "ASCII"),
        *("formatted", "a blank line before"),
    ],
)
def test_the_first_line_counts_whatever_follows_or_ends_it_else_the_whole(
    folder: AnswerFolder, changed: Callable[[bytes], bytes]
) -> None:
    folder.write(KEY, ENTRY)
    file = folder.file(KEY)
    file.write_bytes(changed(file.read_bytes()))
    assert folder.read(KEY) == ENTRY


@pytest.mark.parametrize(
    "content",
    [
        *(b"", b"\n", b"{", b'{"a": 1} x', b"[1]", b"null", b"\xff\xfe{}", b"\0" * 9),
        *(b"[" * 100_000, b"<<<<<<< HEAD\n" + line(ENTRY), b'{\n"a": 1\n}\n{\n}'),
        b"version https://git-lfs.github.com/spec/v1\n",
    ],
)
def test_a_damaged_file_is_told_and_can_be_replaced(
    folder: AnswerFolder, content: bytes
) -> None:
    folder.write(KEY, ENTRY)
    folder.file(KEY).write_bytes(content)
    with pytest.raises(DamagedEntryError, match=r"^not (valid JSON: |a JSON)"):
        folder.read(KEY)
    assert list(folder.keys()) == [KEY]
    folder.write(KEY, ENTRY)
    assert folder.read(KEY) == ENTRY


def test_every_beginning_of_a_file_is_damaged_and_none_is_another_entry(
    folder: AnswerFolder,
) -> None:
    folder.write(KEY, ENTRY)
    content = folder.file(KEY).read_bytes()
    for size in range(len(content) - 1):
        folder.file(KEY).write_bytes(content[:size])
        with pytest.raises(DamagedEntryError):
            folder.read(KEY)


def test_foreign_files_are_no_entries(folder: AnswerFolder) -> None:
    folder.write(KEY, ENTRY)
    shard = folder.file(KEY).parent
    for path in (
        *(folder.path / "README.md", folder.path / f"{OTHER}.json", folder.path / "cd"),
        *(shard / "note.json", shard / f"{KEY}-0.tmp", shard / f"{OTHER}.txt"),
        shard / f"cd{KEY[2:]}.json",
    ):
        path.write_text("{}")
    (folder.path / "notes").mkdir()
    (folder.path / "notes" / f"{OTHER}.json").write_text("{}")
    assert list(folder.keys()) == [KEY]
    assert folder.read(OTHER) is None
    assert folder.read("cd" + "0" * 62) is None  # below what is no folder
    folder.file(OTHER).mkdir()
    with pytest.raises(DamagedEntryError, match="not a plain file"):
        folder.read(OTHER)


def test_a_file_in_place_of_the_folder_is_an_error_of_writing_only(
    folder: AnswerFolder,
) -> None:
    folder.path.write_text("")
    assert folder.read(KEY) is None
    assert list(folder.keys()) == []
    with pytest.raises(OSError, match="answers"):
        folder.write(KEY, {})


def test_times_of_files_do_not_matter(folder: AnswerFolder) -> None:
    folder.write(KEY, ENTRY)
    for moment in (0, 1, 2**31):
        os.utime(folder.file(KEY), (moment, moment))
        assert AnswerFolder(folder.path).read(KEY) == ENTRY


def test_a_file_that_is_too_large_is_damaged_and_not_read(folder: AnswerFolder) -> None:
    folder.write(KEY, ENTRY)
    for size, damage in ((64_000_000, "not valid JSON"), (64_000_001, "too large")):
        with folder.file(KEY).open("wb") as file:
            file.write(b"\n")
            file.truncate(size)  # takes no room
        with pytest.raises(DamagedEntryError, match=damage):
            folder.read(KEY)


# Links lead nowhere


@links
@pytest.mark.parametrize("target", ["/dev/zero", "/dev/stdin", "secret.json", "gone"])
def test_a_link_in_place_of_an_entry_is_not_followed(
    folder: AnswerFolder, tmp_path: Path, target: str
) -> None:
    secret = tmp_path / "secret.json"
    secret.write_bytes(line(ENTRY))
    folder.write(OTHER, ENTRY)
    folder.file(KEY).symlink_to(tmp_path / target)
    with pytest.raises(DamagedEntryError, match="not a plain file"):
        folder.read(KEY)
    folder.write(KEY, {"new": 1})
    assert folder.read(KEY) == {"new": 1}
    assert secret.read_bytes() == line(ENTRY)


@links
def test_a_link_in_place_of_a_folder_of_entries_is_not_followed(
    folder: AnswerFolder, tmp_path: Path
) -> None:
    elsewhere = AnswerFolder(tmp_path / "elsewhere")
    elsewhere.write(KEY, ENTRY)
    folder.path.mkdir()
    folder.file(KEY).parent.symlink_to(elsewhere.file(KEY).parent)
    assert list(folder.files()) == []
    with pytest.raises(DamagedEntryError, match="got a link"):
        folder.read(KEY)
    before = names(elsewhere.path)
    for work in (lambda: folder.write(OTHER, {}), lambda: folder.write(KEY, {})):
        with pytest.raises(NotADirectoryError, match="expected a folder, got a link"):
            work()
    assert names(elsewhere.path) == before
    assert elsewhere.read(KEY) == ENTRY


# Folders that cannot be written, or only by one


@modes
def test_a_read_only_folder_is_read_and_an_error_says_that_it_cannot_be_written(
    folder: AnswerFolder,
) -> None:
    folder.write(KEY, ENTRY)
    before = names(folder.path)
    for path in (folder.file(KEY).parent, folder.path):
        path.chmod(0o555)
    try:
        assert in_thread(lambda: AnswerFolder(folder.path).read(KEY)) == ENTRY
        for key in (KEY, "cd" + "0" * 62):
            error = in_thread(lambda key=key: folder.write(key, {}))
            assert isinstance(error, PermissionError)
        assert names(folder.path) == before
    finally:
        for path in (folder.path, folder.file(KEY).parent):
            path.chmod(0o755)
    assert folder.read(KEY) == ENTRY


@modes
def test_a_private_folder_is_its_users_only_whatever_the_umask(tmp_path: Path) -> None:
    folder = AnswerFolder(tmp_path / "above" / "answers", private=True)
    shared = AnswerFolder(tmp_path / "shared")
    before = os.umask(0)
    try:
        folder.write(KEY, ENTRY)
        shared.write(KEY, ENTRY)
    finally:
        os.umask(before)
    modes_ = [stat.S_IMODE(p.stat().st_mode) for p in (folder.path.parent, folder.path)]
    assert modes_ == [0o700, 0o700]
    for name in names(folder.path):
        assert stat.S_IMODE((folder.path / name).stat().st_mode) == 0o600
    assert stat.S_IMODE(shared.file(KEY).stat().st_mode) == 0o666


def test_a_folder_that_was_removed_meanwhile_is_made_again(
    folder: AnswerFolder,
) -> None:
    folder.write(KEY, ENTRY)
    folder.remove(folder.file(KEY))
    for name in names(folder.path):
        (folder.path / name).unlink()
    folder.path.rmdir()
    assert (folder.read(KEY), list(folder.keys())) == (None, [])
    folder.write(KEY, ENTRY)
    assert folder.read(KEY) == ENTRY
    assert ".gitattributes" in names(folder.path)


def test_what_fails_while_it_is_written_leaves_what_was(
    folder: AnswerFolder, monkeypatch: pytest.MonkeyPatch
) -> None:
    folder.write(KEY, ENTRY)
    before = names(folder.path)

    def full(*_: object) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(os, "replace", full)
    with pytest.raises(OSError, match="No space left"):
        folder.write(KEY, {"new": 1})
    assert (folder.read(KEY), names(folder.path)) == (ENTRY, before)


def test_a_file_that_another_reads_is_replaced_a_moment_later(
    folder: AnswerFolder, monkeypatch: pytest.MonkeyPatch
) -> None:
    folder.write(KEY, ENTRY)
    replace, refused = os.replace, [PermissionError(13, "in use")] * 3

    def held(source: Any, target: Any) -> None:  # as Windows does
        if refused:
            raise refused.pop()
        replace(source, target)

    monkeypatch.setattr(os, "replace", held)
    monkeypatch.setattr(time, "sleep", lambda _seconds: None)
    folder.write(KEY, {"new": 1})
    assert folder.read(KEY) == {"new": 1}
    refused[:] = [PermissionError(13, "in use")] * 99
    with pytest.raises(PermissionError):
        folder.write(KEY, {"newer": 1})
    assert folder.read(KEY) == {"new": 1}
    assert len(list(folder.files())) == 1


WRITER = """
import sys
from pathlib import Path
from h2o_magic.backends.replay.folder import AnswerFolder

folder = AnswerFolder(Path(sys.argv[1]))
print("ready", flush=True)
sys.stdin.readline()
for n in range(100):
    folder.write(sys.argv[2], {"by": sys.argv[3], "n": n, "text": sys.argv[3] * 5000})
"""


def test_two_processes_that_write_one_key_leave_one_whole_entry(
    folder: AnswerFolder,
) -> None:
    writers = [
        subprocess.Popen(
            [sys.executable, "-c", WRITER, str(folder.path), KEY, name],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
        )
        for name in "ab"
    ]
    for writer in writers:
        assert writer.stdout is not None
        assert writer.stdout.readline() == b"ready\n"
    for writer in writers:
        assert writer.stdin is not None
        writer.stdin.write(b"\n")
        writer.stdin.flush()
    while any(writer.poll() is None for writer in writers):
        entry = folder.read(KEY)
        assert entry is None or entry["text"] == entry["by"] * 5000
    for writer in writers:
        writer.communicate()
        assert writer.returncode == 0
    assert (folder.read(KEY) or {})["n"] == 99
    assert len(list(folder.files())) == 1
