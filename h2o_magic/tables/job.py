"""What a run is to do, checked: which rows are asked what, of whom, and how."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field, fields
from typing import Any, cast

from h2o_magic.conversation.table_question import TableQuestion
from h2o_magic.errors import ConfigurationError, expect
from h2o_magic.tables.pacing.price import Price
from h2o_magic.tables.row_requests import RowRequests
from h2o_magic.tables.rows import Rows
from h2o_magic.tables.template import Template


@dataclass(frozen=True, slots=True)
class Only:
    """The `keys` of the rows that may be asked; `errors` are those of other rows."""

    keys: frozenset[bytes]
    errors: Mapping[bytes, str]


@dataclass(frozen=True, slots=True)
class RunOptions:
    """How a table is asked.

    Attributes
    ----------
    each : bool
        True asks equal rows one by one.
    max_errors : int or None
        More rows with an error end the run; None for any number.
    width : int or None
        Most rows at once; None for as many as the server takes.
    keep : bool
        False keeps the answers for this run only.
    forget : bool
        True asks all rows, whatever is known of them; what was known stays until a new
        answer takes its place.
    name : str
        What the table is called: its variable or file, for the list of runs.
    price : Price or None
        What tokens cost; None if that is not known.
    budget : float or None
        What the run may cost, in the currency of the price.
    executor : object
        Where rows are asked: None for threads of this process, a
        ``concurrent.futures.Executor``, or ``"ray"``.
    only : Only or None
        The rows that may be asked; None for all.
    server : tuple of str
        The servers that share the rows, by name or address; empty for the notebook's.
    """

    each: bool = False
    max_errors: int | None = None
    width: int | None = None
    keep: bool = True
    forget: bool = False
    name: str = ""
    price: Price | None = None
    budget: float | None = None
    executor: object = None
    server: tuple[str, ...] = ()
    only: Only | None = None

    @classmethod
    def of(
        cls,
        *,
        price: object = None,
        budget: object = None,
        server: str | Iterable[str] | None = None,
        **options: Any,
    ) -> RunOptions:
        """Return options as users give them; a ConfigurationError refuses one."""
        for name, least in (("max_errors", 0), ("width", 1)):
            check_count(name, options.get(name), least)
        if budget is not None and price is None:
            raise ConfigurationError(
                "expected a price with the budget: add the price of a million tokens "
                "read and written, such as `--price 0.15/0.60`"
            )
        cost = None if price is None else Price.of(price)
        return cls(price=cost, budget=_amount(budget), server=_names(server), **options)


#: The names of the options that users give.
RUN_OPTIONS = {each.name for each in fields(RunOptions)} - {"name", "only"}


def check_count(name: str, value: object, least: int) -> None:
    """Refuse what is neither None nor a whole number that is not below the `least`."""
    is_count = isinstance(value, int) and not isinstance(value, bool)
    if value is not None and not (is_count and cast(int, value) >= least):
        raise ConfigurationError(
            f"`{name}` must be a whole number of {least} or more, got {value!r}"
        )


def _names(server: object) -> tuple[str, ...]:
    names = server.split(",") if isinstance(server, str) else server or ()
    found = tuple(names) if isinstance(names, Iterable) else (names,)
    for name in found:
        expect("a server's name or address, or a list of them", name, str)
    return tuple(filter(None, map(str.strip, found)))


def _amount(budget: object) -> float | None:
    try:
        found = None if budget is None else float(str(budget))
    except ValueError:
        found = math.nan
    if found is not None and not 0 < found < math.inf:
        raise ConfigurationError(
            f"the budget must be an amount above 0, such as 5 or 0.50, got {budget!r}"
        )
    return found


@dataclass(frozen=True, slots=True)
class Job:
    """A table, and a prompt for its rows.

    `check` refuses the question of a row that must not be sent, with a
    ConfigurationError; `mask` returns a text as it may be shown. `notes` say what of
    the prompt was not sent as it was typed, and what would make it faster.
    """

    rows: Rows
    template: Template
    asked: TableQuestion
    requests: RowRequests
    options: RunOptions = field(default_factory=RunOptions)
    check: Callable[[str], None] = lambda _text: None
    mask: Callable[[str], str] = str
    notes: tuple[str, ...] = ()

    @property
    def schema(self) -> Mapping[str, Any] | None:
        """The schema of each answer; None for text."""
        return self.asked.request.schema
