"""The notebook around a panel, as the panel sees it."""

from __future__ import annotations

from typing import Protocol

from h2o_magic.conversation.background import BackgroundAnswer
from h2o_magic.prompts.prompt import Prompt


class Host(Protocol):
    """What a panel needs of the notebook around it."""

    def expand(self, question: str) -> Prompt:
        """Return the prompt of a question, with the values that it names in braces."""

    def notes(self, question: str) -> list[str]:
        """Return what of a question would stay as it is typed, or is refused."""

    def complete(self, before: str, after: str) -> tuple[str, list[tuple[str, str]]]:
        """Return the text that completions replace, and each one's text and kind."""

    def choices(self, setting: str) -> list[str]:
        """Return the known values of a setting: model, server or thread."""

    def is_command(self, line: str) -> bool:
        """Return whether a line begins with a command, or with a mistyped one."""

    def ask_by_command(self, line: str) -> BackgroundAnswer | None:
        """Ask the question of a command in the background; None if it has none."""

    def command(self, line: str) -> str:
        """Run a ``%h2o`` command, and return its output as Markdown."""
