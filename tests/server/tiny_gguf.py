"""Writes tiny GGUF models with random weights, for tests that need odd weights.

The text they produce means nothing; what matters is that the real engine loads and
runs them. Every byte is a token, so token counts are byte counts plus specials, and
answers hold broken multi-byte characters now and then.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from pathlib import Path

import gguf
import numpy as np

WIDTH, HEADS, FEED_FORWARD = 64, 4, 128
SPECIALS = ("<|endoftext|>", "<|prompt|>", "<|answer|>")
END_TOKEN = 256


def _byte_alphabet() -> list[str]:
    """Return GPT-2's printable stand-in for each of the 256 bytes."""
    printable = [*range(33, 127), *range(161, 173), *range(174, 256)]
    unprintable = [b for b in range(256) if b not in printable]
    stand_ins = {b: chr(b) for b in printable}
    stand_ins |= {b: chr(256 + i) for i, b in enumerate(unprintable)}
    return [stand_ins[b] for b in range(256)]


def _write_tokenizer(writer: gguf.GGUFWriter, template: str | None) -> int:
    tokens = [*_byte_alphabet(), *SPECIALS, "he"]
    normal, control = gguf.TokenType.NORMAL, gguf.TokenType.CONTROL
    writer.add_tokenizer_model("gpt2")
    writer.add_tokenizer_pre("gpt-2")
    writer.add_token_list(tokens)
    writer.add_token_types([normal] * 256 + [control] * len(SPECIALS) + [normal])
    writer.add_token_merges(["h e"])
    writer.add_bos_token_id(END_TOKEN)
    writer.add_eos_token_id(END_TOKEN)
    writer.add_add_bos_token(False)
    if template is not None:
        writer.add_chat_template(template)
    return len(tokens)


def write_llama(
    path: Path,
    *,
    template: str | None = None,
    context: int = 4096,
    layers: int = 1,
    seed: int = 0,
    licence: str | None = None,
    sampling: Mapping[str, float | str] | None = None,
    causal: bool = True,
) -> Path:
    """Write a Llama model with random weights, 0.3 MB or more, and return `path`.

    Without `causal` it is for embeddings. `sampling` is what the file recommends, by
    llama.cpp's names (``temp``, ``top_k``).
    Its special tokens are never the most likely ones, so a greedy answer has no end.
    """
    writer = gguf.GGUFWriter(path, "llama")
    vocabulary = _write_tokenizer(writer, template)
    if licence is not None:
        writer.add_license(licence)
    for name, value in (sampling or {}).items():
        kind = {int: gguf.GGUFValueType.INT32, float: gguf.GGUFValueType.FLOAT32}
        text = gguf.GGUFValueType.STRING
        writer.add_key_value(
            f"general.sampling.{name}", value, kind.get(type(value), text)
        )
    writer.add_context_length(context)
    if not causal:
        writer.add_causal_attention(False)
    writer.add_embedding_length(WIDTH)
    writer.add_block_count(layers)
    writer.add_feed_forward_length(FEED_FORWARD)
    writer.add_head_count(HEADS)
    writer.add_head_count_kv(HEADS)
    writer.add_layer_norm_rms_eps(1e-5)
    writer.add_vocab_size(vocabulary)
    writer.add_rope_dimension_count(WIDTH // HEADS)
    for name, tensor in _tensors(vocabulary, layers, seed):
        writer.add_tensor(name, tensor.astype(np.float32))
    writer.write_header_to_file()
    writer.write_kv_data_to_file()
    writer.write_tensors_to_file()
    writer.close()
    return path


def _tensors(
    vocabulary: int, layers: int, seed: int
) -> Iterator[tuple[str, np.ndarray]]:
    random = np.random.default_rng(seed)

    def matrix(*shape: int) -> np.ndarray:
        return random.normal(0, 0.3, shape)

    output = matrix(vocabulary, WIDTH)
    output[END_TOKEN : END_TOKEN + len(SPECIALS)] = 0
    yield "token_embd.weight", matrix(vocabulary, WIDTH)
    yield "output_norm.weight", np.ones(WIDTH)
    yield "output.weight", output
    for layer in range(layers):
        block = f"blk.{layer}"
        yield f"{block}.attn_norm.weight", np.ones(WIDTH)
        for part in ("attn_q", "attn_k", "attn_v", "attn_output"):
            yield f"{block}.{part}.weight", matrix(WIDTH, WIDTH)
        yield f"{block}.ffn_norm.weight", np.ones(WIDTH)
        yield f"{block}.ffn_gate.weight", matrix(FEED_FORWARD, WIDTH)
        yield f"{block}.ffn_up.weight", matrix(FEED_FORWARD, WIDTH)
        yield f"{block}.ffn_down.weight", matrix(WIDTH, FEED_FORWARD)
