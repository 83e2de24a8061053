"""A digest of weights, which tells whether a name stands for the same file."""

from __future__ import annotations

import hashlib
from collections.abc import Callable
from itertools import pairwise
from pathlib import Path

import pytest

from h2o_magic.config.models import DEMO_MODEL, MODELS, BuiltIn
from h2o_magic.weights import digest
from h2o_magic.weights.digest import weights_digest

SIZE, SAMPLE, SAMPLES = 1000, 4, 64


@pytest.fixture
def put(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Callable[..., str]:
    """Puts weights of 1,000 bytes into a file, and returns their digest."""
    monkeypatch.setattr(digest, "_SAMPLE", SAMPLE)
    digest._digest.cache_clear()

    def weights(
        name: str = "a.gguf", size: int = SIZE, change: int = -1, of: str = ""
    ) -> str:
        content = bytearray(size)
        if change >= 0:
            content[change] = 1
        (tmp_path / name).write_bytes(content)
        return weights_digest(str(tmp_path / (of or name)))

    return weights


def test_the_same_content_has_one_digest_under_any_name(
    put: Callable[..., str],
) -> None:
    assert len(put()) == 64
    assert put() == put("b.gguf")


@pytest.mark.parametrize("place", [0, SIZE // 2, SIZE - 1])
def test_one_other_byte_is_another_digest(place: int, put: Callable[..., str]) -> None:
    size = SAMPLE * SAMPLES  # a small file is read whole
    assert put("b.gguf", size, change=place * size // SIZE) != put("a.gguf", size)


def test_a_large_file_is_read_in_samples_from_its_first_to_its_last_byte(
    put: Callable[..., str],
) -> None:
    before = put()
    seen = {n for n in range(SIZE) if put(f"{n}.gguf", change=n) != before}
    assert len(seen) == SAMPLE * SAMPLES
    assert {0, SIZE - 1} < seen
    starts = sorted(n for n in seen if n - 1 not in seen)
    gaps = {after - start for start, after in pairwise(starts)}
    assert len(starts) == SAMPLES
    assert max(gaps) - min(gaps) <= 1


def test_another_size_is_another_digest(put: Callable[..., str]) -> None:
    assert len({put(f"{n}.gguf", SIZE + n) for n in range(5)}) == 5


def test_split_weights_count_with_all_their_parts_in_order(
    put: Callable[..., str],
) -> None:
    def split(stem: str, *changes: int) -> str:
        first, second = (f"{stem}-0000{n}-of-00002.gguf" for n in (1, 2))
        put(first, change=changes[0])
        return put(second, change=changes[1], of=first)

    pairs = [(-1, -1), (-1, 0), (0, -1), (0, 0)]
    digests = [split(f"m{n}", *changes) for n, changes in enumerate(pairs)]
    assert len(set(digests)) == len(pairs)
    assert split("other", -1, 0) == digests[1]
    assert put("a-00001-of-00001.gguf") == put("b.gguf")


def test_where_one_part_ends_counts(put: Callable[..., str]) -> None:
    def split(stem: str, *sizes: int) -> str:
        first, second = (f"{stem}-0000{n}-of-00002.gguf" for n in (1, 2))
        put(first, sizes[0])
        return put(second, sizes[1], of=first)

    assert split("a", 1, 3) != split("b", 2, 2)


def test_a_digest_stays_what_is_stored_with_answers(tmp_path: Path) -> None:
    parts = [b"one", b"two!"]
    for n, part in enumerate(parts, start=1):
        (tmp_path / f"w-0000{n}-of-00002.gguf").write_bytes(part)
    whole = b"".join(len(part).to_bytes(8, "big") + part for part in parts)
    found = weights_digest(str(tmp_path / "w-00001-of-00002.gguf"))
    assert found == hashlib.sha256(whole).hexdigest()


def test_weights_that_are_not_here_have_none(
    tmp_path: Path, put: Callable[..., str]
) -> None:
    assert weights_digest(str(tmp_path / "gone.gguf")) == ""
    assert weights_digest("nobody/has-this") == ""
    assert put("c-00001-of-00002.gguf") == ""  # a part is missing


def test_what_stands_in_for_a_model_has_none() -> None:
    pulled = [n for n, each in MODELS.items() if not isinstance(each.source, BuiltIn)]
    assert {name: weights_digest(name) for name in pulled} == dict.fromkeys(pulled, "")
    assert len(weights_digest(DEMO_MODEL)) == 64


def test_a_file_that_has_been_replaced_is_read_again(put: Callable[..., str]) -> None:
    assert put(size=100) != put(size=101)
