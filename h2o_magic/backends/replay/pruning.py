"""Which stored answers nobody uses any longer: those that no notebook shows."""

from __future__ import annotations

import json
import time
from collections import Counter
from collections.abc import Collection, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from h2o_magic.backends.replay.entry import Learned
from h2o_magic.backends.replay.folder import AnswerFolder, DamagedEntryError, is_key
from h2o_magic.backends.replay.maintenance import load
from h2o_magic.errors import ConfigurationError

#: Seconds after which no write is under way any longer.
_ABANDONED = 3600


def used_keys(notebook: Path) -> set[str]:
    """Return the keys of the stored answers that a notebook's cells show.

    ConfigurationError if it is no notebook, or has a ``%%h2o`` cell that was not run:
    what that one uses is not known.
    """
    try:
        cells = json.loads(notebook.read_text("utf-8-sig"))["cells"]
        not_run = [number for number, cell in enumerate(cells, 1) if _not_run(cell)]
        keys = {key for cell in cells for key in _keys(cell)}
    except OSError as error:
        raise ConfigurationError(f"cannot read {notebook}: {error.strerror}") from error
    except (ValueError, KeyError, TypeError, AttributeError):
        raise ConfigurationError(
            f"expected a Jupyter notebook (.ipynb), got {notebook}"
        ) from None
    if not_run:
        raise ConfigurationError(
            f"{notebook}: cell {not_run[0]} has no output, so it is not known which "
            "answer it uses: run all cells, save the notebook, and prune again"
        )
    return keys


def _not_run(cell: Mapping[str, Any]) -> bool:
    asks = "".join(cell["source"]).lstrip().startswith("%%h2o")
    is_code = cell["cell_type"] == "code"
    return is_code and asks and not cell["outputs"] and cell["execution_count"] is None


def _keys(cell: Mapping[str, Any]) -> Iterator[str]:
    for output in cell.get("outputs", ()):
        facts = output.get("metadata", {}).get("h2o_magic")
        key = facts.get("replay_key") if isinstance(facts, dict) else None
        if isinstance(key, str) and is_key(key):
            yield key


@dataclass(frozen=True, slots=True)
class Unused:
    """A file that nobody uses: an ``answer``, a ``fact``, or a ``leftover``."""

    path: Path
    kind: str
    question: str = ""


def unused(
    folder: AnswerFolder, used: Collection[str], kept: Counter[str], *, every: bool
) -> Iterator[Unused]:
    """Yield what nobody uses, given the keys that are used.

    Answers that were not asked in a cell are only among it with `every`: no notebook
    shows them. What stays is counted in `kept`: ``used`` and ``other`` answers, facts
    about servers (``fact``), and what is ``unreadable``.
    """
    facts: list[tuple[str, Unused]] = []
    servers = set()
    for path in folder.files():
        if path.suffix == ".tmp" and _is_abandoned(path):
            yield Unused(path, "leftover")
        if not folder.holds(path):
            continue
        try:
            entry = load(path)
        except (DamagedEntryError, OSError):
            kept["unreadable"] += 1
            continue
        if isinstance(entry, Learned):
            facts.append((_server(entry), Unused(path, "fact")))
        elif path.stem in used or not (every or entry.cell):
            kept["used" if path.stem in used else "other"] += 1
            servers.add(str(entry.request.get("server")))
        else:
            yield Unused(path, "answer", str(entry.request.get("question", "")))
    for server, fact in facts:
        if server in servers:
            kept["fact"] += 1
        else:
            yield fact


def _server(fact: Learned) -> str:
    """Return whose fact it is: connecting to an address may give it another name."""
    connected = fact.value if isinstance(fact.value, dict) else {}
    return str(connected.get("server", fact.server))


def _is_abandoned(path: Path) -> bool:
    try:
        return path.stat().st_mtime < time.time() - _ABANDONED
    except OSError:  # it has just been renamed
        return False
