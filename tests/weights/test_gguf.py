"""What is read from the head of a GGUF file."""

from __future__ import annotations

import os
import struct
from pathlib import Path

import gguf
import pytest
from huggingface_hub import constants

from h2o_magic.config.models import MODELS
from h2o_magic.errors import ConfigurationError
from h2o_magic.server.load_failures import reason
from h2o_magic.weights import gguf as gguf_header
from h2o_magic.weights.files import find_weights
from h2o_magic.weights.gguf import read_header
from h2o_magic.weights.listing import list_models
from tests.server.tiny_gguf import write_llama


def test_the_header_says_what_the_model_is(tmp_path: Path) -> None:
    header = read_header(write_llama(tmp_path / "m.gguf", template="T", context=99))
    assert header.context_length == 99
    assert header.chat_template == "T"
    assert header.end_text == "<|endoftext|>"
    assert header.control_texts == {"<|endoftext|>", "<|prompt|>", "<|answer|>"}
    assert header.cache_bytes_per_token == 1 * 64 * 2 * 2


@pytest.mark.parametrize("name", ["llama-13b", "falcon-7b"])
def test_the_demo_weights_are_read(name: str) -> None:
    weights = find_weights(name)
    assert weights is not None
    header = read_header(weights.path)
    assert header.chat_template
    assert header.end_text in header.control_texts


def test_a_file_cut_anywhere_in_its_head_is_refused(tmp_path: Path) -> None:
    whole = write_llama(tmp_path / "m.gguf").read_bytes()
    end = whole.index(b"token_embd.weight")
    path = tmp_path / "cut.gguf"
    for length in [*range(64), *range(64, end - 64, 97)]:
        path.write_bytes(whole[:length])
        os.utime(path, ns=(length, length))
        with pytest.raises(ConfigurationError, match="is not a complete GGUF file"):
            read_header(path)


def test_an_unknown_version_or_type_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "m.gguf"
    head = struct.pack("<4sIQQ", b"GGUF", 9, 0, 0)
    path.write_bytes(head)
    with pytest.raises(ConfigurationError, match="its version is 9"):
        read_header(path)
    path.write_bytes(struct.pack("<4sIQQQ1sI", b"GGUF", 3, 0, 1, 1, b"k", 99))
    with pytest.raises(ConfigurationError, match="is not a complete GGUF file"):
        read_header(path)


def test_a_new_file_of_the_same_name_is_read_anew(tmp_path: Path) -> None:
    path = tmp_path / "m.gguf"
    assert read_header(write_llama(path, context=10)).context_length == 10
    write_llama(path, context=20)
    os.utime(path, ns=(1, 1))
    assert read_header(path).context_length == 20


CONTEXT = b"llama.context_length"
INFINITE = struct.pack("<If", 6, float("inf"))
LIES: dict[str, tuple[bytes, bytes, str]] = {
    "infinite": (CONTEXT, INFINITE, "cannot convert float infinity"),
    "no-context": (CONTEXT, struct.pack("<II", 4, 0), "context_length is 0"),
    "negative": (CONTEXT, struct.pack("<Ii", 5, -1), "context_length is -1"),
    "endless": (CONTEXT, struct.pack("<II", 4, 2**32 - 1), "context_length is 42949"),
    "no-width": (b"llama.embedding_length", struct.pack("<II", 4, 0), "length is 0"),
    "no-layers": (b"llama.block_count", struct.pack("<II", 4, 0), "count is 0"),
    "heads": (b"attention.head_count", struct.pack("<Ii", 5, -4), "head_count is -4"),
    "deep": (b"llama.block_count", struct.pack("<II", 4, 2**31), "one token would"),
    "no-end": (b"tokenizer.ggml.eos_token_id", INFINITE, "float infinity"),
}


@pytest.mark.parametrize("kind", LIES)
def test_numbers_that_no_model_has_are_refused_and_break_no_list(
    kind: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    key, value, words = LIES[kind]
    monkeypatch.setattr(constants, "HF_HUB_CACHE", str(tmp_path))
    path = tmp_path / "models--o--r/snapshots/a/m.gguf"
    path.parent.mkdir(parents=True)
    whole = write_llama(path).read_bytes()
    place = whole.index(key) + len(key)
    path.write_bytes(whole[:place] + value + whole[place + 8 :])
    with pytest.raises(ConfigurationError, match=words) as caught:
        read_header(path)
    assert "is not a complete GGUF file" in str(caught.value)
    assert [model["name"] for model in list_models(())] == list(MODELS)


def test_a_part_of_a_model_is_called_that(tmp_path: Path) -> None:
    path = tmp_path / "mmproj.gguf"
    writer = gguf.GGUFWriter(path, "clip")
    writer.add_type("mmproj")
    writer.write_header_to_file()
    writer.write_kv_data_to_file()
    writer.close()
    with pytest.raises(
        ConfigurationError, match=r"not a chat model .*'clip'"
    ) as caught:
        read_header(path)
    assert "download it again" not in str(caught.value)


@pytest.mark.parametrize("causal", [False, True])
def test_a_model_for_embeddings_is_known_to_be_one(
    causal: bool, tmp_path: Path
) -> None:
    path = write_llama(tmp_path / "m.gguf", causal=causal)
    assert read_header(path).encoder is not causal


def test_an_unknown_architecture_is_named(tmp_path: Path) -> None:
    path = tmp_path / "m.gguf"
    whole = write_llama(path).read_bytes()
    path.write_bytes(whole.replace(b"llama", b"zzzzz", 1))
    with pytest.raises(
        ConfigurationError, match="architecture 'zzzzz', which the engine does not know"
    ) as caught:
        read_header(path)
    assert "download it again" not in str(caught.value)


@pytest.mark.parametrize("texts", [2**24, 2**20])
def test_a_file_that_announces_more_than_it_holds_is_not_read_through(
    tmp_path: Path, texts: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = tmp_path / "m.gguf"
    head = struct.pack("<4sIQQQ1sIIQ", b"GGUF", 3, 0, 1, 1, b"k", 9, 8, texts)
    with path.open("wb") as file:
        file.write(head)
        file.truncate(len(head) + (8 * texts if texts == 2**24 else 8 * texts - 1))
    taken: list[int] = []
    take = gguf_header._Reader._take

    def counted(reader: gguf_header._Reader, count: int) -> bytes:
        taken.append(count)
        return take(reader, count)

    monkeypatch.setattr(gguf_header._Reader, "_take", counted)
    with pytest.raises(ConfigurationError, match=r"it declares 16,777|it is truncated"):
        read_header(path)
    assert len(taken) < 20


def test_no_message_holds_what_steers_a_terminal(tmp_path: Path) -> None:
    path = tmp_path / "m.gguf"
    whole = write_llama(path).read_bytes().replace(b"llama", b"l\x1b[1m")
    place = whole.index(b"context_length") + len("context_length")
    path.write_bytes(whole[:place] + struct.pack("<II", 4, 0) + whole[place + 8 :])
    with pytest.raises(ConfigurationError, match="context_length is 0") as caught:
        read_header(path)
    assert str(caught.value).isprintable()
    printed = "error loading model: unknown model architecture: 'l\x1b[1m'"
    assert reason(printed, 3) == "unknown model architecture: 'l[1m'"


def test_widths_may_differ_from_layer_to_layer(tmp_path: Path) -> None:
    writer = gguf.GGUFWriter(tmp_path / "m.gguf", "llama")
    writer.add_context_length(8)
    writer.add_block_count(2)
    writer.add_embedding_length(64)
    writer.add_head_count(4)
    writer.add_head_count_kv([1, 2])
    writer.add_token_list(["a"])
    writer.write_header_to_file()
    writer.write_kv_data_to_file()
    writer.write_tensors_to_file()
    writer.close()
    header = read_header(tmp_path / "m.gguf")
    assert header.cache_bytes_per_token == 2 * 2 * 16 * 2 * 2
    assert (header.end_text, header.control_texts) == ("", frozenset())
