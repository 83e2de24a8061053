"""Make ``docs/demo.gif``, the moving picture in the README.

It is a recording of what really happens: a JupyterLab with files of its own, in a
headless Chromium; a notebook in which the cells below are typed and run; and the model
``MODEL``, which answers on this machine with its own recommended settings. Frames last
as long as they did, but for waits in which nothing moves: those are cut to
``LONGEST_WAIT``. Run it on an idle machine, from a checkout in which ``.[dev]`` is
installed::

    .venv/bin/python docs/make_demo.py

It needs a ``chromium`` on the PATH, and fetches the model if it is not there. A larger
model on this machine would answer in its place, which is refused: let ``HF_HUB_CACHE``
be a folder without one. Each run is another recording, and a small model does not
always answer well: look at the picture, and run it again if need be. ``--out PATH``
puts it elsewhere, ``--frames FOLDER`` keeps its frames too, as PNG files.
"""

from __future__ import annotations

import argparse
import base64
import io
import json
import math
import os
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from itertools import pairwise
from pathlib import Path
from typing import Any, NamedTuple, cast

from PIL import Image
from playwright.sync_api import Page, ViewportSize, expect

from benchmarks.apparatus.notebooks import notebook
from h2o_magic.cli import main as command_line
from h2o_magic.config.models import REAL_MODEL, title_of
from tests.browser.conftest import Lab, LabNotebook, Opener, chromium, running_lab

MODEL = REAL_MODEL

TABLE = """\
city,country,sight
Rome,Italy,Colosseum
Cairo,Egypt,Pyramids
Paris,France,Louvre
Sydney,Australia,Opera House
"""

#: Run before the recording begins.
FIRST_CELL = """\
%load_ext h2o_magic
import pandas as pd

cities = pd.read_csv("cities.csv")
cities"""

#: Typed and run in it, one after the other.
CELLS = (
    "%%h2o --out answer\nWhich of the {cities} has the Louvre?",
    "cities[[city in answer for city in cities.city]]",
    "%%h2o\nWhy is it famous?",
)

#: Of the browser's window, which is the picture's.
SIZE: ViewportSize = {"width": 900, "height": 600}
#: Seconds: from key to key, before a cell is run, and after it has run.
KEY, BEFORE, AFTER = 0.01, 0.2, 0.5
#: The least that a frame lasts, the most, and the last one, in milliseconds.
SHORTEST, LONGEST_WAIT, LAST = 80, 1000, 3000
#: Colours that are kept as they are, the commonest, and all: a GIF has 256, of which
#: one stands for what has not changed.
EXACT, COLOURS = 160, 255

CELL_BUTTONS = (
    "duplicate-cell",
    "move-cell-up",
    "move-cell-down",
    "insert-cell-above",
    "insert-cell-below",
    "delete-cell",
)

SETTINGS: Mapping[str, Any] = {
    "apputils-extension/themes": {
        "theme": "JupyterLab Light",
        "overrides": {"code-font-size": "15px", "content-font-size1": "15px"},
    },
    "cell-toolbar-extension/plugin": {
        "toolbar": [{"name": name, "disabled": True} for name in CELL_BUTTONS]
    },
    # A cursor that blinks would be most of the picture's frames.
    "codemirror-extension/plugin": {"defaultConfig": {"cursorBlinkRate": 0}},
    "notebook-extension/tracker": {"scrollPastEnd": False, "windowingMode": "none"},
}

#: What leaves of JupyterLab's window the notebook alone.
QUIET: Sequence[tuple[str, Mapping[str, str]]] = (
    ("application:set-mode", {"mode": "single-document"}),
    ("application:toggle-left-area", {}),
    ("application:toggle-side-tabbar", {"side": "left"}),
    ("application:toggle-side-tabbar", {"side": "right"}),
    ("statusbar:toggle", {}),
)

#: Scrolls down until a cell is in view, as a hand would.
SCROLL = """([index, room]) => new Promise((done) => {
  const box = document.querySelector(".jp-WindowedPanel-outer");
  const cell = document.querySelectorAll(".jp-Notebook .jp-Cell")[index];
  const below = () =>
    cell.getBoundingClientRect().bottom + room - box.getBoundingClientRect().bottom;
  const step = () => {
    const left = below();
    const before = box.scrollTop;
    if (left > 0) box.scrollTop += Math.max(4, Math.ceil(left / 3));
    if (left <= 0 || box.scrollTop === before) done();
    else setTimeout(step, 80);
  };
  step();
})"""


Colour = tuple[int, int, int]


class Frame(NamedTuple):
    """What the page showed, and since when, by the browser's clock."""

    since: float
    png: bytes


class Camera:
    """Takes what a page shows, each time it changes."""

    def __init__(self, page: Page) -> None:
        self.frames: list[Frame] = []
        self._session = page.context.new_cdp_session(page)
        self._session.on("Page.screencastFrame", self._take)

    def start(self) -> None:
        """Begin with what is shown now."""
        self._session.send("Page.startScreencast", {"format": "png"})

    def stop(self) -> None:
        """Take no more."""
        self._session.send("Page.stopScreencast")

    def _take(self, event: dict[str, Any]) -> None:
        self._session.send("Page.screencastFrameAck", {"sessionId": event["sessionId"]})
        png = base64.b64decode(event["data"])
        self.frames.append(Frame(event["metadata"]["timestamp"], png))


def record(folder: Path) -> list[Frame]:
    """Return what the notebook showed while its cells were typed and run."""
    with running_lab(folder) as lab, chromium() as browser:
        _write_settings(folder / "settings")
        (lab.folder / "cities.csv").write_text(TABLE)
        _load_model(lab)
        context = browser.new_context(viewport=SIZE)
        page = context.new_page()
        # On a busy machine JupyterLab may ask something, as tests/browser says.
        accept = page.locator(".jp-Dialog .jp-mod-accept").first
        page.add_locator_handler(accept, lambda button: button.click())
        opened = Opener(lab, page)("cities.ipynb", notebook(FIRST_CELL))
        for command, arguments in QUIET:
            page.evaluate(
                "([name, args]) => jupyterapp.commands.execute(name, args)",
                [command, arguments],
            )
        opened.run_to_end(0)
        opened.cell(1).locator(".cm-content").click()
        page.mouse.move(SIZE["width"] / 2, 12)
        page.wait_for_timeout(1000)
        camera = Camera(page)
        camera.start()
        page.wait_for_timeout(600)
        for number, source in enumerate(CELLS, start=1):
            _type_and_run(opened, number, source)
        camera.stop()
        for number, source in enumerate(CELLS, start=1):
            if source.startswith("%%h2o"):
                expect(opened.output(number)).to_contain_text(title_of(MODEL))
        context.close()
    return camera.frames


def _write_settings(folder: Path) -> None:
    for name, values in SETTINGS.items():
        path = folder / "@jupyterlab" / f"{name}.jupyterlab-settings"
        path.parent.mkdir(exist_ok=True)
        path.write_text(json.dumps(values))


def _load_model(lab: Lab) -> None:
    """Let the local server of this JupyterLab have the model in memory."""
    os.environ["H2O_MAGIC_HOME"] = str(lab.home)
    for words in (["pull", MODEL], ["ask", "--max-new-tokens", "1", "Hello!"]):
        if command_line(words):
            raise SystemExit(f"h2o-magic {words[0]} failed")


def _type_and_run(opened: LabNotebook, number: int, source: str) -> None:
    page = opened.page
    lines = source.split("\n")
    for line in lines:
        for key in line:
            page.keyboard.type(key)
            page.wait_for_timeout(1000 * KEY)
        if line is not lines[-1]:
            page.keyboard.press("Enter")
            page.wait_for_timeout(2000 * KEY)
    page.wait_for_timeout(1000 * BEFORE)
    page.keyboard.press("Shift+Enter")
    opened.wait_idle(number)
    page.wait_for_timeout(150)
    page.evaluate(SCROLL, [number + 1, 24])
    page.wait_for_timeout(1000 * AFTER)


def picture(frames: Sequence[Frame]) -> tuple[list[Image.Image], list[int]]:
    """Return the frames of the picture, and for how many milliseconds each is shown."""
    chosen: list[tuple[float, Image.Image]] = []
    for since, png in frames:
        image = Image.open(io.BytesIO(png)).convert("RGB")
        if chosen and image == chosen[-1][1]:
            continue
        if chosen and 1000 * (since - chosen[-1][0]) < SHORTEST:
            chosen[-1] = (chosen[-1][0], image)  # the newer one in its place
        else:
            chosen.append((since, image))
    shown = [1000 * (after[0] - before[0]) for before, after in pairwise(chosen)]
    # A GIF counts hundredths of a second.
    durations = [10 * round(min(ms, LONGEST_WAIT) / 10) for ms in shown]
    return [image for _, image in chosen], [*durations, LAST]


def write_gif(path: Path, images: Sequence[Image.Image], durations: list[int]) -> None:
    """Write an animated GIF that loops, with one palette for all frames."""
    counts = Counter[Colour]()
    for image in images:
        counts.update(dict(_colours(image)))
    palette = _palette(counts)
    nearest = {
        colour: min(range(len(palette)), key=lambda at: math.dist(colour, palette[at]))
        for colour in counts
    }
    first, *others = [_indexed(image, nearest, palette) for image in images]
    first.save(
        path,
        save_all=True,
        append_images=others,
        duration=durations,
        loop=0,
        optimize=True,
    )


def _colours(image: Image.Image) -> Iterator[tuple[Colour, int]]:
    """Yield each colour of an image, and how many of its pixels have it."""
    for count, parts in image.getcolors(image.width * image.height) or ():
        yield cast("Colour", parts), count


def _palette(counts: Counter[Colour]) -> list[Colour]:
    """Return the commonest colours, and of the others those that stand for many."""
    common = [colour for colour, _ in counts.most_common(EXACT)]
    rare = sorted(set(counts) - set(common))
    if not rare:
        return common
    parts = bytes(part for colour in rare for part in colour)
    strip = Image.frombytes("RGB", (len(rare), 1), parts)
    few = strip.quantize(COLOURS - EXACT, kmeans=10).convert("RGB")
    return [*common, *(colour for colour, _ in _colours(few))]


def _indexed(
    image: Image.Image, nearest: Mapping[Colour, int], palette: Sequence[Colour]
) -> Image.Image:
    parts = image.tobytes()
    colours = zip(parts[0::3], parts[1::3], parts[2::3], strict=True)
    places = bytes(nearest[colour] for colour in colours)
    indexed = Image.frombytes("P", image.size, places)
    indexed.putpalette([part for colour in palette for part in colour])
    return indexed


def main() -> None:
    """Record, and write the picture."""
    parser = argparse.ArgumentParser(description="Make the README's moving picture.")
    parser.add_argument(
        "--out", type=Path, default=Path(__file__).with_name("demo.gif")
    )
    parser.add_argument("--frames", type=Path, help="a folder for the single frames")
    options = parser.parse_args()
    began = time.monotonic()
    with tempfile.TemporaryDirectory() as folder:
        images, durations = picture(record(Path(folder)))
    write_gif(options.out, images, durations)
    if options.frames:
        options.frames.mkdir(parents=True, exist_ok=True)
        for number, image in enumerate(images):
            image.save(options.frames / f"{number:03}.png")
    sys.stdout.write(
        f"{options.out}: {options.out.stat().st_size / 1000:,.0f} kB, "
        f"{len(images)} frames, {sum(durations) / 1000:.1f} s; "
        f"made in {time.monotonic() - began:.0f} s\n"
    )


if __name__ == "__main__":
    main()
