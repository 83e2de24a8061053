"""``%h2o alias``: the user's own names for models."""

from __future__ import annotations

from typing import TYPE_CHECKING

from h2o_magic.errors import ConfigurationError
from h2o_magic.subcommands.showing import say, show_table
from h2o_magic.subcommands.usage import Given
from h2o_magic.tables import Verbatim

if TYPE_CHECKING:
    from h2o_magic.magics import H2OMagics

__all__ = ["alias"]


def alias(magics: H2OMagics, given: Given) -> None:
    """Let a name stand for a model, take it away, or list them all."""
    aliases = magics.session.aliases
    text = given.text("NAME=MODEL")
    if text is None:
        _list(magics)
        return
    name, equals, model = text.partition("=")
    if not equals:
        raise ConfigurationError(
            f"%h2o alias: expected NAME=MODEL, got {text!r:.60}: "
            "`%h2o alias fast=llama-13b`, or `fast=` to take it away"
        )
    if model:
        target = aliases.set(name, model)
        say(magics, "{name} → {model}.", name=name, model=target)
    else:
        target = aliases.remove(name)
        say(magics, "{name} no longer stands for {model}.", name=name, model=target)


def _list(magics: H2OMagics) -> None:
    known = magics.session.aliases.all()
    if not known:
        say(magics, "No aliases. `%h2o alias fast=llama-13b` makes one.")
        return
    rows = [[Verbatim(name), Verbatim(model)] for name, model in known.items()]
    show_table(magics, ["alias", "model"], rows)
