"""A chunked body comes out whole, however it was cut."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from h2o_magic.chunked_coding import ChunkDecoder

BODY = b"5\r\nHello\r\n7;a=b\r\n, world\r\n1\r\n!\r\n0\r\nTrailer: x\r\n\r\n"


def decode(*pieces: bytes) -> tuple[bytes, bool]:
    decoder = ChunkDecoder()
    return b"".join(map(decoder.feed, pieces)), decoder.ended


def test_every_cut_gives_the_same_body() -> None:
    for cut in range(len(BODY) + 1):
        assert decode(BODY[:cut], BODY[cut:]) == (b"Hello, world!", True)
    assert decode(*[bytes([byte]) for byte in BODY]) == (b"Hello, world!", True)


@given(st.lists(st.binary(min_size=1, max_size=300)), st.data())
def test_chunks_of_any_bytes_come_out(chunks: list[bytes], data: st.DataObject) -> None:
    body = b"".join(b"%x\r\n%s\r\n" % (len(c), c) for c in chunks) + b"0\r\n\r\n"
    cuts = sorted(data.draw(st.lists(st.integers(0, len(body)), max_size=5)))
    pieces = [body[a:b] for a, b in zip([0, *cuts], [*cuts, len(body)], strict=True)]
    assert decode(*pieces) == (b"".join(chunks), True)


#: What a chunked body may be made of, well or badly.
PARTS = [
    b"5\r\nHello\r\n",
    b"0005\r\nWorld\r\n",
    b"A\r\n0123456789\r\n",
    b"a\n0123456789\n",
    b"2;name=value\r\n\r\n\r\n",
    b" 3 \r\nabc\r\n",
    b"1_0\r\n0123456789abcdef\r\n",
    b"+1\r\nx\r\n",
    b"000000000001\r\nx\r\n",
    b"3\r\nlonger\r\n",
    b"9\r\nshort\r\n",
    b"\r\n",
    b"no size\r\n",
    b"0\r\n",
]


@given(st.lists(st.sampled_from(PARTS), max_size=8))
def test_many_chunks_at_once_say_what_they_say_byte_by_byte(parts: list[bytes]) -> None:
    def told(*pieces: bytes) -> tuple[bytes, bool, str]:
        decoder, body = ChunkDecoder(), b""
        for piece in pieces:
            try:
                body += decoder.feed(piece)
            except ValueError:
                break
            if decoder.broken:
                break
        return body, decoder.ended, decoder.broken

    body = b"".join(parts)
    assert told(body) == told(*[bytes([byte]) for byte in body])


def test_what_is_there_of_a_chunk_comes_at_once() -> None:
    assert decode(b"10\r\nhalf of") == (b"half of", False)


def test_a_body_that_breaks_off_has_not_ended() -> None:
    for cut in range(len(BODY)):
        assert not decode(BODY[:cut])[1]


def test_bare_line_feeds_end_lines() -> None:
    assert decode(b"2\nok\n0\n\n") == (b"ok", True)


def test_what_came_before_it_broke_is_not_lost() -> None:
    decoder = ChunkDecoder()
    assert decoder.feed(b"2\r\nok\r\nhello\r\n3\r\nno!\r\n") == b"ok"
    assert "'hello' is no size" in decoder.broken
    with pytest.raises(ValueError, match="no chunked coding: "):
        decoder.feed(b"")


@pytest.mark.parametrize(
    "body", [b"hello\r\n", b"-1\r\n", b"\r\n", b"0\r\n" + b"1" * 70000, b"1" * 70000]
)
def test_what_is_no_chunk_is_refused(body: bytes) -> None:
    with pytest.raises(ValueError, match="no chunked coding: "):
        decode(body)
