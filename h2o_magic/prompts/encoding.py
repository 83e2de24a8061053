"""A picture as the bytes that are sent: upright, small, opaque, without metadata.

The same picture always gives the same bytes.
"""

from __future__ import annotations

import hashlib
import importlib
import io
import re
from typing import TYPE_CHECKING, Any, cast

from h2o_magic.chat.images import Image
from h2o_magic.errors import ConfigurationError, MissingExtraError
from h2o_magic.prompts.limits import error_text

if TYPE_CHECKING:
    from PIL.Image import Image as Picture

#: Pixels of the longer side of what is sent: models scale larger images down.
LONG_SIDE = 1568

#: Pixels of the largest image that is read; a small file may claim any number.
MOST_PIXELS = 80_000_000

#: Bytes of a thumbnail, and the sides to try.
_THUMBNAIL = 20_000
_THUMBNAIL_SIDES = (320, 240, 160, 80)

#: How it is written, so that no default of a later Pillow changes its bytes.
_PNG = {"optimize": False, "compress_level": 6}
# With colours at full resolution: text and lines of charts are often coloured.
_JPEG = {"optimize": False, "progressive": False, "subsampling": 0}

# All that Pillow reads without other programs.
_FORMATS = ("PNG", "JPEG", "GIF", "WEBP", "BMP", "TIFF")
_STARTS = re.compile(
    rb"\x89PNG\r\n\x1a\n|\xff\xd8\xff|GIF8[79]a|RIFF.{4}WEBP|BM.{4}\0{4}|II\*\0|MM\0\*",
    re.DOTALL,
)


def from_bytes(data: bytes, name: str) -> Image | None:
    """Return the first image of a file's bytes; None if they begin as none."""
    if not _STARTS.match(data):
        return None
    pillow = module("Image")
    try:
        picture = pillow.open(io.BytesIO(data), formats=_FORMATS)
    except Exception as error:
        raise _unreadable(name, error) from error
    return from_picture(picture, name)


def from_picture(picture: Picture, name: str) -> Image:
    """Return a picture of Pillow's as it is sent; the picture itself stays as it is."""
    width, height = picture.size
    if not width * height:
        raise ConfigurationError(f"{name} is empty: {width} x {height} pixels")
    if width * height > MOST_PIXELS:
        raise ConfigurationError(
            f"{name}: expected an image of at most {MOST_PIXELS // 10**6} million "
            f"pixels, got {width:,} x {height:,}"
        )
    try:
        plain = _plain(picture)
    except Exception as error:
        raise _unreadable(name, error) from error
    _scale(plain, LONG_SIDE, "LANCZOS")
    media_type, data = _smaller(plain, 90)
    hash_ = hashlib.sha256(data).hexdigest()
    size, thumbnail = plain.size, _thumbnail(plain)
    return Image(name, media_type, *size, hash_, thumbnail, data)


def module(name: str) -> Any:
    """Import a module of Pillow."""
    try:
        return importlib.import_module(f"PIL.{name}")
    except ImportError as error:
        raise MissingExtraError("sending an image", "images") from error


def _plain(picture: Picture) -> Picture:
    """Return a copy that has its pixels and nothing else, on white."""
    upright: Picture = module("ImageOps").exif_transpose(picture)
    grey = upright.mode in {"1", "L", "LA", "La", "I", "I;16", "I;16B", "F"}
    if upright.mode.startswith("I"):  # 16 bits for each pixel
        upright = upright.convert("I").point(lambda value: value * (1 / 257))
    if upright.mode == "F":
        low, high = cast("tuple[float, float]", upright.getextrema())
        if low >= 0 and high <= 1:  # as in arrays: not 0 to 255
            upright = upright.point(lambda value: value * 255.0)
    mask = None
    if upright.mode in {"RGBA", "LA", "PA", "RGBa", "La"} or (
        "transparency" in upright.info
    ):
        upright = upright.convert("RGBA")
        mask = upright.getchannel("A")
    mode = "L" if grey else "RGB"
    plain: Picture = module("Image").new(mode, upright.size, "white")
    plain.paste(upright.convert(mode), mask=mask)
    return plain


def _scale(picture: Picture, side: int, how: str) -> None:
    filter_ = module("Image").Resampling[how]
    picture.thumbnail((side, side), filter_, reducing_gap=2.0)


def _smaller(picture: Picture, quality: int) -> tuple[str, bytes]:
    """Return the picture as PNG or JPEG, whichever is smaller."""
    png, jpeg = io.BytesIO(), io.BytesIO()
    picture.save(png, "PNG", **_PNG)
    picture.save(jpeg, "JPEG", quality=quality, **_JPEG)
    kinds = (("image/png", png.getvalue()), ("image/jpeg", jpeg.getvalue()))
    return min(kinds, key=lambda kind: len(kind[1]))


def _thumbnail(picture: Picture) -> bytes:
    small = b""
    for side in _THUMBNAIL_SIDES:
        copy = picture.copy()
        _scale(copy, side, "BICUBIC")
        _, small = _smaller(copy, 75)
        if len(small) <= _THUMBNAIL:
            break
    return small


def _unreadable(name: str, error: Exception) -> ConfigurationError:
    return ConfigurationError(
        f"{name} cannot be read as an image, it may be damaged or cut short: "
        f"{error_text(error)}"
    )
