"""What is said of all the columns of a wide table: types, names, gaps, constants."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterable, Sequence

from h2o_magic.prompts.tables.facts import ColumnFacts

_NUMBERED = re.compile(r"(.*?)(\d+)(\D*)")
_FEW = 12


def overview(columns: Iterable[ColumnFacts]) -> tuple[str, ...]:
    """Return a line for each of these, the names last."""
    columns = sorted(columns, key=lambda column: column.place)
    types = Counter(column.dtype for column in columns).most_common(_FEW)
    lines = [f"types: {', '.join(f'{name} ({count:,})' for name, count in types)}"]
    gaps = sorted((c for c in columns if c.gaps), key=lambda column: -column.gaps)
    if gaps:
        counts = [f"{column.label} ({column.missing})" for column in gaps]
        lines.append(f"missing values in {len(gaps):,}: {_some(counts)}")
    if constant := [column.label for column in columns if column.distinct == "1"]:
        lines.append(f"one value only in {len(constant):,}: {_some(constant)}")
    names = _patterns([column.label for column in columns])
    return (*lines, f"names: {_some(list(names))}")


def _some(names: Sequence[str]) -> str:
    more = f", {len(names) - _FEW:,} more" if len(names) > _FEW else ""
    return f"{', '.join(names[:_FEW])}{more}"


def _patterns(labels: Iterable[str]) -> Iterable[str]:
    """Yield the names, those that are numbered as one: ``c0 … c2999 (3,000)``."""
    groups: dict[object, list[str]] = {}
    for name in labels:
        found = _NUMBERED.fullmatch(name)
        groups.setdefault((found[1], found[3]) if found else name, []).append(name)
    for names in groups.values():
        if len(names) < 3:
            yield from names
        else:
            yield f"{names[0]} … {names[-1]} ({len(names):,})"
