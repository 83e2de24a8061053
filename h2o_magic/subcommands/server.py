"""``%h2o models``: what a server can answer with."""

from __future__ import annotations

from typing import TYPE_CHECKING

from h2o_magic import tables
from h2o_magic.amounts import size_in_words
from h2o_magic.catalogue import find_model
from h2o_magic.subcommands.showing import show_table
from h2o_magic.subcommands.usage import Given

if TYPE_CHECKING:
    from h2o_magic.magics import H2OMagics

__all__ = ["models"]


def models(magics: H2OMagics, _: Given) -> None:
    """List the models, the current one marked."""
    current = magics.session.settings["model"]
    rows = [
        [
            f"{m.name} ✓" if m.name == current else m.name,
            m.weights or "?",
            "?" if m.size is None else size_in_words(m.size),
            "?" if m.context is None else f"{m.context:,} tokens",
            tables.Verbatim(m.licence),
            "in memory" if m.loaded else "",
            f"`%h2o pull {m.name}`" if m.demo and find_model(m.name) else "",
        ]
        for m in magics.session.models()
    ]
    head = ["model", "answers from", "size", "context", "licence", "", "real weights"]
    show_table(magics, head, rows)
