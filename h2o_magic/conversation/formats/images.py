"""Images in files: as data URIs, which hold their bytes."""

from __future__ import annotations

import hashlib
import re
from base64 import b64decode
from collections.abc import Mapping
from typing import Any

from h2o_magic.chat.images import Image, data_uri
from h2o_magic.errors import ConfigurationError
from h2o_magic.prompts import encoding

#: The kinds of images that are sent, by how their bytes begin.
_KINDS = {b"\x89PNG\r\n": "image/png", b"\xff\xd8\xff": "image/jpeg"}
_PLAIN = {"name": str, "width": int, "height": int}
_URI = re.compile(r"data:image/[\w.+-]+;base64,(?P<data>[A-Za-z0-9+/\s]*={0,2})\s*")


def file_name(image: Image) -> str:
    """Return the name of an image's own file; images that are the same share it."""
    return f"{image.hash[:16]}.{image.media_type.rpartition('/')[2]}"


def describe(image: Image) -> dict[str, Any]:
    """Return an image as JSON values; one whose bytes are gone has no ``url``."""
    entry = {name: getattr(image, name) for name in (*_PLAIN, "hash")}
    if image.data:
        entry["url"] = data_uri(image.data)
    if image.thumbnail:
        entry["thumbnail"] = data_uri(image.thumbnail)
    return entry


def read(entry: Mapping[str, Any]) -> Image | None:
    """Return the image that :func:`describe` wrote; None for one without bytes.

    A ValueError says what is wrong with it.
    """
    if "url" not in entry:
        return None
    for name, kind in _PLAIN.items():
        if type(entry.get(name)) is not kind:
            raise ValueError(f'expected "{name}" of an image, got none of this kind')
    data, media_type = _bytes(entry["url"])
    thumbnail, _ = _bytes(entry["thumbnail"]) if "thumbnail" in entry else (b"", "")
    hash_ = hashlib.sha256(data).hexdigest()
    if entry.get("hash") != hash_:
        raise ValueError("expected an image with its own hash: the file was damaged")
    size = entry["width"], entry["height"]
    return Image(entry["name"], media_type, *size, hash_, thumbnail, data)


def foreign(part: Mapping[str, Any]) -> Image | None:
    """Return the image of a message's part; None where its bytes cannot be read."""
    address = part.get("image_url")
    if isinstance(address, dict):
        address = address.get("url")
    try:
        return encoding.from_bytes(_decoded(address), "image")
    except (ValueError, ConfigurationError):
        return None


def _bytes(value: object) -> tuple[bytes, str]:
    """Return the bytes of a data URI, and what they are: PNG or JPEG."""
    data = _decoded(value)
    for start, kind in _KINDS.items():
        if data.startswith(start):
            return data, kind
    raise ValueError("expected an image in PNG or JPEG, got another file")


def _decoded(value: object) -> bytes:
    found = _URI.fullmatch(value) if isinstance(value, str) else None
    if found is None:
        raise ValueError("expected an image as a data URI in base64")
    return b64decode(found["data"])
