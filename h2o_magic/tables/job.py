"""What a run is to do, checked: which rows are asked what, of whom, and how."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

from h2o_magic.conversation.table_question import TableQuestion
from h2o_magic.tables.price import Price
from h2o_magic.tables.requests import RowRequests
from h2o_magic.tables.rows import Rows
from h2o_magic.tables.template import Template


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
    servers : tuple of str
        Several servers that share the rows, by name or address; empty for the
        notebook's.
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
    servers: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Job:
    """A table, and a prompt for its rows."""

    rows: Rows
    template: Template
    asked: TableQuestion
    requests: RowRequests
    options: RunOptions = field(default_factory=RunOptions)
    check: Callable[[str], None] = lambda _text: None

    @property
    def schema(self) -> Mapping[str, Any] | None:
        """The schema of each answer; None for text."""
        return self.asked.request.schema
