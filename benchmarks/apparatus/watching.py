"""What a page shows of a growing answer, noted in each frame: how much, and when."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise

from playwright.sync_api import Page

__all__ = ["Shrunk", "Watched", "letters", "note_growth", "noted"]

#: Chromium's own clock may drift from the system's: both are read here, together.
_WATCH = """({ box, texts, left_out }) => {
  const clock = Date.now() - performance.now();
  const found = (window.watched = { frames: [], tasks: [], most: 0 });
  const text = (selector) =>
    [...document.querySelectorAll(selector)].map((one) => one.textContent).join(" ");
  const letters = (text) => text.replace(/[^a-z0-9]/gi, "").length;
  new PerformanceObserver((list) => {
    for (const { startTime, duration } of list.getEntries())
      found.tasks.push([(clock + startTime) / 1000, duration]);
  }).observe({ entryTypes: ["longtask"] });
  let asked = false;
  let before = "";
  const look = () => {
    asked = false;
    const shown = text(texts);
    if (shown === before) return;
    before = shown;
    found.frames.push([Date.now() / 1000, letters(shown) - letters(text(left_out))]);
  };
  new MutationObserver(() => {
    found.most = Math.max(found.most, document.querySelectorAll(texts).length);
    if (asked) return;
    asked = true;
    requestAnimationFrame(look);
  }).observe(document.querySelector(box), {
    childList: true, subtree: true, characterData: true,
  });
}"""


@dataclass(frozen=True)
class Shrunk:
    """In how many frames text had gone away, and how many letters of it at most."""

    frames: int
    letters: int


@dataclass(frozen=True)
class Watched:
    """What was noted.

    Attributes
    ----------
    frames : sequence of (float, int)
        When a frame in which the text had changed was drawn, by ``time.time()``, and
        the letters and digits that stood there.
    tasks : sequence of (float, float)
        When a task of more than 50 ms of the page's main thread began, by
        ``time.time()``, and how many milliseconds it took.
    most : int
        The most elements with text that were there at a time.
    """

    frames: Sequence[tuple[float, int]]
    tasks: Sequence[tuple[float, float]]
    most: int

    @property
    def letters(self) -> int:
        """How many letters and digits stand there at the end."""
        return self.frames[-1][1]

    @property
    def whole(self) -> float:
        """When all text was there and stayed, by ``time.time()``."""
        short = [n for n, (_, size) in enumerate(self.frames) if size < self.letters]
        return self.frames[short[-1] + 1 if short else 0][0]

    def updates(self, first: float, last: float) -> float:
        """Return in how many frames a second, from `first` to `last`, text had come.

        One with less than the frame before, as when a link's address is taken for what
        it is, does not count.
        """
        grown = sum(
            first <= when <= last and size >= before
            for (_, before), (when, size) in pairwise(self.frames)
        )
        return grown / (last - first)

    def shrunk(self, first: float, last: float) -> Shrunk:
        """Return the frames, from `first` to `last`, in which text had gone away.

        They showed less than each of the two before them. One alone may have shown too
        much: what goes from one output to another stands in both until the second of
        the two messages is drawn.
        """
        sizes = [size for _, size in self.frames]
        gone = [
            min(earlier, before) - size
            for earlier, before, (when, size) in zip(
                sizes, sizes[1:], self.frames[2:], strict=False
            )
            if first <= when <= last and size < min(earlier, before)
        ]
        return Shrunk(len(gone), max(gone, default=0))

    def longest_task(self, first: float, last: float) -> float:
        """Return the milliseconds of the longest task that began between two times.

        0 if none took more than 50 ms: the page does not tell of those.
        """
        return max([0, *(took for began, took in self.tasks if first <= began <= last)])


def letters(text: str) -> int:
    """Return how many letters and digits of English a text has."""
    return sum(character.isascii() and character.isalnum() for character in text)


def note_growth(page: Page, box: str, texts: str, left_out: str) -> None:
    """Begin to note what a page shows.

    Parameters
    ----------
    page
        A page of Chromium.
    box
        The selector of the element in which changes are looked for.
    texts
        The selector of the elements whose text counts.
    left_out
        The selector of elements within those whose text does not.
    """
    page.evaluate(_WATCH, {"box": box, "texts": texts, "left_out": left_out})


def noted(page: Page) -> Watched:
    """Return what has been noted until now."""
    return Watched(**page.evaluate("() => window.watched"))
