"""How long to wait for a server, in seconds."""

from __future__ import annotations

import math
from dataclasses import dataclass, fields

from h2o_magic.errors import ConfigurationError


@dataclass(frozen=True, slots=True)
class Timeouts:
    """The waits of one exchange with a server, in seconds, each above 0."""

    connect: float = 5.0
    first_byte: float = 300.0
    idle: float = 60.0
    overall: float = 3600.0

    def __post_init__(self) -> None:
        for field in fields(self):
            value = getattr(self, field.name)
            number = isinstance(value, int | float) and not isinstance(value, bool)
            if not number or not math.isfinite(value) or value <= 0:
                raise ConfigurationError(
                    f"expected the {field.name} timeout in seconds, above 0, "
                    f"got {value!r}"
                )


DEFAULT_TIMEOUTS = Timeouts()
#: For a call that only helps: nobody waits for it, and its failure changes nothing.
QUICK = Timeouts(connect=2, first_byte=2, idle=2, overall=4)
