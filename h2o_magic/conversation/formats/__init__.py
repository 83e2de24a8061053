"""Conversations as files: threads to text and back, one module for each format.

========== ======================================================================
``.md``     a transcript for people (:mod:`~h2o_magic.conversation.formats.markdown`)
``.json``   chat messages with metadata (:mod:`~h2o_magic.conversation.formats.json`)
``.jsonl``  one conversation on a line (:mod:`~h2o_magic.conversation.formats.jsonl`)
``.ipynb``  a notebook that runs (:mod:`~h2o_magic.conversation.formats.ipynb`)
========== ======================================================================

All but :mod:`~h2o_magic.conversation.formats.files` take and return text. The last
three read exactly the threads that were written, if their names differ, and also files
of other programs.
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
    """A file format.

    `write` raises ConfigurationError if facts are not JSON values; `read`, None if the
    format cannot be imported, if the text is not of this format, is incomplete, or was
    written by a newer version. `images_beside`: in a file, images are links to others.
    """

    suffix: str
    name: str
    write: Callable[[Sequence[Thread]], str]
    read: Callable[[str], tuple[Thread, ...]] | None = None
    images_beside: bool = False


_TABLE = (
    Format(".md", "Markdown transcript", markdown.write, images_beside=True),
    Format(".json", "chat messages", json.write, json.read),
    Format(".jsonl", "training lines", jsonl.write, jsonl.read),
    Format(".ipynb", "notebook", ipynb.write, ipynb.read),
)

#: Every format by the end of a file's name, in the order in which help lists them.
FORMATS: Mapping[str, Format] = {entry.suffix: entry for entry in _TABLE}

_SYNONYMS = {".markdown": ".md"}


def find_format(path: str | PurePath) -> Format:
    """Return the format that a file's name ends with; it may be a suffix alone."""
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
