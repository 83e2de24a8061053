"""The notebook as a command sees it, and what a command is."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING, Protocol

from h2o_magic.ipython.commands.usage import Arguments

if TYPE_CHECKING:
    from IPython.core.interactiveshell import InteractiveShell

    from h2o_magic.chat_panel import Panel, Place
    from h2o_magic.conversation.answer import Answer
    from h2o_magic.conversation.session import Session
    from h2o_magic.ipython.options import AskOptions
    from h2o_magic.ipython.side_by_side import Answers
    from h2o_magic.prompts.prompt import Prompt


class CommandContext(Protocol):
    """The notebook, as a command sees it."""

    shell: InteractiveShell | None

    @property
    def session(self) -> Session:
        """The notebook's session."""

    def option(self, word: str) -> str:
        """Return a word of a line with the values that it names in braces."""

    def ask(
        self, options: AskOptions, question: str | Prompt
    ) -> Answer | Answers | None:
        """Ask, show the answer as it comes, and return it, or those of several models.

        None for help or preview.
        """

    def retry(self, options: AskOptions) -> Answer:
        """Ask the last question again, show the answer, and return it."""

    def offer(self, answer: Answer, code: str) -> None:
        """Put an answer's code into a new cell below, unless the notebook has it."""

    def panel(self, place: Place) -> Panel:
        """Return the chat panel on the notebook's conversation, to be shown there."""


@dataclass(frozen=True, slots=True)
class Subcommand:
    """A command of ``%h2o``; one that is `free` reads its line itself."""

    usage: str
    run: Callable[[CommandContext, Arguments], Answer | Answers | None]
    free: bool = False

    @property
    def name(self) -> str:
        """What is typed: the function's name."""
        return self.run.__name__.rstrip("_")

    @property
    def help(self) -> str:
        """What it does: the function's docstring, without its full stop."""
        return " ".join((self.run.__doc__ or "").split()).rstrip(".")

    @property
    def typed(self) -> str:
        """The command with its usage: ``%h2o show N [--thread NAME]``."""
        return f"%h2o {self.name} {self.usage}".rstrip()
