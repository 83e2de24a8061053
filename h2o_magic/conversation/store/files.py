"""The images of turns: what a row says of them, and their bytes, each kept once.

The bytes are in a table of their own, which turns and notebooks share; the last row
that names them takes them along (see `schema`).
"""

from __future__ import annotations

import json
from base64 import b64decode, b64encode
from collections.abc import Iterable, Mapping, Sequence
from contextlib import suppress
from dataclasses import replace
from typing import Any

from h2o_magic.chat.images import Image
from h2o_magic.chat.turns import Turn
from h2o_magic.conversation.store.database import Database

_PLAIN = ("name", "media_type", "width", "height", "hash")


def as_column(images: Iterable[Image]) -> str:
    return json.dumps([_described(image) for image in images])


def from_column(column: Any) -> tuple[Image, ...]:
    """Return the images of a row, without data; damaged ones are left out."""
    found: list[Image] = []
    with suppress(ValueError, TypeError, RecursionError):
        for entry in json.loads(column):
            with suppress(ValueError, TypeError, KeyError):
                found.append(_image(entry))
    return tuple(found)


def keep(database: Database, images: Iterable[Image]) -> None:
    """Store the bytes of images that have them, unless they are there."""
    for image in images:
        if image.data:
            database.execute(
                "INSERT OR IGNORE INTO files VALUES (?, ?)", (image.hash, image.data)
            )


def data(database: Database, hashes: Iterable[str]) -> Mapping[str, bytes]:
    """Return the bytes of images by their hashes; those that are not there lack."""
    sql = "SELECT data FROM files WHERE hash = ?"
    found = {hash_: database.value(sql, [hash_]) for hash_ in set(hashes)}
    return {hash_: value for hash_, value in found.items() if isinstance(value, bytes)}


def filled(database: Database, turns: Sequence[Turn]) -> tuple[Turn, ...]:
    """Return turns with the bytes of their images, as far as they are there."""
    known = data(database, (image.hash for turn in turns for image in turn.images))

    def with_data(image: Image) -> Image:
        return replace(image, data=known.get(image.hash, image.data))

    return tuple(
        replace(turn, images=tuple(map(with_data, turn.images))) for turn in turns
    )


def _described(image: Image) -> dict[str, Any]:
    plain = {name: getattr(image, name) for name in _PLAIN}
    return {**plain, "thumbnail": b64encode(image.thumbnail).decode()}


def _image(entry: Mapping[str, Any]) -> Image:
    plain = {name: entry[name] for name in _PLAIN}
    return Image(**plain, thumbnail=b64decode(entry["thumbnail"], validate=True))
