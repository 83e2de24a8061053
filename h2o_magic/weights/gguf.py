"""Reads the header of a GGUF file: what a model is, before it is loaded.

The layout is version 2 and 3 of the format in ggml's ``docs/gguf.md``: magic, version,
counts, then typed key-value pairs. Tensors are not read.
"""

from __future__ import annotations

import math
import os
import struct
from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import lru_cache
from pathlib import Path
from typing import Any, BinaryIO

from h2o_magic.config.parameters import PARAMETERS
from h2o_magic.errors import ConfigurationError
from h2o_magic.rendering.literal import one_line

_MAGIC = b"GGUF"
_VERSIONS = (2, 3)
_STRING, _ARRAY = 8, 9
_SCALARS = {
    0: "<B",
    1: "<b",
    2: "<H",
    3: "<h",
    4: "<I",
    5: "<i",
    6: "<f",
    7: "<?",
    10: "<Q",
    11: "<q",
    12: "<d",
}
_CONTROL = 3
#: Limits far beyond any model, so that a damaged file cannot fill the memory: pairs,
#: entries of all lists together, bytes of a text,
_MOST_PAIRS = 2**16
_MOST_TEXTS = 2**21
_MOST_NUMBERS = 2**22
_LONGEST_TEXT = 2**24
#: tokens, layers, heads and widths, and bytes of cache for one token.
_LARGEST = 2**31
_LARGEST_TOKEN = 2**32
#: The smallest size of a text, which begins with its length, and of a pair, in bytes.
_TEXT_SIZE = 8
_PAIR_SIZE = 8 + 4 + 1
#: Architectures and types of GGUF files that only belong to a language model.
_NO_CHAT = frozenset({"clip", "imatrix", "controlvector"})
_NO_CHAT_TYPES = frozenset({"mmproj", "imatrix", "adapter"})
#: Architectures for embeddings.
_ENCODERS = frozenset(
    {
        "bert",
        "eurobert",
        "gemma-embedding",
        "jina-bert-v2",
        "jina-bert-v3",
        "modern-bert",
        "neo-bert",
        "nomic-bert",
        "nomic-bert-moe",
        "t5encoder",
    }
)
#: Required keys of a language model, after its architecture's name.
_NEEDED = ("context_length", "embedding_length", "block_count")
#: Names by the keys of a model's own parameters; some are not parameters of ours.
_SAMPLING = {
    **{row.gguf: name for name, row in PARAMETERS.items() if row.gguf},
    **{name: name for name in ("penalty_last_n", "xtc_probability", "xtc_threshold")},
    **{name: name for name in ("mirostat", "mirostat_tau", "mirostat_eta")},
}
_LONGEST_WORDS = 100
#: The advice for a damaged file, which does not help right after a download.
DOWNLOAD_AGAIN = ": download it again"


@dataclass(frozen=True, slots=True)
class Header:
    """What the server needs to know about a model."""

    context_length: int  # tokens that the model was trained with
    cache_bytes_per_token: int  # in the engine's 16-bit cache of the context
    chat_template: str | None  # Jinja
    tokens: tuple[str, ...]  # as stored: byte-level characters are not decoded
    control_ids: frozenset[int]  # begin, end, turn markers
    end_id: int
    licence: str = ""
    encoder: bool = False  # it embeds texts, and writes none
    longest_token: int = 1  # characters of the longest token
    pools: bool = False  # it says how the embeddings of tokens become that of a text
    #: `general.sampling.*` by our names, which the engine applies by itself.
    sampling: Mapping[str, float] = field(default_factory=dict)

    @property
    def end_text(self) -> str:
        return self.tokens[self.end_id] if 0 <= self.end_id < len(self.tokens) else ""

    @property
    def control_texts(self) -> frozenset[str]:
        known = len(self.tokens)
        return frozenset(self.tokens[i] for i in self.control_ids if i < known)


def read_header(path: Path) -> Header:
    """Return a GGUF file's header; ConfigurationError if it is not a complete one."""
    try:
        status = path.stat()
        return _read(path, status.st_size, status.st_mtime_ns, status.st_ino)
    except OSError as error:
        raise ConfigurationError(
            f"cannot read the weights {path}: {error.strerror}"
        ) from error
    except (ValueError, struct.error, LookupError, TypeError, ArithmeticError) as error:
        said = one_line(str(error))[:_LONGEST_WORDS]
        raise ConfigurationError(
            f"{path} is not a complete GGUF file ({said}){DOWNLOAD_AGAIN}"
        ) from error


@lru_cache(maxsize=32)  # of one state of the file, which the numbers identify
def _read(path: Path, size: int, _modified: int, _inode: int) -> Header:
    if size < len(_MAGIC):
        raise ValueError("it is empty")
    # Not mapped: truncating the file meanwhile would kill the process (SIGBUS).
    with path.open("rb") as file:
        return _header(path, _Reader(file).pairs())


def _header(path: Path, pairs: dict[str, Any]) -> Header:
    architecture = str(pairs["general.architecture"])
    _refuse_no_chat(path, architecture, pairs)
    kinds = pairs.get("tokenizer.ggml.token_type", ())
    template = pairs.get("tokenizer.chat_template")
    return Header(
        context_length=_number(pairs, f"{architecture}.context_length"),
        cache_bytes_per_token=_cache_bytes(architecture, pairs),
        chat_template=None if template is None else str(template),
        tokens=tuple(map(str, pairs["tokenizer.ggml.tokens"])),
        control_ids=frozenset(i for i, kind in enumerate(kinds) if kind == _CONTROL),
        end_id=int(pairs.get("tokenizer.ggml.eos_token_id", -1)),
        licence=str(pairs.get("general.license", "")),
        encoder=architecture in _ENCODERS
        or not pairs.get(f"{architecture}.attention.causal", True),
        longest_token=max(map(len, pairs["tokenizer.ggml.tokens"]), default=1) or 1,
        pools=f"{architecture}.pooling_type" in pairs,
        sampling=_sampling(pairs),
    )


def _sampling(pairs: dict[str, Any]) -> dict[str, float]:
    """Return what llama.cpp's ``common_init_sampler_from_model`` reads, as numbers."""
    values = {
        name: pairs.get(f"general.sampling.{key}") for key, name in _SAMPLING.items()
    }
    # A 32-bit 0.6 is 0.60000002 in 64.
    return {
        name: float(f"{value:.7g}") if isinstance(value, float) else int(value)
        for name, value in values.items()
        if isinstance(value, int | float) and math.isfinite(value)
    }


def _refuse_no_chat(path: Path, architecture: str, pairs: dict[str, Any]) -> None:
    """Refuse a valid file that is not a language model, or of an unknown kind."""
    kind = str(pairs.get("general.type", "model"))
    if architecture in _NO_CHAT or kind in _NO_CHAT_TYPES:
        said = f"architecture {architecture!r}, type {kind!r}"[:_LONGEST_WORDS]
        raise ConfigurationError(
            f"{path} is not a chat model but a file that belongs to one ({said}): give "
            "the model's own file"
        )
    named = repr(architecture[:_LONGEST_WORDS])
    if any(f"{architecture}.{key}" not in pairs for key in _NEEDED):
        raise ConfigurationError(
            f"{path} has the architecture {named}, which the engine does not know as a "
            "language model: choose another file"
        )


def _cache_bytes(architecture: str, pairs: dict[str, Any]) -> int:
    def number(key: str, default: int | None = None) -> int:
        # A model without attention has 0 heads.
        least = 0 if key.startswith("attention.") else 1
        return _number(pairs, f"{architecture}.{key}", default, least)

    heads = number("attention.head_count", 1)
    width = number("embedding_length") // max(heads, 1)
    key_value_heads = number("attention.head_count_kv", heads)
    keys = number("attention.key_length", width)
    values = number("attention.value_length", width)
    size = number("block_count") * key_value_heads * (keys + values) * 2  # bytes
    if size > _LARGEST_TOKEN:
        raise ValueError(f"one token would take {size:,} bytes of memory")
    return size


def _number(
    pairs: dict[str, Any], key: str, default: int | None = None, least: int = 1
) -> int:
    """Return a checked count; the largest where each layer has its own."""
    value = pairs[key] if default is None else pairs.get(key, default)
    number = int(max(value) if isinstance(value, list | tuple) else value)
    if not least <= number <= _LARGEST:
        raise ValueError(f"its {key} is {number}")
    return number


class _Reader:
    def __init__(self, file: BinaryIO) -> None:
        self._file = file
        self._left = os.fstat(file.fileno()).st_size  # bytes to read
        self._texts = _MOST_TEXTS
        self._numbers = _MOST_NUMBERS

    def pairs(self) -> dict[str, Any]:
        magic = self._take(len(_MAGIC))
        if magic != _MAGIC:
            raise ValueError(f"it begins with {magic!r}")
        version = self._scalar("<I")
        if version not in _VERSIONS:
            raise ValueError(f"its version is {version}")
        self._scalar("<Q")  # the number of tensors
        count = self._count(_MOST_PAIRS, _PAIR_SIZE)
        return {self._string(): self._value(self._scalar("<I")) for _ in range(count)}

    def _value(self, kind: int) -> Any:
        if kind == _STRING:
            return self._string()
        if kind == _ARRAY:
            return self._array()
        return self._scalar(_SCALARS[kind])

    def _array(self) -> Any:
        kind = self._scalar("<I")
        if kind == _ARRAY:
            raise ValueError("it has nested lists")
        if kind == _STRING:
            count = self._count(self._texts, _TEXT_SIZE)
            self._texts -= count
            return [self._string() for _ in range(count)]
        scalar = _SCALARS[kind][1]
        size = struct.calcsize(f"<{scalar}")
        count = self._count(self._numbers, size)
        self._numbers -= count
        return struct.unpack(f"<{count}{scalar}", self._take(count * size))

    def _count(self, most: int, size: int) -> int:
        """Read the number of entries, each of at least `size` bytes."""
        count = int(self._scalar("<Q"))
        if count > most:
            raise ValueError(f"it declares {count:,} entries")
        if count * size > self._left:
            raise ValueError("it is truncated")
        return count

    def _string(self) -> str:
        length = self._count(_LONGEST_TEXT, 1)
        return self._take(length).decode("utf-8", errors="replace")

    def _scalar(self, form: str) -> Any:
        return struct.unpack(form, self._take(struct.calcsize(form)))[0]

    def _take(self, count: int) -> bytes:
        # Checked first: a read allocates all that it is asked for.
        taken = self._file.read(count) if count <= self._left else b""
        if len(taken) < count:
            raise ValueError("it is truncated")
        self._left -= count
        return taken
