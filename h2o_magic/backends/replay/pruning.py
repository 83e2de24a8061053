"""Which stored answers nobody uses any longer: those that no notebook shows."""

from __future__ import annotations

import json
import re
import time
from collections import Counter
from collections.abc import Collection, Iterable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from h2o_magic.backends.replay.entry import Learned
from h2o_magic.backends.replay.folder import AnswerFolder, DamagedEntryError, is_key
from h2o_magic.backends.replay.maintenance import load
from h2o_magic.backends.replay.summary import KEPT
from h2o_magic.errors import ConfigurationError

#: Seconds after which no write is under way any longer.
_ABANDONED = 3600
#: Characters of a cell's text that are looked for in questions.
_COMPARED = 200


@dataclass(frozen=True, slots=True)
class Silent:
    """A cell that asks, but does not show which stored answer it uses.

    `name` is of its notebook and its place; `texts` are what is written in it, around
    names in braces, each with its first characters.
    """

    name: str
    texts: tuple[str, ...]

    def may_ask(self, question: str) -> bool:
        found = [text in question for text in self.texts]
        # What of a long question is not stored may have the others.
        return all(found) or (len(question) >= KEPT and any(found))


def uses_of(notebooks: Iterable[Path]) -> tuple[set[str], list[Silent]]:
    """Return the keys of the answers that cells show, and the cells that show none.

    ConfigurationError if one is no notebook, or has a ``%%h2o`` cell without output.
    """
    keys, silent = set[str](), list[Silent]()
    for notebook in notebooks:
        for number, (question, shown) in enumerate(_cells(notebook), 1):
            keys |= shown
            if question is not None and not shown:
                pieces = re.split(r"\{[^{}\n]*\}", question)
                texts = tuple(text[:_COMPARED] for p in pieces if (text := p.strip()))
                silent.append(Silent(f"{notebook}: cell {number}", texts))
    return keys, silent


def check_silent(
    folder: AnswerFolder, used: Collection[str], silent: list[Silent], *, every: bool
) -> None:
    """Raise a ConfigurationError if a cell may use what `unused` yields."""
    for each in unused(folder, used, Counter(), every=every) if silent else ():
        for cell in silent if each.kind == "answer" else ():
            if cell.may_ask(each.question):
                raise ConfigurationError(
                    f"{cell.name} does not show which answer it uses, perhaps "
                    f"{each.path.stem[:12]}: run it with that folder and without "
                    "capturing its output, save the notebook, and prune again; or "
                    f"remove {each.path} yourself"
                )


def _cells(notebook: Path) -> list[tuple[str | None, set[str]]]:
    """Return what each cell asks, if it does, and the keys that it shows."""
    try:
        cells = json.loads(notebook.read_text("utf-8-sig"))["cells"]
        not_run = [number for number, cell in enumerate(cells, 1) if _not_run(cell)]
        found = [(_question(cell), set(_keys(cell))) for cell in cells]
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
    return found


def _not_run(cell: Mapping[str, Any]) -> bool:
    """Return whether a cell asks and has no output, though none is captured."""
    if _question(cell) is None or cell["outputs"]:
        return False
    alone = "".join(cell["source"]).lstrip().startswith("%%h2o")
    return alone or cell["execution_count"] is None


def _question(cell: Mapping[str, Any]) -> str | None:
    """Return what a cell asks, as it is written there; None if it asks nothing.

    Other magics may stand before, such as ``%%capture``.
    """
    rest = "".join(cell["source"]) if cell["cell_type"] == "code" else ""
    while rest:
        line, _, rest = rest.partition("\n")
        if line.split()[:1] == ["%%h2o"]:
            return rest
        if line.strip() and not line.lstrip().startswith(("%%", "#")):
            break
    return None


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

    Answers that no ``%%h2o`` cell asked are only among it with `every`: what shows them
    may have been captured. What stays is counted in `kept`: ``used`` and ``other``
    answers, facts about servers (``fact``), and what is ``unreadable``.
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
