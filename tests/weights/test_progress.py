"""The words for a download."""

from __future__ import annotations

from pathlib import Path

import pytest

from h2o_magic.weights.progress import (
    PullProgress,
    PullResult,
    Speed,
    bar,
    progress_words,
)


def test_the_speed_is_that_of_the_last_seconds() -> None:
    speed = Speed()
    assert speed.add(0, 0) is None
    assert speed.add(1, 1000) == 1000
    for second in range(2, 40):
        measured = speed.add(second, 1000 + 5000 * (second - 1))
    assert measured == 5000


def test_a_download_that_stands_still_has_no_speed() -> None:
    speed = Speed()
    assert [speed.add(now, 700) for now in range(5)] == [None] * 5


@pytest.mark.parametrize(
    ("done", "speed", "words"),
    [
        (0, None, "0 % · 0 bytes of 7.9 GB"),
        (2_449_000_000, 31e6, "31 % · 2.4 GB of 7.9 GB · 31.0 MB/s · 3 min left"),
        (7_900_000_000, 31e6, "100 % · 7.9 GB of 7.9 GB · 31.0 MB/s"),
    ],
)
def test_progress_is_said_in_words(done: int, speed: float | None, words: str) -> None:
    assert progress_words(PullProgress(done, 7_900_000_000), speed) == words


def test_finding_the_checksum_is_not_called_a_download() -> None:
    words = progress_words(PullProgress(50, 100, verifying=True), 1e9)
    assert words == "50 % · verifying the checksum"


def test_a_bar_is_as_long_as_it_is_asked_to_be() -> None:
    bars = [bar(PullProgress(done, 7), 10) for done in range(8)]
    assert {len(drawn) for drawn in bars} == {10}
    assert (bars[0], bars[-1]) == ("░" * 10, "█" * 10)
    assert bar(PullProgress(0, 0), 3) == "░░░"


def test_no_more_than_all_is_ever_shown() -> None:
    assert bar(PullProgress(30, 10), 4) == "████"
    assert progress_words(PullProgress(30, 10), None).startswith(
        "100 % · 10 bytes of 10"
    )
    assert progress_words(PullProgress(30, 10, True), None).startswith("100 % · ")


def test_only_what_was_compared_is_called_right() -> None:
    assert PullResult(Path("m"), "downloaded", verified=True).words.endswith(
        "and verified"
    )
    assert PullResult(Path("m"), "downloaded").words == "is downloaded"
