"""How often a busy server is asked again."""

from __future__ import annotations

import math
from dataclasses import dataclass

from h2o_magic.errors import ConfigurationError

__all__ = ["DEFAULT_PATIENCE", "Patience"]


@dataclass(frozen=True, slots=True)
class Patience:
    """How often a busy server is asked again before the first token.

    Attributes
    ----------
    tries : int
        Requests to a busy server in all; 1 never asks again.
    wait : float
        Seconds before the second; doubled for each one after it.
    longest_wait : float
        The most seconds to wait once. A server that asks for more is not asked again.

    Raises
    ------
    ConfigurationError
        If `tries` is no whole number above 0, or a wait no number of seconds.
    """

    tries: int = 3
    wait: float = 1.0
    longest_wait: float = 20.0

    def __post_init__(self) -> None:
        if type(self.tries) is not int or self.tries < 1:
            raise ConfigurationError(
                f"expected the tries as a whole number above 0, got {self.tries!r}"
            )
        for name in ("wait", "longest_wait"):
            wait = getattr(self, name)
            number = isinstance(wait, int | float) and not isinstance(wait, bool)
            if not number or not math.isfinite(wait) or wait < 0:
                raise ConfigurationError(f"expected {name} in seconds, got {wait!r}")


DEFAULT_PATIENCE = Patience()
