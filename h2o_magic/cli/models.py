"""``h2o-magic pull``, ``models`` and ``rm``; they need the extra ``local``."""

from __future__ import annotations

import argparse
import os
import sys

from h2o_magic.backends.local import locate
from h2o_magic.cli.output import put
from h2o_magic.config.models import title_of
from h2o_magic.config.units import size_in_words
from h2o_magic.ipython.display.download import TerminalPull
from h2o_magic.rendering import tables
from h2o_magic.rendering.streams import write
from h2o_magic.weights.cache import unreadable
from h2o_magic.weights.listing import list_models
from h2o_magic.weights.pull import pull as pull_weights
from h2o_magic.weights.remove import remove


def pull(options: argparse.Namespace) -> int:
    view = TerminalPull(options.name, sys.stderr, "h2o-magic pull")
    try:
        return put(f"{pull_weights(_absolute(options.name), view.update).path}\n")
    except KeyboardInterrupt:
        raise KeyboardInterrupt(view.stopped()) from None


def _absolute(name: str) -> str:
    """Return the absolute path of an existing file; any other name unchanged."""
    return os.path.realpath(name) if os.path.isfile(name) else name


def models(_options: argparse.Namespace) -> int:
    rows = []
    for model in list_models(()):
        size = "?" if model["size"] is None else size_in_words(model["size"])
        row = [
            tables.Verbatim(model["weights"]),
            size,
            tables.Verbatim(model["license"]),
        ]
        if model["answered_by"]:
            row = [f"{title_of(model['answered_by'])} stands in", "", ""]
        rows.append([tables.Verbatim(model["name"]), *row])
    table = tables.as_text(["model", "weights", "size", "licence"], rows)
    if problem := unreadable():
        write(f"{problem}\n", sys.stderr)
    return put(f"{table}\n")


def rm(options: argparse.Namespace) -> int:
    notes: list[str] = []
    freed = remove(_absolute(options.name), locate.unload_models, notes.append)
    words = "; ".join([f"removed, {size_in_words(freed)} freed", *notes])
    return put(f"{options.name}: {words}\n")
