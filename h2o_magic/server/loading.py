"""Loads a model so that no file, whatever is in it, ends the server."""

from __future__ import annotations

from pathlib import Path

from h2o_magic.server.engine import Engine
from h2o_magic.server.file_state import FileState, state_of
from h2o_magic.server.gguf_header import read_header
from h2o_magic.server.probe import probe
from h2o_magic.server.room import Room

__all__ = ["load"]

_OWN = Path(__file__).parent / "data"

_proven: set[FileState] = set()


def load(path: Path, room: Room) -> Engine:
    """Return an engine of the model at `path`; tried elsewhere first, once a file.

    Raises
    ------
    ConfigurationError
        If the engine cannot load it; says why.
    """
    read_header(path)  # says best what is wrong with a file that is no model at all
    state = state_of(path)
    if path.parent != _OWN and state not in _proven:
        probe(path)
        _proven.add(state)
    return Engine(path, room)
