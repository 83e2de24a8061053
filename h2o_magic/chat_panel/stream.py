"""A growing answer as the little that a view needs to go on with it.

Settled pieces of the text are made into HTML and sent once. Of the tail, which is made
anew each time, only what differs from the last one is sent. So the traffic grows with
the text, and not with its square.
"""

from __future__ import annotations

from os.path import commonprefix
from typing import Any

from h2o_magic.chat_panel.html import as_html
from h2o_magic.conversation.notifications import ComingAnswer
from h2o_magic.rendering.blocks import BlockSplitter

#: How much of the last tail's HTML stays, in UTF-16 units, and what follows it.
Step = tuple[int, str]


class Growth:
    """Follows one answer's text."""

    def __init__(self) -> None:
        self._text = self._tail = ""
        self._splitter = BlockSplitter()
        self._settled: list[str] = []

    @property
    def html(self) -> str:
        """What a view shows that has taken all steps."""
        return "".join((*self._settled, self._tail))

    def to(self, text: str) -> tuple[list[Step], bool]:
        """Return what leads a view from the text before to `text`."""
        if text == self._text:
            return [], False
        replaced = not text.startswith(self._text)
        if replaced:
            self._text = self._tail = ""
            self._splitter = BlockSplitter()
            self._settled = []
        added, self._text = text[len(self._text) :], text
        pieces = [*self._splitter.feed(added), self._splitter.tail]
        made = [as_html(piece) for piece in pieces]
        steps = [_step(self._tail, made[0]), *((0, html) for html in made[1:])]
        self._tail = made.pop()
        self._settled += made
        return steps, replaced


class Running:
    """An answer that is being written, and how far the views have it."""

    def __init__(self, thread: str) -> None:
        self.thread = thread
        self.answer: ComingAnswer | None = None
        self.begin_anew()

    def begin_anew(self) -> None:
        """Have the next step lead from nothing to what is there."""
        self._growth = Growth()
        self._thought = 0  # characters of the reasoning that were sent
        self._notice = ""
        self._fresh = True

    @property
    def html(self) -> str:
        """What a view shows of the answer that has taken all steps."""
        return self._growth.html

    def step(self) -> dict[str, Any]:
        """Return what the views need to go on, as JSON values; empty if nothing."""
        if self.answer is None:
            return {}
        pieces, replaced = self._growth.to(self.answer.text)
        if replaced:
            self._thought, self._fresh = 0, True
        step: dict[str, Any] = {"p": pieces} if pieces else {}
        thought = self.answer.reasoning
        if len(thought) > self._thought and self.answer.question.reasoning != "hide":
            step["t"] = thought[self._thought :]
            self._thought = len(thought)
        if self.answer.notice != self._notice:
            step["w"] = self._notice = self.answer.notice
        if step and self._fresh:
            step["x"], self._fresh = 1, False
        return step


def _step(before: str, html: str) -> Step:
    same = commonprefix([before, html])  # noqa: RUF071 - no paths
    # JavaScript counts a character beyond U+FFFF as two.
    keep = len(same.encode("utf-16-le", "surrogatepass")) // 2
    return keep, html[len(same) :]
