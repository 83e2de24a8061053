"""What a notebook's own file says: the ids of its cells."""

from __future__ import annotations

import json
from pathlib import Path

__all__ = ["cell_ids"]

#: A larger file is not read: it would hold the kernel up. In bytes.
_LARGEST = 50_000_000


def cell_ids(file: Path) -> frozenset[str] | None:
    """Return the ids of a notebook's cells; None if the file does not tell.

    It may lie on another machine, be no notebook (another format, paired), be huge, or
    of the time before cells had ids (nbformat 4.5).
    """
    try:
        if file.stat().st_size > _LARGEST:
            return None
        cells = json.loads(file.read_bytes())["cells"]
        found = (cell["id"] for cell in cells if "id" in cell)
        ids = frozenset(id_ for id_ in found if isinstance(id_, str))
    except (OSError, ValueError, RecursionError, KeyError, TypeError):
        return None
    return ids or None
