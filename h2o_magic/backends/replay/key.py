"""The key of a request: the same question has the same one, on any day and machine.

It is the SHA-256 of all fields of a :class:`ChatRequest` before a dialect spells them,
and of the server's name. A field that is added to the request is part of it by that
alone; as long as it has its default value, keys stay what they were.
"""

from __future__ import annotations

import dataclasses
import hashlib
import io
import json
from collections.abc import Mapping
from typing import Any

from h2o_magic.backends.base import ChatRequest
from h2o_magic.chat.images import Image
from h2o_magic.errors import MissingExtraError
from h2o_magic.prompts.encoding import module

#: Digests of the pixels of images, by the hash of their bytes.
_pixels: dict[str, str] = {}


def key_of(request: ChatRequest, server: str) -> str:
    """Return the key of a request to the server of this name, in hexadecimal."""
    return digest({"server": server, "request": request})


def digest(value: object) -> str:
    """Return the SHA-256 of a value's canonical form, in hexadecimal.

    It may be made of dataclasses, mappings, lists, tuples and JSON values; a TypeError
    for others. A mapping counts with its order: an answer follows that of a schema.
    """
    text = json.dumps(canonical(value), allow_nan=False, separators=(",", ":"))
    return hashlib.sha256(text.encode()).hexdigest()


def canonical(value: object) -> Any:
    """Return a value as JSON, without fields that have their default values."""
    if isinstance(value, Image):
        return _image(value)
    if dataclasses.is_dataclass(value) and not isinstance(value, type):
        return {
            field.name: canonical(getattr(value, field.name))
            for field in dataclasses.fields(value)
            if getattr(value, field.name) != _default(field)
        }
    if isinstance(value, Mapping):
        return {str(name): canonical(each) for name, each in value.items()}
    if isinstance(value, list | tuple):
        return [canonical(each) for each in value]
    if value is None or isinstance(value, bool | int | float | str):
        return value
    raise TypeError(f"expected a value of JSON in a request, got {type(value)}")


def _default(field: dataclasses.Field[Any]) -> object:
    if field.default_factory is not dataclasses.MISSING:
        return field.default_factory()
    return field.default  # MISSING equals no value


def _image(image: Image) -> str:
    """Return what of an image counts: its pixels, since encoders pack them differently.

    JPEG's depend on the encoder, and count as bytes. One without bytes is not sent.
    """
    if not image.data:
        return ""
    if image.media_type != "image/png":
        return image.hash
    if image.hash not in _pixels:
        _pixels[image.hash] = _pixels_digest(image)
    return _pixels[image.hash]


def _pixels_digest(image: Image) -> str:
    try:
        picture = module("Image").open(io.BytesIO(image.data), formats=("PNG",))
        content = repr((picture.mode, picture.size)).encode() + picture.tobytes()
    except (MissingExtraError, OSError, ValueError):
        return image.hash
    return hashlib.sha256(content).hexdigest()
