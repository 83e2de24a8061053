"""Values that are images: figures, charts, pictures, arrays of pixels, files' bytes."""

from __future__ import annotations

import importlib.util
import io
from collections.abc import Callable
from functools import partial
from typing import Any, cast

from h2o_magic.chat.images import Image
from h2o_magic.errors import ConfigurationError
from h2o_magic.prompts import encoding
from h2o_magic.prompts.arrays import is_array
from h2o_magic.prompts.introspection import is_from
from h2o_magic.prompts.limits import error_text

#: Pixels of the shorter side of an array that is taken for an image.
_LEAST_SIDE = 16

#: Pixels of the longer side to which a figure is drawn, whatever its size in inches.
_MOST_SIDE = 4000

_FLOATS = {"float16", "float32", "float64"}


def as_image(value: object, name: str) -> Image | None:
    """Return a value as an image to be sent; None if it is none.

    An array is one if it is height x width of bytes, with 3 or 4 colours also of floats
    from 0 to 1, and at least 16 pixels each way. A ConfigurationError says why an image
    cannot be sent.
    """
    data = _file(value, name)
    if data is not None:
        return encoding.from_bytes(data, name)
    picture = value if is_from(value, "PIL", "Image") else _picture(value)
    if picture is None:
        return None
    return encoding.from_picture(cast(Any, picture), name)


def _file(value: object, name: str) -> bytes | None:
    """Return the bytes of an image file that a value has, or that is drawn of it."""
    if isinstance(value, bytes | bytearray):
        return bytes(value)
    if is_from(value, "IPython", "Image"):
        return _displayed(value, name)
    draw = _drawing(value, name)
    if draw is None:
        return None
    try:
        return draw()
    except Exception as error:
        raise ConfigurationError(
            f"{name} cannot be drawn: {error_text(error)}"
        ) from error


def _drawing(value: object, name: str) -> Callable[[], bytes] | None:
    if figure := _figure_of(value):
        return partial(_figure_file, figure)
    if is_from(value, "plotly", "BaseFigure"):
        _need("kaleido", "kaleido", "a figure of plotly", name)
        return partial(cast(Any, value).to_image, format="png")
    if is_from(value, "altair", "TopLevelMixin"):
        _need("vl_convert", "vl-convert-python", "a chart of altair", name)
        return partial(_chart_file, value)
    return None


def _figure_of(value: object) -> Any:
    """Return the whole figure of matplotlib that a value is, or is part of."""
    found: Any = value
    if is_from(value, "seaborn", "_BaseGrid"):
        found = getattr(value, "figure", None)
    elif is_from(value, "numpy", "ndarray") and found.dtype == object:
        found = next(iter(found.flat), None)  # as `plt.subplots(2, 2)` returns them
    if not is_from(found, "matplotlib", "FigureBase", "_AxesBase"):
        return None
    while getattr(found, "figure", found) is not found:
        found = found.figure
    return found


def _figure_file(figure: Any) -> bytes:
    file = io.BytesIO()
    dpi = min(figure.dpi, _MOST_SIDE / max(figure.get_size_inches()))
    colour = figure.get_facecolor()
    figure.savefig(file, format="png", dpi=dpi, facecolor=colour, transparent=False)
    return file.getvalue()


def _chart_file(chart: Any) -> bytes:
    file = io.BytesIO()
    chart.save(file, format="png")
    return file.getvalue()


def _need(module: str, package: str, what: str, name: str) -> None:
    if importlib.util.find_spec(module) is None:
        raise ConfigurationError(
            f"{name}: {what} is sent with the help of {package}, which is not "
            f"installed: run `pip install {package}`"
        )


def _displayed(value: Any, name: str) -> bytes | None:
    if value.url and not value.data:
        raise ConfigurationError(
            f"{name} is an image by its address only, and nothing is fetched: make it "
            "with `embed=True`"
        )
    return value.data if isinstance(value.data, bytes) else None


def _picture(value: object) -> object:
    """Return an array of image shape as a picture; None if it is none."""
    array = cast(Any, value)
    shape = array.shape if is_array(value) else ()
    if len(shape) not in (2, 3) or min(shape[:2]) < _LEAST_SIDE:
        return None
    if tuple(shape[2:]) not in ((), (3,), (4,)):
        return None
    if is_from(value, "torch", "Tensor") and array.device.type == "cpu":
        array = array.detach()
        kind = str(array.dtype).removeprefix("torch.")
        array = array.numpy() if kind in {"uint8", *_FLOATS} else None
    elif not is_from(value, "numpy", "ndarray"):
        array = None
    pixels = None if array is None else _pixels(array)
    return None if pixels is None else encoding.module("Image").fromarray(pixels)


def _pixels(array: Any) -> Any:
    """Return an array of bytes, also for one of floats from 0 to 1; else None."""
    if str(array.dtype) == "uint8":
        return array
    if str(array.dtype) not in _FLOATS or len(array.shape) == 2:
        return None
    if array.min() >= 0 and array.max() <= 1:  # false for NaN
        return (array * 255).round().astype("uint8")
    return None
