"""Requests of all shapes, made from the fields that a request has."""

from __future__ import annotations

import hashlib
import io
from collections.abc import Mapping
from dataclasses import fields
from typing import Any

from hypothesis import strategies as st
from PIL import Image as Pillow

from h2o_magic.backends.base import ChatRequest
from h2o_magic.chat.images import Image
from h2o_magic.chat.messages import Message
from h2o_magic.config.parameters import PARAMETERS

#: Few values, so that equal ones come often, and those that are easily confused.
TEXTS = st.sampled_from(
    [
        *("", "a", "b", "1", "true", "null", " a", "a ", "a\nb", "a\r\nb"),
        *("é", "e\u0301", "\U0001f600", "\ud83d\ude00", "\ud83d", "\\ud83d"),
        '","role":"user"',
    ]
)
NUMBERS = st.sampled_from([0, 0.0, -0.0, False, 1, 1.0, True, 2**53, 2.0**53, 0.1, -1])


def in_any_order(values: st.SearchStrategy[Any]) -> st.SearchStrategy[dict[str, Any]]:
    return st.lists(st.tuples(TEXTS, values), max_size=2).map(dict)


JSON: st.SearchStrategy[Any] = st.recursive(
    st.none() | NUMBERS | TEXTS,
    lambda inner: st.lists(inner, max_size=2) | in_any_order(inner),
    max_leaves=4,
)


def png(pixels: bytes, level: int = 6, mode: str = "RGB", **info: Any) -> Image:
    """Return an image two pixels wide; `level` is how hard the encoder tries."""
    per_pixel = {"RGB": 3, "L": 1, "P": 1, "RGBA": 4}[mode]
    size = (2, len(pixels) // (2 * per_pixel))
    picture = Pillow.frombytes(mode, size, pixels)
    if palette := info.pop("palette", None):
        picture.putpalette(palette)
    file = io.BytesIO()
    picture.save(file, "PNG", compress_level=level, **info)
    return image(file.getvalue(), "image/png", size)


def image(data: bytes, media_type: str, size: tuple[int, int] = (2, 2)) -> Image:
    return Image("fig", media_type, *size, hashlib.sha256(data).hexdigest(), data=data)


PIXELS = st.lists(st.sampled_from([0, 1, 255]), min_size=12, max_size=12).map(bytes)
IMAGES = st.builds(png, PIXELS, st.sampled_from([1, 9]))
MESSAGE: Mapping[str, st.SearchStrategy[Any]] = {
    "role": st.sampled_from(["system", "user", "assistant"]),
    "content": TEXTS,
    "images": st.lists(IMAGES, max_size=2).map(tuple),
}
#: A value for each field: one that is added to a request, or a message, needs a row.
REQUEST: Mapping[str, st.SearchStrategy[Any]] = {
    "model": TEXTS,
    "messages": st.lists(st.builds(Message, **MESSAGE), max_size=3).map(tuple),
    "parameters": st.dictionaries(
        st.sampled_from(list(PARAMETERS)), NUMBERS | TEXTS | JSON, max_size=3
    ),
    "strict": st.booleans(),
    "schema": st.none() | in_any_order(JSON),
}
REQUESTS = st.builds(ChatRequest, **REQUEST)


def meaning(value: Any) -> str:
    """Return what must count of a value, by Python's own exact repr."""
    if isinstance(value, ChatRequest):
        parameters = dict(sorted(value.parameters.items()))
        named = {f.name: getattr(value, f.name) for f in fields(value)}
        return meaning(list({**named, "parameters": parameters}.items()))
    if isinstance(value, Message):
        return meaning([value.role, value.content, value.images])
    if isinstance(value, Image):
        return repr(Pillow.open(io.BytesIO(value.data)).tobytes())
    if isinstance(value, Mapping):
        return meaning([[name, each] for name, each in value.items()]) + "{}"
    if isinstance(value, list | tuple):
        return "[" + ",".join(map(meaning, value)) + "]"
    return repr(value)
