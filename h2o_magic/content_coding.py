"""Undo the compression that a ``Content-Encoding`` header announces, if it is there.

Pure and incremental. The header may be false: chat-ui passes on its upstream's headers
over a body that it has already decompressed. So the first bytes decide.
"""

from __future__ import annotations

import zlib

from h2o_magic.errors import ProtocolError

__all__ = ["ContentDecoder"]

_GZIP_MAGIC = b"\x1f\x8b"
_GZIP_WINDOW = 16 + zlib.MAX_WBITS


class ContentDecoder:
    """Decompress a body of ``gzip`` or ``deflate``; pass anything else through.

    Parameters
    ----------
    announced
        The value of the ``Content-Encoding`` header; empty if there is none.
    """

    def __init__(self, announced: str) -> None:
        self._announced = announced.strip().lower()
        self._head: bytes | None = b""
        self._zlib: zlib._Decompress | None = None
        if self._announced not in ("gzip", "x-gzip", "deflate"):
            self._head = None

    def feed(self, data: bytes) -> bytes:
        """Take the next bytes and return the plain bytes they make.

        Raises
        ------
        ProtocolError
            If the data begins as compressed and then is not.
        """
        if self._head is not None:
            data = self._head + data
            if len(data) < len(_GZIP_MAGIC):
                self._head = data
                return b""
            self._head = None
            self._zlib = _decompressor(self._announced, data)
        return self._decompress(data)

    def flush(self) -> bytes:
        """Return what is left at the end of the body."""
        data, self._head = self._head or b"", None
        return data

    def _decompress(self, data: bytes) -> bytes:
        if self._zlib is None:
            return data
        try:
            return self._zlib.decompress(data)
        except zlib.error as error:
            raise ProtocolError(
                f"the server's answer is announced as {self._announced} but cannot "
                f"be decompressed: {error}"
            ) from error


def _decompressor(announced: str, head: bytes) -> zlib._Decompress | None:
    if announced != "deflate":
        is_gzip = head.startswith(_GZIP_MAGIC)
        return zlib.decompressobj(_GZIP_WINDOW) if is_gzip else None
    # The header of zlib (RFC 1950): method 8, and a checksum over both bytes.
    is_zlib = head[0] & 0x0F == zlib.DEFLATED and (head[0] << 8 | head[1]) % 31 == 0
    return zlib.decompressobj() if is_zlib else None
