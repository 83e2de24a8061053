"""What a notebook's own file says: its cells, and what they may have asked."""

from __future__ import annotations

import json
import re
from pathlib import Path

#: A larger file is not read: it would hold the kernel up. In bytes.
_LARGEST = 50_000_000


def could_ask(source: str, question: str) -> bool:
    """Return whether a cell may have asked a question.

    It stands in the cell's source, or what is around the names in braces there stands
    in it, since a question is kept with their values.
    """
    if question in source:
        return True
    first, _, rest = source.partition("\n")
    pieces = re.split(r"\{[^{}\n]*\}", rest if first.startswith("%%") else source)
    texts = [text for text in map(str.strip, pieces) if text]
    place = 0
    for text in texts:
        found = question.find(text, place)
        if found < 0:
            return False
        place = found + len(text)
    return len(pieces) > 1 and bool(texts)


def cell_sources(file: Path) -> dict[str, str] | None:
    """Return the sources of a notebook's cells by id; None if the file does not tell.

    It may lie on another machine, be no notebook (another format, paired), be huge, or
    of the time before cells had ids (nbformat 4.5).
    """
    try:
        if file.stat().st_size > _LARGEST:
            return None
        cells = json.loads(file.read_bytes())["cells"]
        found = {
            cell["id"]: "".join(cell.get("source", ""))
            for cell in cells
            if isinstance(cell.get("id"), str)
        }
    except (OSError, ValueError, RecursionError, KeyError, TypeError, AttributeError):
        return None
    return found or None
