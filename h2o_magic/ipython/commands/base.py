"""What a subcommand can use of the notebook that it runs in."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING, Protocol

from h2o_magic.ipython.commands.usage import Given

if TYPE_CHECKING:
    from IPython.core.interactiveshell import InteractiveShell

    from h2o_magic.conversation.answer import Answer
    from h2o_magic.conversation.session import Session
    from h2o_magic.ipython.options import AskOptions


class CommandContext(Protocol):
    """The notebook, as a subcommand sees it."""

    shell: InteractiveShell | None

    @property
    def session(self) -> Session:
        """The notebook's session."""

    def ask(self, options: AskOptions, question: str) -> Answer | None:
        """Ask, show the answer as it comes, and return it; None for a preview."""

    def ask_line(self, text: str) -> None:
        """Ask what follows the options in `text`."""

    def retry(self, options: AskOptions) -> None:
        """Ask the last question again, and show the answer."""

    def open_panel(self) -> None:
        """Show the chat panel below the cell."""

    def show_help(self) -> None:
        """Show the subcommands and the options."""


@dataclass(frozen=True, slots=True)
class Subcommand:
    """A subcommand of ``%h2o``."""

    name: str
    usage: str
    help: str
    run: Callable[[CommandContext, Given], None]
    free: bool = False
