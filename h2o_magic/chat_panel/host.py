"""The notebook around a panel, as the panel sees it."""

from __future__ import annotations

from collections.abc import Callable
from typing import Protocol

from h2o_magic.conversation.background import BackgroundAnswer
from h2o_magic.prompts.prompt import Prompt

#: A completion: its text, what is said of it, and what is to follow the text.
Entry = tuple[str, str, str]


class Host(Protocol):
    """What a panel needs of the notebook around it."""

    def expand(self, question: str) -> Prompt:
        """Return the prompt of a question, with the values that it names in braces."""

    def notes(self, question: str) -> list[str]:
        """Return what of a question would stay as it is typed, or is refused."""

    def weigh(self, question: str, most: int) -> int:
        """Return about how many tokens the values that a question names have.

        One of which a description is sent counts as `most` at most.
        """

    def complete(self, before: str, after: str) -> tuple[str, list[Entry]]:
        """Return the text that completions replace, and the completions."""

    def starters(self, *, sees: bool) -> list[tuple[str, str]]:
        """Return labels and questions to begin with; `sees`: the model takes images."""

    def on_cell_run(self, callback: Callable[[], None]) -> Callable[[], None]:
        """Call `callback` when a cell has run; return what ends that."""

    def is_command(self, line: str) -> bool:
        """Return whether a line begins with a command, or with a mistyped one."""

    def ask_by_command(self, line: str) -> BackgroundAnswer | None:
        """Ask the question of a command in the background; None if it has none."""

    def command(self, line: str) -> str:
        """Run a ``%h2o`` command, and return its output as Markdown."""
