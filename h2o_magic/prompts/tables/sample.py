"""How much of a table is looked at.

Some hundred thousand cells are all read. Of more, a package itself counts what it can,
and the rest is seen in rows that are drawn at random, the same each time.
"""

from __future__ import annotations

import random
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import dataclass

from h2o_magic.prompts.tables.frames import Exact, Frame

#: Cells that are all read, and rows of a sample at least and at most.
_CELLS, _FEWEST, _ROWS = 250_000, 500, 10_000
#: Rows and cells that a package counts itself: of more, only the sample counts.
_COUNTED_ROWS, _COUNTED_CELLS = 2_000_000, 25_000_000


@dataclass(frozen=True, slots=True)
class Sample:
    """The rows of a table that are read, None for all, and whether others count."""

    frame: Frame
    rows: Sequence[int] | None
    counted: bool

    @classmethod
    def of(cls, frame: Frame) -> Sample:
        height, width = frame.height or 0, max(len(frame.fields), 1)
        most = max(_FEWEST, min(_ROWS, _CELLS // width))
        counted = height <= _COUNTED_ROWS and height * width <= _COUNTED_CELLS
        if height <= max(most, _CELLS // width):
            return cls(frame, None, True)
        rows = random.Random(0).sample(range(height), most)  # noqa: S311 - no secret
        return cls(frame, sorted(rows), counted)

    def values(self, place: int) -> list[object]:
        return self.frame.values(place, self.rows)

    def exact(self, place: int) -> Exact | None:
        """Return what the package counts of all rows, where only some are read."""
        if self.rows is not None and self.counted:
            with suppress(Exception):  # of a package, on values that we do not know
                return self.frame.exact(place)
        return None

    def missing(self, values: Sequence[object], exact: Exact | None) -> tuple[int, str]:
        """Return how many values are missing, in the sample if that is all we know."""
        if exact is not None:
            return exact.missing, f"{exact.missing:,}"
        gaps = sum(value is None for value in values)
        return gaps, f"{gaps:,}" if self.rows is None else f"{gaps:,} in sample"

    @property
    def note(self) -> str:
        if self.rows is None:
            return ""
        some = "distinct, quartiles and commonest values"
        what = some if self.counted else "all figures below"
        return f"{what} are of a sample of {len(self.rows):,} rows"
