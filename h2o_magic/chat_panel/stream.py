"""A growing answer as small steps: what a view adds to what it shows already.

Finished blocks of the text become HTML and are sent once. Of the last block, which is
rendered anew for each step, only the part that differs is sent. So the traffic grows
with the text, and not with its square.
"""

from __future__ import annotations

import time
from os.path import commonprefix
from typing import Any

from h2o_magic.chat_panel.html import as_html
from h2o_magic.conversation.notifications import ComingAnswer
from h2o_magic.rendering.blocks import BlockSplitter

#: How much of the last block's HTML stays, in UTF-16 units, and what follows it. Each
#: further step of an update begins a new block.
Step = tuple[int, str]


class HtmlStream:
    """The text of one answer as HTML."""

    def __init__(self) -> None:
        self._restart()

    def _restart(self) -> None:
        self._text = self._last_block = ""
        self._splitter = BlockSplitter()
        self._finished: list[str] = []

    @property
    def html(self) -> str:
        """What a view shows after all steps."""
        return "".join((*self._finished, self._last_block))

    def update(self, text: str) -> tuple[list[Step], bool]:
        """Return the steps to a new text, and whether a view must restart first."""
        if text == self._text:
            return [], False
        restarted = not text.startswith(self._text)
        if restarted:
            self._restart()
        added, self._text = text[len(self._text) :], text
        blocks = [*self._splitter.feed(added), self._splitter.tail]
        rendered = [as_html(block) for block in blocks]
        steps = [_step(self._last_block, rendered[0])]
        steps += ((0, html) for html in rendered[1:])
        self._last_block = rendered.pop()
        self._finished += rendered
        return steps, restarted


class AnswerStream:
    """An answer that is being written, and how much of it was sent to the views."""

    def __init__(self, thread: str) -> None:
        self.thread = thread
        self._began = time.monotonic()
        self.answer: ComingAnswer | None = None
        self.restart()

    @property
    def seconds(self) -> float:
        """For how long it has been coming."""
        return round(time.monotonic() - self._began, 1)

    def restart(self) -> None:
        """Make the next delta hold all of the answer."""
        self._text = HtmlStream()
        self._reasoning = 0  # characters sent
        self._notice = ""
        self._restarted = True

    @property
    def html(self) -> str:
        """What a view shows of the answer after all deltas."""
        return self._text.html

    def delta(self) -> dict[str, Any]:
        """Return what is new since the last call, as JSON values; empty if nothing."""
        if self.answer is None:
            return {}
        steps, restarted = self._text.update(self.answer.text)
        if restarted:
            self._reasoning, self._restarted = 0, True
        delta: dict[str, Any] = {"html": steps} if steps else {}
        reasoning = self.answer.reasoning
        if (
            len(reasoning) > self._reasoning
            and self.answer.question.reasoning != "hide"
        ):
            delta["reasoning"] = reasoning[self._reasoning :]
            self._reasoning = len(reasoning)
        if self.answer.notice != self._notice:
            self._notice = self.answer.notice
            delta["notice"] = self._notice, round(self.answer.waited, 1)
        if delta and self._restarted:
            delta["restart"], self._restarted = 1, False
        return delta


def _step(before: str, html: str) -> Step:
    same = commonprefix([before, html])  # noqa: RUF071 - no paths
    # JavaScript counts a character beyond U+FFFF as two.
    keep = len(same.encode("utf-16-le", "surrogatepass")) // 2
    return keep, html[len(same) :]
