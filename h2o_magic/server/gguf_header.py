"""Reads the head of a GGUF file: what a model is, before it is loaded.

The layout is version 2 and 3 of the format description in ggml's ``docs/gguf.md``:
magic, version, counts, then typed key-value pairs. Tensors are not looked at.
"""

from __future__ import annotations

import os
import struct
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from typing import Any, BinaryIO

from h2o_magic.errors import ConfigurationError

__all__ = ["Header", "read_header"]

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
#: Far more than any model has; a file that announces more is damaged. Without a limit,
#: gigabytes of zeros would be read as as many empty texts.
_MOST_PAIRS = 2**16
_MOST_ITEMS = 2**24


@dataclass(frozen=True, slots=True)
class Header:
    """What the server needs to know of a model.

    Attributes
    ----------
    context_length : int
        Tokens of context the model was trained with.
    cache_bytes_per_token : int
        Memory that one token of context takes in the engine's cache, 16 bit, in bytes.
    chat_template : str or None
        The model's own template (Jinja), if it carries one.
    tokens : tuple of str
        The vocabulary, as stored (byte-level stand-ins are not decoded).
    control_ids : frozenset of int
        Tokens that steer and are not text: begin, end, turn markers.
    end_id : int
        The token that ends an answer.
    licence : str
        The licence that the file names; empty if it names none.
    """

    context_length: int
    cache_bytes_per_token: int
    chat_template: str | None
    tokens: tuple[str, ...]
    control_ids: frozenset[int]
    end_id: int
    licence: str = ""

    @property
    def end_text(self) -> str:
        """The end token's text, such as ``</s>``; empty if it has none."""
        return self.tokens[self.end_id] if 0 <= self.end_id < len(self.tokens) else ""

    @property
    def control_texts(self) -> frozenset[str]:
        """The texts of all control tokens."""
        known = len(self.tokens)
        return frozenset(self.tokens[i] for i in self.control_ids if i < known)


def read_header(path: Path) -> Header:
    """Return the header of the GGUF file at `path`.

    Raises
    ------
    ConfigurationError
        If the file cannot be read or is no GGUF file of a known version.
    """
    try:
        status = path.stat()
        return _read(path, status.st_size, status.st_mtime_ns, status.st_ino)
    except OSError as error:
        raise ConfigurationError(
            f"cannot read the weights {path}: {error.strerror}"
        ) from error
    except (ValueError, struct.error, KeyError, IndexError, TypeError) as error:
        raise ConfigurationError(
            f"expected a whole GGUF file, {path} is none ({error}): fetch it again"
        ) from error


@lru_cache(maxsize=32)
def _read(path: Path, size: int, _modified: int, _inode: int) -> Header:
    """Read the header of one state of the file; the other numbers name the state."""
    if size < len(_MAGIC):
        raise ValueError("it is empty")
    # Not mapped: who cut the file off meanwhile would end the process (SIGBUS).
    with path.open("rb") as file:
        return _header(_Reader(file).pairs())


def _header(pairs: dict[str, Any]) -> Header:
    architecture = pairs["general.architecture"]
    kinds = pairs.get("tokenizer.ggml.token_type", ())
    return Header(
        context_length=int(pairs[f"{architecture}.context_length"]),
        cache_bytes_per_token=_cache_bytes(architecture, pairs),
        chat_template=pairs.get("tokenizer.chat_template"),
        tokens=tuple(pairs["tokenizer.ggml.tokens"]),
        control_ids=frozenset(i for i, kind in enumerate(kinds) if kind == _CONTROL),
        end_id=int(pairs.get("tokenizer.ggml.eos_token_id", -1)),
        licence=str(pairs.get("general.license", "")),
    )


def _cache_bytes(architecture: str, pairs: dict[str, Any]) -> int:
    """Return layers x (keys + values) x width of all heads x 2 bytes."""

    def number(key: str, default: int = 0) -> int:
        value = pairs.get(f"{architecture}.{key}", default)
        return int(max(value) if isinstance(value, list | tuple) else value)

    heads = number("attention.head_count", 1)
    width = number("embedding_length") // max(heads, 1)
    key_value_heads = number("attention.head_count_kv", heads)
    keys = number("attention.key_length", width)
    values = number("attention.value_length", width)
    return number("block_count") * key_value_heads * (keys + values) * 2


class _Reader:
    """Walks over the typed values at the head of a file."""

    def __init__(self, file: BinaryIO) -> None:
        self._file = file
        #: Bytes of the file that are not read yet.
        self._left = os.fstat(file.fileno()).st_size

    def pairs(self) -> dict[str, Any]:
        magic = self._take(len(_MAGIC))
        if magic != _MAGIC:
            raise ValueError(f"it begins with {magic!r}")
        version = self._scalar("<I")
        if version not in _VERSIONS:
            raise ValueError(f"its version is {version}")
        self._scalar("<Q")  # the number of tensors
        count = self._count(_MOST_PAIRS)
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
            raise ValueError("it has lists in lists")
        count = self._count(_MOST_ITEMS)
        if kind == _STRING:
            return [self._string() for _ in range(count)]
        scalar = _SCALARS[kind][1]
        return struct.unpack(
            f"<{count}{scalar}", self._take(count * struct.calcsize(scalar))
        )

    def _count(self, most: int) -> int:
        count = int(self._scalar("<Q"))
        if count > most:
            raise ValueError(f"it announces {count:,} entries")
        return count

    def _string(self) -> str:
        return self._take(self._count(_MOST_ITEMS)).decode("utf-8", errors="replace")

    def _scalar(self, form: str) -> Any:
        return struct.unpack(form, self._take(struct.calcsize(form)))[0]

    def _take(self, count: int) -> bytes:
        # Asked first: a read makes room for all that it is asked for.
        taken = self._file.read(count) if count <= self._left else b""
        if len(taken) < count:
            raise ValueError("it is cut off")
        self._left -= count
        return taken
