"""``%h2o alias``: the user's own names for models."""

from __future__ import annotations

from h2o_magic.errors import ConfigurationError
from h2o_magic.ipython.commands.base import CommandContext
from h2o_magic.ipython.commands.output import say, show_table
from h2o_magic.ipython.commands.usage import Given
from h2o_magic.rendering.tables import Verbatim


def alias(context: CommandContext, given: Given) -> None:
    """Let a name stand for a model, take it away, or list them all."""
    aliases = context.session.aliases
    text = given.text("NAME=MODEL")
    if text is None:
        _list(context)
        return
    name, equals, model = text.partition("=")
    if not equals:
        raise ConfigurationError(
            f"%h2o alias: expected NAME=MODEL, got {text!r:.60}: "
            "`%h2o alias fast=llama-13b`, or `fast=` to take it away"
        )
    if model:
        target = aliases.set(name, model)
        say(context, "{name} → {model}.", name=name, model=target)
    else:
        target = aliases.remove(name)
        say(context, "{name} no longer stands for {model}.", name=name, model=target)


def _list(context: CommandContext) -> None:
    known = context.session.aliases.all()
    if not known:
        say(context, "No aliases. `%h2o alias fast=llama-13b` makes one.")
        return
    rows = [[Verbatim(name), Verbatim(model)] for name, model in known.items()]
    show_table(context, ["alias", "model"], rows)
