"""Conversations as files: threads to text and back, one module for each format.

========== ======================================================================
``.md``     a transcript for people (:mod:`~h2o_magic.conversation.formats.markdown`)
``.json``   chat messages with metadata (:mod:`~h2o_magic.conversation.formats.json`)
``.jsonl``  one conversation on a line (:mod:`~h2o_magic.conversation.formats.jsonl`)
``.ipynb``  a notebook that runs (:mod:`~h2o_magic.conversation.formats.ipynb`)
========== ======================================================================

In ``.jsonl`` a line is what can be trained on at once: a new one begins with each
thread, with each new conversation, and wherever the system text changes.

Text goes in and comes out; files are somebody else's matter. The last three give back
exactly the threads that were written, provided their names differ, and read files of
other programs too.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import PurePath

from h2o_magic.chat.turns import Thread
from h2o_magic.conversation.formats import ipynb, json, jsonl, markdown
from h2o_magic.errors import ConfigurationError

__all__ = ["FORMATS", "Format", "find_format"]


@dataclass(frozen=True, slots=True)
class Format:
    """One file format."""

    suffix: str
    name: str
    write: Callable[[Sequence[Thread]], str]
    read: Callable[[str], tuple[Thread, ...]] | None = None


_TABLE = (
    Format(".md", "Markdown transcript", markdown.write),
    Format(".json", "chat messages", json.write, json.read),
    Format(".jsonl", "training lines", jsonl.write, jsonl.read),
    Format(".ipynb", "notebook", ipynb.write, ipynb.read),
)

#: Every format by the end of a file's name, in the order in which help lists them.
FORMATS: Mapping[str, Format] = {entry.suffix: entry for entry in _TABLE}

_SYNONYMS = {".markdown": ".md"}


def find_format(path: str | PurePath) -> Format:
    """Return the format that a file's name ends with; a bare suffix is a name, too."""
    name = PurePath(path).name.lower()
    suffix = name[name.rfind(".") :] if "." in name else ""
    found = FORMATS.get(_SYNONYMS.get(suffix, suffix))
    if found is None:
        *most, last = FORMATS
        raise ConfigurationError(
            f"expected a file name that ends with {', '.join(most)} or {last}, "
            f"got {str(path)!r}"
        )
    return found
