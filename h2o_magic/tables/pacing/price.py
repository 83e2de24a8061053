"""What tokens cost, and how many rows a budget has left. Pure."""

from __future__ import annotations

import math
import re
from typing import NamedTuple

from h2o_magic.errors import ConfigurationError

_MILLION = 1_000_000
_NUMBER = r"\d+(?:\.\d+)?"
_PRICE = re.compile(rf"({_NUMBER})\s*/\s*({_NUMBER})")
#: Rows that are asked before it is known what one costs, and by how much the next ones
#: may cost more than those so far did.
_FIRST, _MARGIN = 4, 1.3


class Price(NamedTuple):
    """What a million tokens cost that are read, and that are written."""

    read: float
    written: float

    @classmethod
    def of(cls, price: object) -> Price:
        """Return the price in ``0.15/0.60``, or in two numbers.

        A ConfigurationError if it is anything else.
        """
        if isinstance(price, tuple | list) and len(price) == 2:
            price = "/".join(map(_as_decimal, price))
        found = _PRICE.fullmatch(str(price).strip())
        if found is None:
            raise ConfigurationError(
                "expected the price of a million tokens read and written, such as "
                f"0.15/0.60, got {str(price)!r}"
            )
        return cls(float(found[1]), float(found[2]))

    def cost(self, prompt_tokens: float, completion_tokens: float) -> float:
        """Return what tokens cost."""
        return (self.read * prompt_tokens + self.written * completion_tokens) / _MILLION


def _as_decimal(number: object) -> str:
    return f"{number:.20f}" if isinstance(number, float) else str(number)


class Budget(NamedTuple):
    """What a run may cost."""

    most: float

    @classmethod
    def of(cls, most: float | None, price: Price | None) -> Budget | None:
        """Return a budget; None if there is none, or rows cost nothing."""
        return None if most is None or not any(price or ()) else cls(most)

    def rows_left(self, spent: float | None, answered: int, asked: int) -> int:
        """Return how many rows may be asked, those in flight among them.

        `answered` are those of the `asked` ones that have an answer.
        """
        if spent:
            each = spent / (answered or max(asked, _FIRST))
            return int((self.most - spent) / (each * _MARGIN))
        return 0 if answered else _FIRST

    def used(self, spent: float | None) -> str:
        """Return why a run cannot go on that has no rows left."""
        if not spent:
            return (
                "the server does not say how many tokens the rows have, so the budget "
                "cannot be kept: leave `--budget` out, or ask fewer rows with `--first`"
            )
        return (
            f"the budget of {amount(self.most)} is used: the run cost {amount(spent)}, "
            "and the next row may cost more than is left; raise `--budget` and run it "
            "again to go on"
        )


def amount(cost: float) -> str:
    """Return a cost as text: two decimals, or more where it is smaller."""
    decimals = 2 if cost >= 1 or cost <= 0 else min(1 - math.floor(math.log10(cost)), 8)
    return f"{cost:,.{max(decimals, 2)}f}"
