"""What tokens cost, and how many rows a budget has left."""

from __future__ import annotations

import math
import re
from typing import NamedTuple

from h2o_magic.errors import ConfigurationError

_MILLION = 1_000_000
_NUMBER = r"\d+(?:\.\d+)?"
_PRICE = re.compile(rf"({_NUMBER})\s*/\s*({_NUMBER})")


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
            price = "/".join(map(str, price))
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


def amount(cost: float) -> str:
    """Return a cost as text: two decimals, or more where it is smaller."""
    decimals = 2 if cost >= 1 or cost <= 0 else min(1 - math.floor(math.log10(cost)), 8)
    return f"{cost:,.{max(decimals, 2)}f}"
