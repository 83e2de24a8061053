"""Writing to streams that are not what one would wish for."""

from __future__ import annotations

import io
from collections.abc import Callable
from typing import Any

import pytest

from h2o_magic.rendering.streams import can_redraw, is_terminal, write

MARKS = "a · b … “c” → d ✓ ■ █░"


def written(text: str, encoding: str, **options: Any) -> str:
    raw = io.BytesIO()
    stream = io.TextIOWrapper(raw, encoding=encoding, **options)
    assert write(text, stream) is None
    return raw.getvalue().decode(encoding)


@pytest.mark.parametrize(
    ("encoding", "shown"),
    [
        ("ascii", 'a - b ... "c" -> d * * #.'),
        ("latin-1", 'a · b ... "c" -> d * * #.'),
        ("cp1252", "a · b … “c” -> d * * #."),
        ("cp932", "a - b … “c” → d * ■ #."),
        ("utf-8", MARKS),
    ],
)
def test_marks_that_an_encoding_lacks_are_written_in_ascii(
    encoding: str, shown: str
) -> None:
    assert written(MARKS, encoding) == shown


def test_what_has_no_form_in_an_encoding_is_a_question_mark() -> None:
    assert written("Hi 😀, caf\u00e9", "ascii") == "Hi ?, caf?"


def test_half_a_character_is_a_question_mark() -> None:
    assert written("a\ud83db", "utf-8") == "a?b"


def test_standard_error_shows_the_same_forms_as_standard_output() -> None:
    # Python gives it other ways of its own: "\\xb7".
    assert written("a · b", "ascii", errors="backslashreplace") == "a - b"


class Broken(io.StringIO):
    def write(self, _: str) -> int:
        raise BrokenPipeError(32, "Broken pipe")


class Full(io.StringIO):
    def flush(self) -> None:
        raise OSError(28, "No space left on device")


def closed() -> io.StringIO:
    stream = io.StringIO()
    stream.close()
    return stream


@pytest.mark.parametrize("make", [Broken, Full, closed, object, lambda: None])
def test_a_stream_that_takes_nothing_returns_its_error(make: Callable[[], Any]) -> None:
    assert isinstance(write("text", make()), Exception)
    assert not is_terminal(make())
    assert not can_redraw(make())


class OnlyWrites:
    """A stream of a test harness: no encoding, no flush, no isatty."""

    def __init__(self) -> None:
        self.taken: list[str] = []

    def write(self, text: str) -> None:
        self.taken.append(text)


def test_an_object_that_only_writes_gets_the_whole_text() -> None:
    stream = OnlyWrites()
    assert write(MARKS, stream) is None
    assert stream.taken == [MARKS]


class Secretive(OnlyWrites):
    """Encodes, and does not say how."""

    def write(self, text: str) -> None:
        text.encode("ascii")
        super().write(text)


def test_a_stream_that_hides_its_encoding_gets_ascii() -> None:
    stream = Secretive()
    assert write("a · b 😀", stream) is None
    assert stream.taken == ["a - b ?"]


def test_a_dumb_terminal_cannot_be_drawn_over(monkeypatch: pytest.MonkeyPatch) -> None:
    terminal = io.StringIO()
    monkeypatch.setattr(terminal, "isatty", lambda: True, raising=False)
    monkeypatch.setenv("TERM", "xterm")
    assert can_redraw(terminal)
    monkeypatch.setenv("TERM", "dumb")
    assert is_terminal(terminal)
    assert not can_redraw(terminal)
