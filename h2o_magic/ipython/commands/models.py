"""``%h2o models``: what a server can answer with."""

from __future__ import annotations

import time
from collections.abc import Sequence
from typing import TYPE_CHECKING

from h2o_magic.backends.servers.connect import NO_MODEL
from h2o_magic.config.models import find_model, title_of
from h2o_magic.config.units import duration_in_words, size_in_words
from h2o_magic.ipython.commands.base import CommandContext
from h2o_magic.ipython.commands.output import filled, say_all, show_table
from h2o_magic.ipython.commands.usage import Given
from h2o_magic.rendering.tables import Verbatim

if TYPE_CHECKING:
    from h2o_magic.backends.base import ModelInfo
    from h2o_magic.backends.servers.model_cache import ModelList

_HEAD = ("model", "answers from", "size", "context", "licence", "", "real weights")
_ALWAYS = 4  # columns that are shown although nothing stands in them


def models(context: CommandContext, _: Given) -> None:
    """List the models, the current one marked."""
    session = context.session
    listed = session.listed_models()
    current = session.aliases.model(str(session.settings["model"]))
    rows = [
        [
            Verbatim(f"{m.name} ✓" if m.name == current else m.name),
            Verbatim(_answers_from(m)),
            _unless(m, "?" if m.size is None else size_in_words(m.size)),
            _unless(m, "?" if m.context is None else f"{m.context:,} tokens"),
            Verbatim(_unless(m, m.licence)),
            "in memory" if m.loaded and not m.answered_by else "",
            f"`%h2o pull {m.name}`" if _is_missing(m) else "",
        ]
        for m in listed.models
    ]
    below = [_age(listed)] if listed.problem else []
    if not rows:
        say_all(context, [filled(f"The server lists no models: {NO_MODEL}."), *below])
        return
    head, rows = _filled(_HEAD, rows)
    show_table(context, head, rows, below)


def _answers_from(model: ModelInfo) -> str:
    if model.answered_by:
        return f"{title_of(model.answered_by)} stands in"
    return model.weights or "?"


def _unless(model: ModelInfo, text: str) -> str:
    """Return what is said of a model's own weights; nothing where others stand in."""
    return "" if model.answered_by else text


def _is_missing(model: ModelInfo) -> bool:
    return bool(model.demo or model.answered_by) and find_model(model.name) is not None


def _filled(
    head: Sequence[str], rows: Sequence[Sequence[str]]
) -> tuple[list[str], list[list[str]]]:
    """Return a table without the later columns in which nothing stands."""
    kept = [i for i in range(len(head)) if i < _ALWAYS or any(row[i] for row in rows)]
    return [head[i] for i in kept], [[row[i] for i in kept] for row in rows]


def _age(listed: ModelList) -> tuple[str, str]:
    """Say that the server does not answer, and how old its list is."""
    age = duration_in_words(time.time() - listed.at)
    return filled(
        f"The server does not answer; this is its list of {age} ago ({{why}}).",
        why=listed.problem,
    )
