"""``%h2o models``, ``alias``, ``pull`` and ``rm``: what can answer."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING

from h2o_magic.backends.servers.connect import NO_MODEL
from h2o_magic.config.command_line import split
from h2o_magic.config.models import MODELS, find_model, title_of
from h2o_magic.config.units import duration_in_words, size_in_words
from h2o_magic.errors import ConfigurationError
from h2o_magic.ipython.commands.base import CommandContext
from h2o_magic.ipython.commands.output import fill, reply, reply_all, show_table
from h2o_magic.ipython.commands.usage import Arguments
from h2o_magic.ipython.display.download import make_pull_view
from h2o_magic.ipython.interrupts import AnswerStopped
from h2o_magic.rendering.tables import Verbatim
from h2o_magic.weights.cache import unreadable

if TYPE_CHECKING:
    from h2o_magic.backends.base import ModelInfo

_HEAD = ("model", "weights", "size", "context", "licence", "", "download")
_ALWAYS = 4  # columns that are shown even if they are empty


def models(context: CommandContext, _: Arguments) -> None:
    """List the models and their weights."""
    session = context.session
    listed = session.listed_models()
    current = session.aliases.model(str(session.settings["model"]))
    rows = [_row(model, current) for model in listed.models]
    below = []
    if listed.problem:
        age = duration_in_words(time.time() - listed.at)
        line = f"The server does not respond; this list is {age} old ({{why}})."
        below.append(fill(line, why=listed.problem))
    if not session.settings["server"] and (problem := unreadable()):
        below.append(fill("{Why}.", Why=f"{problem[0].upper()}{problem[1:]}"))
    if not rows:
        reply_all(context, [fill(f"The server lists no models: {NO_MODEL}."), *below])
        return
    columns = range(len(_HEAD))
    kept = [i for i in columns if i < _ALWAYS or any(row[i] for row in rows)]
    head, *rows = [[row[i] for i in kept] for row in (_HEAD, *rows)]
    show_table(context, head, rows, below=below)


def _row(model: ModelInfo, current: str) -> list[str]:
    """Return a model's row; where another stands in, its own facts mean nothing."""
    name = Verbatim(f"{model.name} ✓" if model.name == current else model.name)
    pullable = find_model(model.name) is not None
    pull = f"`%h2o pull {model.name}`" if pullable else ""
    if model.answered_by:
        stand_in = Verbatim(f"{title_of(model.answered_by)} stands in")
        return [name, stand_in, "", "", "", "", pull]
    return [
        name,
        Verbatim(model.weights or "?"),
        "?" if model.size is None else size_in_words(model.size),
        "?" if model.context is None else f"{model.context:,} tokens",
        Verbatim(model.licence),
        "in memory" if model.loaded else "",
        pull if model.demo else "",
    ]


def model(context: CommandContext, args: Arguments) -> None:
    """Use another model; alone, say which is in use."""
    session, name = context.session, args.get("MODEL")
    if name is not None:
        session.settings.set("model", name, "%h2o model")
    named, server = str(session.settings["model"]), str(session.settings["server"])
    where = server or "this machine"
    reply(context, "Model: {model}, on {where}.", model=named, where=where)


def alias(context: CommandContext, args: Arguments) -> None:
    """Define a name for a model; NAME= removes it; alone, list them."""
    aliases, text = context.session.aliases, args.get("NAME=MODEL")
    if text is None:
        known = aliases.all()
        if not known:
            reply(context, "No aliases. `%h2o alias fast=llama-13b` adds one.")
            return
        rows = [[Verbatim(name), Verbatim(model)] for name, model in known.items()]
        show_table(context, ["alias", "model"], rows)
        return
    name, equals, model = text.partition("=")
    if not equals:
        raise ConfigurationError(
            f"%h2o alias: expected NAME=MODEL, got {text!r:.60}: "
            "`%h2o alias fast=llama-13b`, or `fast=` to remove it"
        )
    if model:
        reply(context, "{name} → {model}.", name=name, model=aliases.set(name, model))
    else:
        target = aliases.remove(name)
        reply(context, "Removed: {name} → {model}.", name=name, model=target)


def pull(context: CommandContext, args: Arguments) -> None:
    """Download a model."""
    model = model_of(args)
    view = make_pull_view(context.shell, model)
    try:
        context.session.pull(model, view.update)
    except KeyboardInterrupt:
        raise AnswerStopped(view.stopped()) from None


def rm(context: CommandContext, args: Arguments) -> None:
    """Remove a downloaded model."""
    model = model_of(args)
    notes: list[str] = []
    freed = context.session.remove_weights(model, notes.append)
    words = "; ".join([f"removed, {size_in_words(freed)} freed", *notes])
    reply(context, "{model}: {words}.", model=model, words=words)


def model_of(args: Arguments) -> str:
    """Return the rest of the line: a path may have spaces in it, without quotes too."""
    if not args.rest:
        raise ConfigurationError(
            f"%h2o {args.command}: expected a model, one of {', '.join(MODELS)}, "
            "owner/repository or owner/repository:file.gguf"
        )
    words = list(split(args.rest, f"%h2o {args.command}: "))
    return words[0].text if len(words) == 1 else args.rest
