"""What is in a column, from the values of it that were read."""

from __future__ import annotations

import reprlib
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence, Set
from dataclasses import dataclass, field, replace
from decimal import Decimal
from numbers import Integral, Real
from typing import Any, cast

from h2o_magic.prompts.limits import cut_end
from h2o_magic.prompts.order import first_in_order
from h2o_magic.prompts.stable import stable
from h2o_magic.prompts.tables.cells import SHORT, CellText, value_text
from h2o_magic.prompts.tables.disguises import disguise
from h2o_magic.prompts.tables.frames import Exact
from h2o_magic.prompts.tables.number_column import numbers_in_words
from h2o_magic.prompts.tables.time_column import TIMES, times_in_words

#: Commonest values in a few words, in brief and in full.
_COMMONEST = (2, 5, 12)


@dataclass(frozen=True, slots=True)
class Summary:
    """The values of a column in words, short, brief and full; `shown` are in them."""

    distinct: int | None  # not known of lists, which are compared by their beginnings
    short: str = ""
    brief: str = ""
    full: str = ""
    shown: tuple[object, ...] = field(default=(), repr=False)


def summary(values: Iterable[object], exact: Exact | None, other: CellText) -> Summary:
    """Return what is in a column; None in `values` is missing."""
    present = [value for value in values if value is not None]
    if not present:
        return Summary(0)
    kinds = set(map(type, present))
    counts, surely = _counted(present)
    if _all(kinds, (Real, Decimal)) and kinds != {bool}:
        whole = _all(kinds, (Integral,))
        numbers = (
            cast(list[float], present)
            if whole
            else list(map(float, cast(Any, present)))
        )
        return Summary(len(counts), *numbers_in_words(numbers, exact, len(counts)))
    if _all(kinds, TIMES) or {kind.__name__ for kind in kinds} == {"Period"}:
        known = exact if exact is not None and exact.least is not None else None
        if said := times_in_words(cast(Sequence[Any], present), known, other):
            return Summary(len(counts), *said)
    found = _commonest(counts, present, other)
    return found if surely else replace(found, distinct=None)


def _all(kinds: Iterable[type], wanted: tuple[type, ...]) -> bool:
    return all(issubclass(kind, wanted) for kind in kinds)


def _counted(values: Sequence[object]) -> tuple[Counter[object], bool]:
    """Count values, lists by how they begin; return whether none was taken for another.

    Those that begin alike may still differ.
    """
    try:
        return Counter(values), True
    except TypeError:
        counts: Counter[object] = Counter(map(_BRIEF.repr, values))
        return counts, len(counts) == len(values)


class _Brief(reprlib.Repr):
    """The beginning of a list, a set or a mapping, the same in each process."""

    def repr_set(self, x: Set[Any], level: int) -> str:
        items = list(first_in_order(x, len(x)))
        return f"{{{self.repr_list(items, level)[1:-1]}}}" if items else "set()"

    def repr_instance(self, x: Any, _level: int) -> str:
        return cut_end(stable(repr(x), x), SHORT)


_BRIEF = _Brief()


def _commonest(
    counts: Counter[object], values: Sequence[object], other: CellText
) -> Summary:
    shown = counts.most_common(_COMMONEST[-1])
    texts = [(_short(value, other), count) for value, count in shown]
    notes = list(_notes(counts, values))
    short, brief, full = (
        "; ".join([*notes, _first(texts[:number], len(counts), len(values))])
        for number in _COMMONEST
    )
    return Summary(len(counts), short, brief, full, tuple(value for value, _ in shown))


def _notes(counts: Mapping[object, int], values: Sequence[object]) -> Iterable[str]:
    kinds = Counter(getattr(v, "geom_type", type(v).__name__) for v in values)
    if len(kinds) > 1 or hasattr(values[0], "geom_type"):
        yield f"types {_with_counts(kinds.most_common(4))}"
    if set(kinds) == {"str"} and (said := disguise(cast(Mapping[str, int], counts))):
        yield said


def _first(texts: Sequence[tuple[str, int]], distinct: int, number: int) -> str:
    if distinct == number > 1:
        some = ", ".join(text for text, _ in texts[:6])
        return f"all different, such as {some}" if distinct > len(texts) else some
    more = f", {distinct - len(texts):,} more" if distinct > len(texts) else ""
    return f"{_with_counts(texts)}{more}"


def _short(value: object, other: CellText) -> str:
    text = value_text(value, other)
    return cut_end(text, SHORT)


def _with_counts(pairs: Iterable[tuple[str, int]]) -> str:
    return ", ".join(f"{value} ({count:,})" for value, count in pairs)
