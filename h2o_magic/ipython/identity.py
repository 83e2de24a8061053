"""Which notebook a process works for, read from what its front end says."""

from __future__ import annotations

import os.path
from collections.abc import Mapping
from pathlib import Path, PurePath
from typing import NamedTuple

__all__ = ["Identity", "cell_key", "identify"]


class Identity(NamedTuple):  # sooner made than a dataclass: `%load_ext` waits
    """What a conversation is kept under.

    Attributes
    ----------
    key : str
        The store's key: ``file:PATH``, ``name:NAME`` or ``kernel:ID``.
    file : Path or None
        The notebook's file, where its whole path is known.
    cell : str or None
        Id of a cell by which the notebook is known again under another path.
    """

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
    """Return the notebook's identity; None for a process that has no notebook.

    Parameters
    ----------
    name
        A name that the user gave; it goes before everything else.
    environ
        Environment variables. Jupyter Server sets ``JPY_SESSION_NAME`` to the
        notebook's path. Programs started from a notebook inherit it, so it counts only
        where the front end names its cells, as programs that run a notebook do not.
    namespace
        The user's variables; VS Code sets ``__vsc_ipynb_file__`` to the path.
    cell
        Id of the running cell; None if the front end gives none.
    connection_file
        The kernel's connection file; its name outlives a restart of the kernel.
    """
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
    """Return the key of a cell's turns.

    Parameters
    ----------
    cell
        The id that the front end gave; None if it gave none.
    kernel
        Name of this run of the kernel. VS Code numbers cells anew whenever it opens a
        file, so that such an id means the same cell only in the same run.
    """
    return f"{cell}@{kernel}" if _is_passing(cell) else cell


def _of_file(path: str, cell: str | None) -> Identity:
    lasting = None if _is_passing(cell) else cell
    if not os.path.isabs(path):
        return Identity(f"file:{path}", cell=lasting)
    whole = os.path.normpath(path)
    return Identity(f"file:{whole}", Path(whole), lasting)


def _is_passing(cell: str | None) -> bool:
    return cell is not None and cell.startswith("vscode-notebook-cell:")
