"""The key of a request: the same question has the same one, on any day and machine.

It is the SHA-256 of all fields of a :class:`ChatRequest` before a dialect spells them,
and of the server's name. A field that is added to the request is part of it by that
alone; as long as it has its default value, keys stay what they were. The order of the
fields, and of the rows in the table of parameters, does not count.
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
from h2o_magic.prompts.encoding import module

canonical_text = json.JSONEncoder(
    ensure_ascii=False, allow_nan=False, separators=(",", ":")
).encode
#: Digests of the pixels of images, by the hash of their bytes.
_pixels: dict[str, str] = {}


def key_of(request: ChatRequest, server: str) -> str:
    """Return the key of a request to the server of this name, in hexadecimal."""
    parameters = dict(sorted(request.parameters.items()))
    request = dataclasses.replace(request, parameters=parameters)
    return digest({"server": server, "request": request})


def digest(value: object) -> str:
    """Return the SHA-256 of a value's canonical form, in hexadecimal.

    It may be made of dataclasses, mappings, lists, tuples and JSON values; a TypeError
    for others, a ValueError for NaN and infinity. A mapping counts with its order: an
    answer follows that of a schema. Text counts as it is, half a character too.
    """
    text = canonical_text(canonical(value))
    return hashlib.sha256(text.encode("utf-8", "surrogatepass")).hexdigest()


def canonical(value: object) -> Any:
    """Return a value as JSON, without fields that have their default values."""
    if isinstance(value, Image):
        return _image(value)
    if dataclasses.is_dataclass(value) and not isinstance(value, type):
        fields = sorted(dataclasses.fields(value), key=lambda field: field.name)
        found = ((field, canonical(getattr(value, field.name))) for field in fields)
        return {f.name: each for f, each in found if not _is_default(f, each)}
    if isinstance(value, Mapping):
        return {name: canonical(each) for name, each in value.items()}
    if isinstance(value, list | tuple):
        return [canonical(each) for each in value]
    if value is None or isinstance(value, bool | int | float | str):
        return value
    raise TypeError(f"expected a value of JSON in a request, got {type(value)}")


def _is_default(field: dataclasses.Field[Any], value: object) -> bool:
    default = field.default
    if field.default_factory is not dataclasses.MISSING:
        default = field.default_factory()
    if default is dataclasses.MISSING:
        return False
    return canonical_text(canonical(default)) == canonical_text(
        value
    )  # 0, 0.0 and False differ


def _image(image: Image) -> str:
    """Return what of an image counts: its pixels, since encoders pack them differently.

    JPEG's depend on the encoder, and count as bytes. One without bytes is not sent.
    """
    if not image.data:
        return ""
    if not image.data.startswith(b"\x89PNG"):
        return image.hash
    if image.hash not in _pixels:
        _pixels[image.hash] = _pixels_digest(image.data) or image.hash
    return _pixels[image.hash]


def _pixels_digest(data: bytes) -> str:
    """Return the digest of a PNG's pixels; empty if there is more to it than these."""
    try:
        picture = module("Image").open(io.BytesIO(data), formats=("PNG",))
        content = repr((picture.mode, picture.size)).encode() + picture.tobytes()
    except Exception:  # it cannot be read here, so its bytes count
        return ""
    # A palette, transparency, a gamma or text: our own encoder writes none.
    if picture.mode not in ("L", "RGB") or picture.info:
        return ""
    return hashlib.sha256(content).hexdigest()
