"""What is promised about images: which values are some, and what is sent of them."""

from __future__ import annotations

import io
import sys
import types
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import altair
import IPython.display
import matplotlib
import numpy as np
import pandas as pd
import plotly.graph_objects as plotly
import pytest
from matplotlib.figure import Figure
from PIL import Image as Pillow
from PIL.PngImagePlugin import PngInfo

from h2o_magic.chat.images import Image
from h2o_magic.errors import ConfigurationError, MissingExtraError
from h2o_magic.prompts import encoding
from h2o_magic.prompts.images import as_image

SECRET = "sk-THIS-IS-IN-THE-METADATA"


@pytest.fixture(autouse=True)
def without_a_screen() -> Iterator[None]:
    with matplotlib.rc_context():
        matplotlib.use("agg")
        yield


def sent(value: object, name: str = "fig") -> Image:
    image = as_image(value, name)
    assert image is not None
    assert image.name == name
    return image


def opened(image: Image) -> Pillow.Image:
    picture = Pillow.open(io.BytesIO(image.data))
    assert picture.size == (image.width, image.height)
    assert picture.get_format_mimetype() == image.media_type
    return picture


def file_of(picture: Pillow.Image, kind: str = "PNG", **options: Any) -> bytes:
    file = io.BytesIO()
    picture.save(file, kind, **options)
    return file.getvalue()


def pixel(image: Image, place: tuple[int, int]) -> tuple[int, ...]:
    found = opened(image).convert("RGB").getpixel(place)
    assert isinstance(found, tuple)
    return tuple(map(int, found))


def figure() -> Figure:
    made = Figure(figsize=(4, 3), dpi=50)
    made.subplots().plot([1, 2, 3])
    return made


def noise(width: int, height: int) -> Pillow.Image:
    values = np.random.default_rng(0).integers(0, 256, (height, width, 3), "uint8")
    return Pillow.fromarray(values)


# Which values are images


class _Grid:
    """As all grids of seaborn are made."""

    def __init__(self) -> None:
        self.figure = figure()


_Grid.__module__ = "seaborn.axisgrid"
_Grid.__name__ = "_BaseGrid"


def nested_axes() -> object:
    return Figure(figsize=(4, 3), dpi=50).subfigures(1, 2)[0].subplots()


@pytest.mark.parametrize(
    "value",
    [
        figure(),
        figure().axes[0],
        Figure(figsize=(4, 3), dpi=50).subplots(2, 2),
        nested_axes(),
        _Grid(),
    ],
)
def test_a_figure_is_drawn_at_its_own_size(value: object) -> None:
    image = sent(value)
    assert (image.width, image.height) == (200, 150)
    assert pixel(image, (0, 0)) == (255, 255, 255)


def test_a_figure_stays_as_it_is() -> None:
    made = figure()
    made.set_facecolor((0.0, 0.0, 0.5, 0.5))
    canvas = made.canvas
    with matplotlib.rc_context({"savefig.transparent": True, "savefig.dpi": 10}):
        image = sent(made)
    assert (image.width, made.dpi, made.canvas) == (200, 50, canvas)
    assert made.get_facecolor() == (0.0, 0.0, 0.5, 0.5)
    assert pixel(image, (0, 0)) == (127, 127, 191)  # on white


def test_a_figure_too_large_to_draw_is_drawn_smaller() -> None:
    image = sent(Figure(figsize=(10_000, 5_000)))
    assert (image.width, image.height) == (1568, 784)


def test_a_figure_that_cannot_be_drawn_says_so_in_one_line() -> None:
    made = figure()
    made.axes[0].set_title("$\\nothing$")
    with pytest.raises(ConfigurationError, match="fig cannot be drawn: ") as raised:
        sent(made)
    assert "\n" not in str(raised.value)


def test_a_chart_of_altair_is_drawn() -> None:
    rows = pd.DataFrame({"x": [1, 2], "y": [3, 4]})
    chart = altair.Chart(rows).mark_bar().encode(x="x:O", y="y")
    assert sent(chart.properties(width=50, height=50)).width > 50
    assert sent(chart | chart).height > 50


def test_a_figure_of_plotly_needs_kaleido(monkeypatch: pytest.MonkeyPatch) -> None:
    chart, table = plotly.Figure(), altair.Chart()
    monkeypatch.setattr("importlib.util.find_spec", lambda _: None)
    with pytest.raises(ConfigurationError, match="run `pip install kaleido`"):
        sent(chart)
    with pytest.raises(ConfigurationError, match="run `pip install vl-convert-python`"):
        sent(table)
    monkeypatch.setattr("importlib.util.find_spec", lambda _: True)
    drawn = file_of(noise(30, 20))
    monkeypatch.setattr(plotly.Figure, "to_image", lambda _, **_options: drawn)
    assert sent(chart).width == 30


@pytest.mark.parametrize(
    "array",
    [
        np.zeros((16, 20), "uint8"),
        np.zeros((16, 20, 3), "uint8"),
        np.zeros((16, 20, 4), "uint8"),
        np.ones((16, 20, 3), "float32"),
        np.full((16, 20, 4), 0.5),
        np.zeros((32, 40, 3), "uint8")[::2, ::2],
    ],
)
def test_an_array_of_image_shape_is_one(array: Any) -> None:
    image = sent(array)
    assert (image.width, image.height) == (20, 16)


def test_floats_from_0_to_1_are_shares_of_the_colours() -> None:
    array = np.zeros((16, 16, 3))
    array[:, :] = [1.0, 0.5, 0.0]
    assert pixel(sent(array), (5, 5)) == (255, 128, 0)


@pytest.mark.parametrize(
    "value",
    [
        np.zeros((15, 20), "uint8"),
        np.zeros((20, 15, 3), "uint8"),
        np.zeros((20, 20, 2), "uint8"),
        np.zeros((20, 20, 3, 3), "uint8"),
        np.zeros((20, 20)),
        np.zeros((20, 20, 3), "int64"),
        np.full((20, 20, 3), 1.01),
        np.full((20, 20, 3), -0.01),
        np.full((20, 20, 3), np.nan),
        np.array([], dtype=object),
        np.array([1, "a"], dtype=object),
        np.uint8(1),
        pd.Series(["a"], dtype=object),
        pd.DataFrame({"a": [1]}),
        Figure,
        matplotlib,
        "chart.png",
        b"text",
        None,
        [1, 2],
    ],
)
def test_other_values_are_no_images(value: object) -> None:
    assert as_image(value, "x") is None


def test_the_bytes_of_an_image_file_are_one() -> None:
    data = file_of(noise(30, 20), "JPEG")
    for value in (data, bytearray(data), IPython.display.Image(data)):
        assert sent(value).height == 20


def test_an_image_by_address_only_is_refused() -> None:
    remote = IPython.display.Image(url="http://127.0.0.1:1/chart.png")
    with pytest.raises(ConfigurationError, match="nothing is fetched"):
        sent(remote)


def test_packages_of_images_are_not_imported_for_other_values(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    for name in [n for n in sys.modules if n.partition(".")[0] in ("PIL", "pypdf")]:
        monkeypatch.setitem(sys.modules, name, None)
    assert as_image(np.zeros(3), "x") is as_image({"a": 1}, "x") is None
    with pytest.raises(MissingExtraError, match="an image needs packages"):
        sent(np.zeros((16, 16), "uint8"))


# What is sent


def test_what_is_sent_is_the_smaller_of_png_and_jpeg() -> None:
    assert sent(noise(200, 200)).media_type == "image/jpeg"
    assert sent(Pillow.new("RGB", (200, 200), "blue")).media_type == "image/png"


@pytest.mark.parametrize(
    ("size", "smaller"),
    [
        ((3136, 1000), (1568, 500)),
        ((1000, 3136), (500, 1568)),
        ((1568, 1568), (1568, 1568)),
        ((20_000, 1), (1568, 1)),
        ((3, 2), (3, 2)),
    ],
)
def test_an_image_has_1568_pixels_at_most_on_its_long_side(
    size: tuple[int, int], smaller: tuple[int, int]
) -> None:
    image = sent(Pillow.new("RGB", size))
    assert (image.width, image.height) == smaller


@pytest.mark.parametrize("kind", ["PNG", "JPEG", "GIF", "WEBP", "BMP", "TIFF"])
@pytest.mark.parametrize("mode", ["1", "L", "RGB", "P"])
def test_kinds_of_files_are_read_alike(kind: str, mode: str) -> None:
    if (kind, mode) == ("JPEG", "P"):
        mode = "CMYK"  # JPEG has no palettes
    white = Pillow.new("RGB", (20, 30), "white").convert(mode)
    image = sent(file_of(white, kind))
    assert (image.width, image.height) == (20, 30)
    assert min(pixel(image, (10, 10))) > 250


@pytest.mark.parametrize("white", [1.0, 255.0])
def test_numbers_with_a_point_are_from_black_to_white(white: float) -> None:
    picture = Pillow.new("F", (20, 30), white)
    picture.paste(0.0, (0, 0, 10, 30))
    assert pixel(sent(picture), (5, 5)) == (0, 0, 0)
    assert pixel(sent(picture), (15, 5)) == (255, 255, 255)


@pytest.mark.parametrize("mode", ["RGBA", "LA"])
def test_what_is_transparent_becomes_white(mode: str) -> None:
    clear = Pillow.new("RGBA", (20, 20), (0, 0, 0, 0)).convert(mode)
    for value in (clear, file_of(clear)):
        assert pixel(sent(value), (5, 5)) == (255, 255, 255)


def test_a_transparent_colour_of_a_palette_becomes_white() -> None:
    picture = Pillow.new("P", (20, 20), 0)
    picture.putpalette([10, 20, 30])
    assert pixel(sent(file_of(picture, transparency=0)), (5, 5)) == (255, 255, 255)


def test_16_bits_are_read_as_8() -> None:
    grey = Pillow.fromarray(np.full((20, 20), 0x8080, "uint16"))
    assert pixel(sent(file_of(grey)), (5, 5)) == (128, 128, 128)


def test_a_photo_is_turned_upright() -> None:
    photo = Pillow.new("RGB", (40, 20), "red")
    photo.paste((0, 0, 255), (0, 0, 20, 20))
    exif = Pillow.Exif()
    exif[0x0112] = 6  # to be turned by 90 degrees clockwise
    for kind in ("JPEG", "PNG"):
        image = sent(file_of(photo, kind, exif=exif))
        assert (image.width, image.height) == (20, 40)
        red, _, blue = pixel(image, (10, 5))
        assert (red < 50, blue > 200) == (True, True)


def test_of_an_animation_the_first_image_is_sent() -> None:
    frames = [Pillow.new("RGB", (20, 20), colour) for colour in ("red", "blue")]
    data = file_of(frames[0], "GIF", save_all=True, append_images=frames[1:])
    assert pixel(sent(data), (5, 5)) == (255, 0, 0)


def with_metadata(kind: str) -> bytes:
    exif = Pillow.Exif()
    exif[0x010E] = SECRET
    options: dict[str, Any] = {"exif": exif, "icc_profile": SECRET.encode()}
    if kind == "PNG":
        options["pnginfo"] = PngInfo()
        options["pnginfo"].add_text("Comment", SECRET)
        options["pnginfo"].add_itxt("XML:com.adobe.xmp", SECRET)
    else:
        options |= {"comment": SECRET, "xmp": SECRET.encode()}
    return file_of(Pillow.new("RGB", (400, 400), "red"), kind, **options) + (
        SECRET.encode()  # after the image's end
    )


@pytest.mark.parametrize("kind", ["PNG", "JPEG"])
def test_no_metadata_is_sent_kept_or_shown(kind: str) -> None:
    data = with_metadata(kind)
    assert data.count(SECRET.encode()) >= 3
    picture = Pillow.open(io.BytesIO(data))
    for image in (sent(data), sent(picture)):
        assert SECRET not in repr(image)
        for part in (image.data, image.thumbnail):
            assert SECRET.encode() not in part
            found = Pillow.open(io.BytesIO(part))
            assert set(found.info) <= {"jfif", "jfif_density", "jfif_unit"} | {
                "jfif_version"
            }
            assert not found.getexif()


@pytest.mark.parametrize("value", [figure(), noise(300, 200)])
def test_the_same_image_has_the_same_bytes(value: object) -> None:
    assert sent(value).data == sent(value).data
    assert sent(value) == sent(value)


def test_users_images_stay_as_they_are() -> None:
    for mode in ("RGB", "RGBA", "P", "L"):
        picture = noise(2000, 100).convert(mode)
        picture.info["dpi"] = (1, 1)
        before = picture.copy()
        sent(picture)
        assert picture == before
        assert picture.info == before.info


@pytest.mark.parametrize("size", [(2000, 2000), (3, 2), (2000, 10)])
def test_a_thumbnail_has_20_kb_at_most(size: tuple[int, int]) -> None:
    image = sent(noise(*size))
    assert 0 < len(image.thumbnail) <= 20_000
    thumbnail = Pillow.open(io.BytesIO(image.thumbnail))
    assert max(thumbnail.size) <= 320
    assert thumbnail.format in ("PNG", "JPEG")


# What is refused, in one line


def refused(value: object) -> str:
    with pytest.raises(ConfigurationError) as raised:
        as_image(value, "chart")
    said = str(raised.value)
    assert "\n" not in said
    assert said.startswith("chart")
    return said


@pytest.mark.parametrize("kind", ["PNG", "JPEG", "GIF", "WEBP"])
def test_a_file_cut_short_is_refused(kind: str) -> None:
    data = file_of(noise(100, 100), kind)
    for cut in (12, 60, len(data) // 2):
        assert "damaged or cut short" in refused(data[:cut])


def test_an_image_that_claims_to_be_huge_is_refused_unread(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    data = bytearray(file_of(Pillow.new("1", (10, 10))))
    data[16:24] = (20_000).to_bytes(4, "big") * 2
    monkeypatch.setattr(encoding, "_plain", lambda _: pytest.fail("it was read"))
    assert "cannot be read" in refused(bytes(data))  # its checksum is wrong
    bomb = file_of(Pillow.new("1", (9_500, 9_000)))
    assert "at most 80 million pixels, got 9,500 x 9,000" in refused(bomb)
    assert "chart is empty: 0 x 5 pixels" in refused(Pillow.new("L", (0, 5)))


@pytest.mark.parametrize(
    "start",
    [
        "<svg xmlns='http://www.w3.org/2000/svg'/>",
        "\ufeff  <?xml version='1.0'?>\n<!-- of a tool -->\n<svg\n></svg>",
        "<?xml version='1.0'?><!DOCTYPE svg PUBLIC '...'>",
    ],
)
def test_vector_images_are_refused(start: str) -> None:
    assert "SVG images cannot be sent: convert it to PNG" in refused(start.encode())


def test_photos_that_only_telephones_read_are_refused() -> None:
    said = refused(b"\0\0\0\x18ftypheic\0\0\0\0mif1heic")
    assert "HEIC or AVIF images cannot be sent: convert it to PNG" in said


@pytest.mark.parametrize("text", ["svg is a format", "BMW,3\nAudi,4", "<?xml?><a/>"])
def test_texts_that_begin_alike_are_no_images(text: str) -> None:
    assert as_image(text.encode(), "x") is None


def test_a_tensor_is_an_image_where_it_is_on_the_cpu() -> None:
    torch = types.ModuleType("torch")

    class Tensor:
        dtype, shape = "torch.uint8", (16, 20, 3)

        def __init__(self, device: str) -> None:
            self.device = types.SimpleNamespace(type=device)

        def detach(self) -> Tensor:
            return self

        def numpy(self) -> Any:
            return np.zeros(self.shape, "uint8")

    Tensor.__module__ = torch.__name__
    assert sent(Tensor("cpu")).width == 20
    assert as_image(Tensor("cuda"), "x") is None


def test_a_file_is_the_same_image_as_its_picture(tmp_path: Path) -> None:
    path = tmp_path / "a.png"
    noise(50, 40).save(path)
    assert sent(Pillow.open(path)).data == sent(path.read_bytes()).data
