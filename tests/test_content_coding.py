from __future__ import annotations

import gzip
import zlib

import pytest

from h2o_magic.content_coding import ContentDecoder
from h2o_magic.errors import ProtocolError

TEXT = b"data: hello\n\n" * 50


def decode(announced: str, *pieces: bytes) -> bytes:
    decoder = ContentDecoder(announced)
    return b"".join(decoder.feed(p) for p in pieces) + decoder.flush()


@pytest.mark.parametrize(
    ("announced", "body"),
    [
        ("gzip", gzip.compress(TEXT, mtime=0)),
        (" GZIP ", gzip.compress(TEXT, mtime=0)),
        ("deflate", zlib.compress(TEXT)),
        ("", TEXT),
        ("identity", TEXT),
        ("gzip", TEXT),
        ("deflate", TEXT),
    ],
)
def test_a_body_is_decompressed_if_it_is_what_the_header_says(
    announced: str, body: bytes
) -> None:  # 35
    assert decode(announced, body) == TEXT
    assert decode(announced, *[body[i : i + 1] for i in range(len(body))]) == TEXT


def test_text_comes_before_the_end_of_a_compressed_stream() -> None:  # 35
    packer = zlib.compressobj(wbits=31)
    first = packer.compress(b"data: one\n\n") + packer.flush(zlib.Z_SYNC_FLUSH)
    assert ContentDecoder("gzip").feed(first) == b"data: one\n\n"


@pytest.mark.parametrize("body", [b"", b"d", b"\x1f"])
def test_a_body_too_short_to_tell_is_passed_on(body: bytes) -> None:
    assert decode("gzip", body) == body


def test_broken_compression_is_an_error_with_a_cause() -> None:
    body = bytearray(gzip.compress(TEXT, mtime=0))
    body[12:20] = b"\xff" * 8
    with pytest.raises(ProtocolError, match="gzip") as caught:
        decode("gzip", bytes(body))
    assert isinstance(caught.value.__cause__, zlib.error)
