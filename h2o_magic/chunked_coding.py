"""The chunked transfer coding of HTTP/1.1, decoded in blocks of any size.

Pure and incremental: bytes go in as they come from the network, cut anywhere; the body
comes out. Many chunks in one block cost little more than one, which is why this is not
left to :mod:`http.client`: servers send each token of an answer as a chunk of its own.

The coding is that of RFC 9112, section 7.1. As :mod:`http.client` does, it takes a bare
line feed for the end of a line, and drops extensions and trailers.
"""

from __future__ import annotations

__all__ = ["ChunkDecoder"]

#: Bytes of the longest line that is taken: of a size with its extensions, a trailer.
_LONGEST_LINE = 65536
#: Digits of a size in the plain chunks that are taken many at once.
_LONGEST_PLAIN_SIZE = 8


class ChunkDecoder:
    """Takes a chunked body apart.

    Attributes
    ----------
    ended : bool
        True once the body has ended with its last chunk and its trailers.
    broken : str
        What is wrong with the bytes, once something is; else empty.
    """

    def __init__(self) -> None:
        self.ended = False
        self.broken = ""
        self._rest = b""  # what is no whole line yet
        self._left = 0  # bytes of the chunk that are still to come
        self._closing = False  # the line end after a chunk's bytes is to come
        self._trailing = False  # the last chunk came

    def feed(self, data: bytes) -> bytes:
        """Take the next bytes and return those of the body in them.

        Where they are broken, those before that are returned first.

        Raises
        ------
        ValueError
            If nothing comes before what is not in this coding.
        """
        pieces: list[bytes] = []
        data = self._rest + data
        place, end = 0, len(data)
        while place < end and not self.ended and not self.broken:
            if not (self._left or self._closing or self._trailing):
                place = _take_whole(data, place, pieces)
            if self._left:
                piece = data[place : place + self._left]
                pieces.append(piece)
                place += len(piece)
                self._left -= len(piece)
                self._closing = not self._left
                continue
            line_end = data.find(b"\n", place)
            if line_end < 0:
                break
            self.broken = self._take_line(data[place:line_end].rstrip(b"\r"))
            place = line_end + 1
        self._rest = b"" if self.ended else data[place:]
        if len(self._rest) > _LONGEST_LINE:
            self.broken = self.broken or "a line is too long"
        if self.broken and not pieces:
            raise ValueError(f"no chunked coding: {self.broken}")
        return b"".join(pieces)

    def _take_line(self, line: bytes) -> str:
        """Take a line; return what is wrong with it."""
        if self._closing:
            self._closing = False
            return f"a chunk is followed by {line[:20]!r}" if line else ""
        if self._trailing:
            self.ended = not line
            return ""
        try:
            size = int(line.partition(b";")[0], 16)
        except ValueError:
            size = -1
        if size < 0:
            return f"{line[:20]!r} is no size"
        self._left, self._trailing = size, not size
        return ""


def _take_whole(data: bytes, place: int, pieces: list[bytes]) -> int:
    """Take the chunks that are there whole and as plain as servers send them.

    Anything else is left for the careful way of reading. A flood of tokens has
    thousands of such chunks, so this does no more for each than it must.

    Parameters
    ----------
    place
        Where a chunk begins.
    pieces
        Gets the bytes of the chunks.

    Returns
    -------
    int
        Where the first chunk begins that was not taken.
    """
    while True:
        line_end = data.find(b"\r\n", place, place + _LONGEST_PLAIN_SIZE + 2)
        line = data[place:line_end] if line_end > 0 else b""
        if not line.isalnum():  # int() takes more for a size than the standard does
            return place
        try:
            size = int(line, 16)
        except ValueError:
            return place
        begin = line_end + 2
        end = begin + size
        if not size or not data.startswith(b"\r\n", end):
            return place
        pieces.append(data[begin:end])
        place = end + 2
