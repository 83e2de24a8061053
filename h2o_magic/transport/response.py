"""The response of :mod:`http.client`, whose chunked bodies are read in blocks."""

from __future__ import annotations

from http.client import HTTPResponse, IncompleteRead
from typing import Any

from h2o_magic.chunked_coding import ChunkDecoder

__all__ = ["BlockResponse"]


class BlockResponse(HTTPResponse):
    """Returns all that is there of a chunked body, not one chunk at a time.

    Only :meth:`read1` does: whoever uses it uses nothing else.
    """

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self._chunks = ChunkDecoder()

    def read1(self, n: int = -1) -> bytes:
        """Return some of the body, at most `n` bytes; none at its end.

        Raises
        ------
        IncompleteRead
            If the body breaks off, or is not chunked as it says.
        """
        if not self.chunked or n <= 0 or self.isclosed():
            return super().read1(n)
        data = b""
        while not data and not self._chunks.ended:
            block = b"" if self._chunks.broken else self.fp.read1(n)
            try:
                data = self._chunks.feed(block)
            except ValueError as error:
                self.close()
                raise IncompleteRead(b"") from error
            if not block and not self._chunks.ended:
                self.close()
                raise IncompleteRead(b"")
        if self._chunks.ended:
            self.close()  # which lets go of the connection, not of its socket
        return data
