"""What is read from the head of a GGUF file."""

from __future__ import annotations

import os
import struct
from pathlib import Path

import gguf
import pytest

from h2o_magic.errors import ConfigurationError
from h2o_magic.server.gguf_header import read_header
from h2o_magic.server.weights import find_weights
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
        with pytest.raises(ConfigurationError, match="expected a whole GGUF file"):
            read_header(path)


def test_an_unknown_version_or_type_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "m.gguf"
    head = struct.pack("<4sIQQ", b"GGUF", 9, 0, 0)
    path.write_bytes(head)
    with pytest.raises(ConfigurationError, match="its version is 9"):
        read_header(path)
    path.write_bytes(struct.pack("<4sIQQQ1sI", b"GGUF", 3, 0, 1, 1, b"k", 99))
    with pytest.raises(ConfigurationError, match="expected a whole GGUF file"):
        read_header(path)


def test_a_new_file_of_the_same_name_is_read_anew(tmp_path: Path) -> None:
    path = tmp_path / "m.gguf"
    assert read_header(write_llama(path, context=10)).context_length == 10
    write_llama(path, context=20)
    os.utime(path, ns=(1, 1))
    assert read_header(path).context_length == 20


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
