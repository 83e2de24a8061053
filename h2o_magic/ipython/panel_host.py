"""The notebook around a chat panel: its names, and its commands."""

from __future__ import annotations

import re
from collections.abc import Callable
from contextlib import suppress
from typing import Any, Protocol

from h2o_magic.chat_panel import Panel
from h2o_magic.chat_panel.host import Entry
from h2o_magic.conversation.background import BackgroundAnswer
from h2o_magic.errors import ConfigurationError, MisuseError, did_you_mean, nearest
from h2o_magic.ipython import commands
from h2o_magic.ipython.commands.base import CommandContext
from h2o_magic.ipython.commands.models import model_of
from h2o_magic.ipython.commands.usage import Arguments
from h2o_magic.ipython.completion.menu import menu
from h2o_magic.ipython.display.views import capture_markdown
from h2o_magic.ipython.failures import get_failures
from h2o_magic.ipython.options import parse_ask, retry_settings
from h2o_magic.ipython.reader import NamesReader
from h2o_magic.ipython.scope import Scope
from h2o_magic.ipython.starters import starters
from h2o_magic.prompts.prompt import Prompt
from h2o_magic.rendering.literal import literal

#: What only a cell can do, and why.
_CELLS_ONLY = {
    "panel": "the panel is already open",
    "fix": "the corrected cell is inserted below a cell: run `%h2o fix` in one",
    "ask": "type the question without a command",
}
#: The first word of a command, known or not; paths have another slash, or a dot.
_COMMAND = re.compile(r"[\w-]+(?!\S)")


class HostContext(CommandContext, Protocol):
    """What the host of a panel needs of the magics."""

    def expand(self, question: str) -> Prompt:
        """Return the prompt of a question, with the values that it names in braces."""


def panel_of(context: HostContext) -> Panel:
    """Return a panel on the notebook's conversation."""
    if not hasattr(context.shell, "kernel"):
        raise MisuseError("a panel needs a notebook: open one in JupyterLab")
    return Panel(context.session, PanelHost(context))


class PanelHost:
    """The notebook that a panel is in."""

    def __init__(self, context: HostContext) -> None:
        self._context = context

    def expand(self, question: str) -> Prompt:
        """Return the prompt of a question, as in a cell."""
        return self._context.expand(question)

    def notes(self, question: str) -> list[str]:
        """Return what of a question would stay as it is typed, or is refused."""
        return self._names().notes(question)

    def weigh(self, question: str, most: int) -> int:
        """Return about how many tokens the values that a question names have.

        One of which a description is sent counts as `most` at most.
        """
        return self._names().weigh(question, most)

    def _names(self) -> NamesReader:
        evaluates = self._context.session.settings["evaluate"] is True
        keys = self._context.session.connection.servers.key_texts
        shell: Any = self._context.shell
        scope = Scope(shell, errors=get_failures(shell).tracebacks)
        return NamesReader(scope, keys, evaluates=evaluates)

    def complete(self, before: str, after: str) -> tuple[str, list[Entry]]:
        """Return the word at the cursor so far, and the entries that fit."""
        return menu(self._context.shell, before, after, without=_CELLS_ONLY)

    def starters(self, *, sees: bool) -> list[tuple[str, str]]:
        """Return labels and questions to begin with; `sees`: the model takes images."""
        return starters(self._context.shell, sees=sees)

    def on_cell_run(self, callback: Callable[[], None]) -> Callable[[], None]:
        """Call `callback` when a cell has run; return what ends that."""
        shell = self._context.shell
        if shell is None:
            return lambda: None
        events: Any = shell.events

        def call(_: object) -> None:
            callback()

        events.register("post_run_cell", call)

        def end() -> None:
            with suppress(ValueError):  # it has ended already
                events.unregister("post_run_cell", call)

        return end

    def is_command(self, line: str) -> bool:
        """Return whether a line begins with a command, or with what reads as one.

        A path such as ``usr/bin/python`` does not.
        """
        name = _first_word(line)
        if commands.find(name) is not None or _COMMAND.match(line):
            return True
        return "/" not in name and bool(nearest(name, commands.SUBCOMMANDS))

    def ask_by_command(self, line: str) -> BackgroundAnswer | None:
        """Ask in the background if a command asks; None if it does not."""
        name, *more = line.split(maxsplit=1) or [""]
        if name != "retry":
            return None
        options, extra = parse_ask("".join(more), self._context.option)
        if options.help:
            return None
        if extra:
            raise ConfigurationError(f"/retry: expected options, got {extra!r}")
        settings = retry_settings(options)
        session = self._context.session
        number = len(session.turns(settings.get("thread")))
        if not number:
            raise ConfigurationError("there is no turn to retry: ask a question first")
        return session.regenerate(number, **settings)

    def command(self, line: str) -> str:
        """Run a command of ``%h2o``, and return its output as Markdown."""
        name = _first_word(line)
        if name in _CELLS_ONLY:
            raise ConfigurationError(f"/{name}: {_CELLS_ONLY[name]}")
        if commands.find(name) is None:
            near = nearest(name, commands.SUBCOMMANDS)
            hint = did_you_mean(name, near) if near else "`/help` lists them"
            raise ConfigurationError(
                f"/{name}: unknown command: {hint} "
                "(to send it as a question, put a space before it)"
            )
        if name == "pull":
            return self._pull(line)
        outputs: list[str] = []
        with capture_markdown(outputs.append):
            commands.run(self._context, line)
        return "\n\n".join(outputs)

    def _pull(self, line: str) -> str:
        """Download a model in the background; the panel shows the progress."""
        _, _, rest = line.partition(" ")
        model = model_of(Arguments("pull", rest.strip()))
        self._context.session.downloads.start(model)
        return f"Downloading {literal(model)}. The model's menu shows the progress."


def _first_word(line: str) -> str:
    return line.split(maxsplit=1)[0] if line.split() else ""
