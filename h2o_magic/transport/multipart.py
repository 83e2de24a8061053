"""Text parts as one ``multipart/form-data`` body (RFC 7578)."""

from __future__ import annotations

import uuid
from collections.abc import Mapping

__all__ = ["multipart"]

# What the HTML standard puts for the characters that would end a name.
_IN_NAMES = str.maketrans({'"': "%22", "\r": "%0D", "\n": "%0A"})


def multipart(parts: Mapping[str, str]) -> tuple[bytes, str]:
    """Return a body, and the content type that says how it is divided.

    Parameters
    ----------
    parts
        Texts by the names of their fields, in the order in which they are sent. They
        are sent in UTF-8, byte for byte: no line end is changed.
    """
    # Half a surrogate pair is no character and has no bytes.
    contents = {
        name.translate(_IN_NAMES).encode("utf-8", "replace"): text.encode(
            "utf-8", "replace"
        )
        for name, text in parts.items()
    }
    boundary = _boundary(b"".join(contents.values()))
    line = b"--" + boundary
    pieces = [
        line
        + b'\r\nContent-Disposition: form-data; name="%s"\r\n\r\n%s\r\n' % (name, text)
        for name, text in contents.items()
    ]
    kind = f"multipart/form-data; boundary={boundary.decode()}"
    return b"".join([*pieces, line, b"--\r\n"]), kind


def _boundary(data: bytes) -> bytes:
    """Return a text that is not in `data`."""
    while (boundary := f"h2o-{uuid.uuid4().hex}".encode()) in data:
        pass
    return boundary
