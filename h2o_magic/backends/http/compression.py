"""Bodies that come compressed, though no compression was accepted.

Pure. The header may be false: a proxy may pass on that of its upstream over what it has
decompressed, or drop it. So the first byte tells.
"""

from __future__ import annotations

import zlib
from collections.abc import Iterator

_GZIP = 16 + zlib.MAX_WBITS
_MAGIC = b"\x1f"  # no text begins with this character


def decompressed(chunks: Iterator[bytes], encoding: str) -> Iterator[bytes]:
    """Yield a body decompressed as it arrives; raise `zlib.error` where that fails."""
    unzip: _Unzip | None = None
    first = True
    for data in chunks:
        if first and data[:1] == _MAGIC:
            unzip = _Unzip(_GZIP)
        elif first and data[:1] == b"x" and "deflate" in encoding.lower():
            unzip = _Unzip(zlib.MAX_WBITS)
        first = False
        plain = unzip.add(data) if unzip else data
        if plain:
            yield plain
        del data, plain  # not yet masked, and tracebacks may show what frames hold


class _Unzip:
    def __init__(self, kind: int) -> None:
        self._kind = kind
        self._member = zlib.decompressobj(kind)

    def add(self, data: bytes) -> bytes:
        plain = self._member.decompress(data)
        # Some proxies compress each piece anew.
        while (rest := self._member.unused_data)[:1] == _MAGIC:
            self._member = zlib.decompressobj(self._kind)
            plain += self._member.decompress(rest)
        return plain
