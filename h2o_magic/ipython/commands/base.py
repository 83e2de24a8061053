"""The notebook as a command sees it, and what a command is."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING, Protocol

from h2o_magic.ipython.commands.usage import Arguments

if TYPE_CHECKING:
    from IPython.core.interactiveshell import InteractiveShell

    from h2o_magic.conversation.answer import Answer
    from h2o_magic.conversation.session import Session
    from h2o_magic.ipython.options import AskOptions


class CommandContext(Protocol):
    """The notebook, as a command sees it."""

    shell: InteractiveShell | None

    @property
    def session(self) -> Session:
        """The notebook's session."""

    def ask(self, options: AskOptions, question: str) -> Answer | None:
        """Ask, show the answer as it comes, and return it; None for help or preview."""

    def retry(self, options: AskOptions) -> None:
        """Ask the last question again, and show the answer."""

    def open_panel(self) -> None:
        """Show the chat panel below the cell."""


@dataclass(frozen=True, slots=True)
class Subcommand:
    """A command of ``%h2o``; one that is `free` reads its line itself."""

    name: str
    usage: str
    help: str
    run: Callable[[CommandContext, Arguments], None]
    free: bool = False
