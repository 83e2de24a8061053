"""Which format a file's name asks for."""

from __future__ import annotations

from pathlib import PurePosixPath, PureWindowsPath

import pytest

from h2o_magic.conversation.formats import FORMATS, find_format
from h2o_magic.errors import ConfigurationError


def test_the_formats_are_found_by_their_suffix() -> None:
    assert list(FORMATS) == [".md", ".json", ".jsonl", ".ipynb"]
    assert all(entry.suffix == suffix for suffix, entry in FORMATS.items())
    assert all(entry.name for entry in FORMATS.values())


def test_all_but_the_transcript_can_be_read() -> None:
    assert [suffix for suffix, f in FORMATS.items() if f.read is None] == [".md"]


@pytest.mark.parametrize(
    ("path", "suffix"),
    [
        ("chat.md", ".md"),
        ("chat.markdown", ".md"),
        ("CHAT.MD", ".md"),
        ("a.b/chat.2024.json", ".json"),
        (PurePosixPath("/tmp/chat.jsonl"), ".jsonl"),
        (PureWindowsPath(r"C:\chats\chat.IPYNB"), ".ipynb"),
        (".json", ".json"),
    ],
)
def test_a_name_asks_for_a_format(path: str, suffix: str) -> None:
    assert find_format(path) is FORMATS[suffix]


@pytest.mark.parametrize("path", ["", "chat", "chat.txt", "chat.", "md", "a.md/chat"])
def test_another_name_is_refused_and_told_the_known_ones(path: str) -> None:
    with pytest.raises(ConfigurationError) as caught:
        find_format(path)
    assert str(caught.value) == (
        "expected a file name that ends with .md, .json, .jsonl or .ipynb, "
        f"got {path!r}"
    )
