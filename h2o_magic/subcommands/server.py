"""``%h2o models``: what a server can answer with."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING

from h2o_magic.amounts import duration_in_words, size_in_words
from h2o_magic.catalogue import find_model
from h2o_magic.subcommands.showing import filled, show_table
from h2o_magic.subcommands.usage import Given
from h2o_magic.tables import Verbatim

if TYPE_CHECKING:
    from h2o_magic.magics import H2OMagics
    from h2o_magic.model_lists import Listed

__all__ = ["models"]


def models(magics: H2OMagics, _: Given) -> None:
    """List the models, the current one marked."""
    session = magics.session
    current = session.aliases.model(str(session.settings["model"]))
    listed = session.listed_models()
    rows = [
        [
            Verbatim(f"{m.name} ✓" if m.name == current else m.name),
            Verbatim(m.weights or "?"),
            "?" if m.size is None else size_in_words(m.size),
            "?" if m.context is None else f"{m.context:,} tokens",
            Verbatim(m.licence),
            "in memory" if m.loaded else "",
            f"`%h2o pull {m.name}`" if m.demo and find_model(m.name) else "",
        ]
        for m in listed.models
    ]
    head = ["model", "answers from", "size", "context", "licence", "", "real weights"]
    show_table(magics, head, rows, [_age(listed)] if listed.problem else [])


def _age(listed: Listed) -> tuple[str, str]:
    """Say that the server does not answer, and how old its list is."""
    age = duration_in_words(time.time() - listed.at)
    return filled(
        f"The server does not answer; this is its list of {age} ago ({{why}}).",
        why=listed.problem,
    )
