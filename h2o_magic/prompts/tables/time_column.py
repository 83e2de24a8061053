"""A column of dates and times in words: range, and steps if they are in order."""

from __future__ import annotations

import datetime
from collections import Counter
from collections.abc import Sequence
from contextlib import suppress
from itertools import pairwise
from typing import Any

from h2o_magic.prompts.tables.cells import CellText, value_text
from h2o_magic.prompts.tables.frames import Exact

TIMES = (datetime.date, datetime.time, datetime.timedelta)


def times_in_words(
    values: Sequence[Any], exact: Exact | None, other: CellText
) -> tuple[str, str, str] | None:
    """Return times in a few words, in brief and in full; None if none compare."""
    with suppress(TypeError, ValueError):  # some with a time zone, others without
        least: Any = min(values) if exact is None else exact.least
        most: Any = max(values) if exact is None else exact.most
        short = f"{value_text(least, other)} to {value_text(most, other)}"
        steps = _steps(values) if exact is None else ""
        return short, f"{short}{steps}", f"{short}{steps}"
    return None


def _steps(values: Sequence[Any]) -> str:
    """Return the steps of ordered times, commonest first: a rarer one is a gap."""
    if not isinstance(values[0], datetime.date) or len(values) < 3:
        return ""
    steps = Counter(later - earlier for earlier, later in pairwise(values))
    usual, often = steps.most_common(1)[0]
    if min(steps) < datetime.timedelta(0) or not usual or often < len(values) / 3:
        return ""
    shown = [f"{_step(step)} ({count})" for step, count in steps.most_common(3)]
    more = f", {len(steps) - 3} more" if len(steps) > 3 else ""
    return f", steps {', '.join(shown)}{more}"


def _step(step: datetime.timedelta) -> str:
    plain = datetime.timedelta(seconds=step.total_seconds())  # not that of pandas
    return str(plain).removesuffix(", 0:00:00")
