"""Images that go along with a question: frozen values."""

from __future__ import annotations

from base64 import b64encode
from dataclasses import dataclass, field


@dataclass(frozen=True, slots=True)
class Image:
    """An image as it is sent, under the name that the user gave it.

    `name` is a variable or a file: ``fig``, ``chart.png``. `media_type` is
    ``image/png`` or ``image/jpeg``. `width` and `height` are in pixels. `hash` is the
    SHA-256 of `data` in hexadecimal; images with the same hash are the same.
    `thumbnail` is an image of at most 20 kB, itself PNG or JPEG. `data` is what is
    sent, as bytes; empty where only the record's row was read.
    """

    name: str
    media_type: str
    width: int
    height: int
    hash: str
    thumbnail: bytes = field(default=b"", repr=False)
    data: bytes = field(default=b"", repr=False, compare=False)


def data_uri(data: bytes) -> str:
    """Return an image that is PNG or JPEG as an address that holds it."""
    kind = "png" if data.startswith(b"\x89PNG") else "jpeg"
    return f"data:image/{kind};base64,{b64encode(data).decode()}"
