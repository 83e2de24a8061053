"""Which notebook a process works for, read from what its front end says."""

from __future__ import annotations

import os.path
from collections.abc import Mapping
from pathlib import Path, PurePath
from typing import NamedTuple


class Identity(NamedTuple):  # sooner made than a dataclass: `%load_ext` waits
    """What a conversation is kept under."""

    key: str
    file: Path | None = None
    cell: str | None = None


def identify(
    *,
    name: str = "",
    environ: Mapping[str, str],
    namespace: Mapping[str, object],
    cell: str | None,
    connection_file: str = "",
) -> Identity | None:
    """Return the notebook's identity; None for a process that has no notebook."""
    if name:
        return Identity(f"name:{name}")
    path = namespace.get("__vsc_ipynb_file__")
    if isinstance(path, str) and path:
        return _of_file(path, cell)
    path = environ.get("JPY_SESSION_NAME", "")
    # A console's session has a title, without a suffix, in the place of a path.
    if cell is not None and PurePath(path).suffix:
        return _of_file(path, cell)
    if connection_file:
        return Identity(f"kernel:{PurePath(connection_file).stem}")
    return None


def cell_key(cell: str | None, kernel: str) -> str | None:
    """Return the key of a cell's turns."""
    return f"{cell}@{kernel}" if _is_passing(cell) else cell


def _of_file(path: str, cell: str | None) -> Identity:
    lasting = None if _is_passing(cell) else cell
    if not os.path.isabs(path):
        return Identity(f"file:{path}", cell=lasting)
    whole = os.path.normpath(path)
    return Identity(f"file:{whole}", Path(whole), lasting)


def _is_passing(cell: str | None) -> bool:
    return cell is not None and cell.startswith("vscode-notebook-cell:")
