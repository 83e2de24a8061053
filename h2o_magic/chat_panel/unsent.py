"""A question that was not sent, until someone sends or removes it."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from h2o_magic.chat.facts import Facts, failure_facts
from h2o_magic.chat_panel.messages import in_a_line
from h2o_magic.chat_panel.rows import problem
from h2o_magic.conversation.background import BackgroundAnswer
from h2o_magic.errors import BackendError, ReplayMissError

#: Sends a question: its text, and which of its files stay.
Resend = Callable[[str, Sequence[int]], BackgroundAnswer | None]


@dataclass
class Unsent:
    """Such a question.

    `files` are its chips, `why` is the reason, and `problem` that of a server, or that
    no answer is stored, which is shown with it. `message` is that of the view with
    which it came, whose composer may take it back.
    """

    text: str
    files: list[dict[str, Any]]
    thread: str
    resend: Resend
    view: str = ""
    message: Mapping[str, Any] = field(default_factory=dict)
    why: str = ""
    problem: Mapping[str, Any] | None = None

    def note(self, error: BaseException | None) -> None:
        """Note why it was not sent; None if it was only stopped."""
        self.why = "" if error is None else in_a_line(error)
        self.problem = None
        if isinstance(error, BackendError):
            self.problem = problem(Facts("", **failure_facts(error)), time.time())
        elif isinstance(error, ReplayMissError):  # sent again, it may be answered
            self.problem = problem(Facts("", error=str(error)), time.time())

    def change(self, text: str, keep: Sequence[int]) -> None:
        """Change its text, and keep only some of its files, by their places."""
        resend, kept = self.resend, list(keep)
        self.text, self.files = text, [self.files[place] for place in kept]
        self.resend = lambda new, left: resend(new, [kept[place] for place in left])

    def item(self, number: int) -> dict[str, Any]:
        """Return what views list of it."""
        return {
            "id": number,
            "text": self.text,
            "files": self.files,
            "cell": False,
            "waits": True,
            "held": False,
            "unsent": True,
            "why": self.why,
            "problem": self.problem,
            "view": self.view,
            "n": self.message.get("n"),
            "turn": self.message.get("id"),
        }
