"""Counts, sizes and times in words."""

from __future__ import annotations

import pytest

from h2o_magic.config.units import parse_size, size_in_words, time_in_words
from h2o_magic.errors import ConfigurationError


@pytest.mark.parametrize(
    ("text", "size"),
    [
        ("8GB", 8_000_000_000),
        ("7.5GiB", 7.5 * 2**30),
        ("500MB", 500_000_000),
        (" 500 mb ", 500_000_000),
        ("2g", 2_000_000_000),
        ("2Gi", 2 * 2**30),
        ("64kib", 65_536),
        ("1TB", 10**12),
    ],
)
def test_a_size_is_read_with_its_unit(text: str, size: float) -> None:
    assert parse_size(text) == size


@pytest.mark.parametrize("text", ["8", "", "GB", "-1GB", "8 XB", "8GBs", "1e9B", "nan"])
def test_what_is_no_size_is_refused_with_an_example(text: str) -> None:
    with pytest.raises(ConfigurationError, match=r"such as 8GB, 7\.5GiB or 500MB, got"):
        parse_size(text)


@pytest.mark.parametrize("size", [1000, 64_000, 1_500_000, 7_900_000_000])
def test_a_size_in_words_is_read_back(size: int) -> None:
    assert parse_size(size_in_words(size)) == size


@pytest.mark.parametrize(
    ("seconds", "words"),
    [
        (0.1, "1 s"),
        (59, "59 s"),
        (59.7, "1 min"),
        (215, "4 min"),
        (3599, "1 h"),
        (7260, "2 h 1 min"),
    ],
)
def test_a_time_is_no_finer_than_is_of_use(seconds: float, words: str) -> None:
    assert time_in_words(seconds) == words
