"""Questions of data work: what is sent holds what it takes to answer them.

Each fact is found in the text where a model would look for it, and compared with what
the table itself says.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from h2o_magic.chat.tokens import tokens_in
from h2o_magic.prompts.values import describe
from h2o_magic.weights.memory import MemoryPlan
from tests.prompts import question_tables as tables
from tests.server.engines import engine_loop

BUDGET = 1_000


class Sent:
    """The text for a question, and what can be read in it."""

    def __init__(self, table: Any, question: str) -> None:
        self.text = describe(table, "df", question=question).text(BUDGET)
        self._blocks = [block.split("\n") for block in self.text.split("\n\n")]

    @property
    def first(self) -> str:
        return self._blocks[0][0]

    def fact(self, column: str, what: str) -> str:
        """Return what the table of the columns says of one: its dtype, missing, ..."""
        block = next(each for each in self._blocks if each[0].startswith("| column |"))
        head, _, *rows = map(_cells, block)
        return next(row for row in rows if row[0] == column)[head.index(what)]

    def rows(self) -> list[dict[str, str]]:
        """Return the example rows."""
        head, _, *rows = map(_cells, self._blocks[-1])
        return [dict(zip(head, row, strict=True)) for row in rows]


def _cells(line: str) -> list[str]:
    return line.strip("| ").split(" | ")


Facts = Callable[[Sent, Any], bool]


def missing(column: str) -> Facts:
    def holds(sent: Sent, df: Any) -> bool:
        gone = df[column].isna() if hasattr(df, "iloc") else df[column].is_null()
        return sent.fact(column, "missing") == str(gone.sum())

    return holds


def distinct(column: str) -> Facts:
    return lambda sent, df: (
        sent.fact(column, "distinct") == str(len(set(df[column].dropna())))
    )


def said(column: str, *parts: Callable[[Any], str] | str) -> Facts:
    """Return whether the text says this of what is in a column."""

    def holds(sent: Sent, df: Any) -> bool:
        values = sent.fact(column, "values")
        texts = [part if isinstance(part, str) else part(df) for part in parts]
        return all(text in values for text in texts)

    return holds


def dtype(column: str, name: str) -> Facts:
    return lambda sent, _: sent.fact(column, "dtype") == name


def line(*parts: str) -> Facts:
    """Return whether one line of the text has all of this."""
    return lambda sent, _: any(
        all(part in each for part in parts) for each in sent.text.split("\n")
    )


def shape(text: str) -> Facts:
    return lambda sent, _: sent.first == text


def row(**cells: str) -> Facts:
    """Return whether a row with these cells is among the examples."""
    return lambda sent, _: any(
        all(each.get(name) == cell for name, cell in cells.items())
        for each in sent.rows()
    )


def least(column: str) -> Callable[[Any], str]:
    return lambda df: f"min {df[column].min()}"


def greatest(column: str) -> Callable[[Any], str]:
    return lambda df: f"max {df[column].max()}"


def mean(column: str) -> Callable[[Any], str]:
    return lambda df: f"mean {df[column].mean():.6g}"


def count(column: str, value: object) -> Callable[[Any], str]:
    return lambda df: f"{value} ({(df[column] == value).sum()})"


QUESTIONS: list[tuple[Callable[[], Any], str, list[Facts]]] = [
    (
        lambda: tables.DF,
        "Which column of `df` has the most gaps?",
        [missing("city"), missing("rain_mm"), row(city="Lima", rain_mm="NaN")],
    ),
    (
        lambda: tables.CITIES,
        "Which of these cities has the Louvre?",
        [row(city="Paris", sight="Louvre"), row(city="Rome", sight="Colosseum")],
    ),
    (
        tables.orders,
        "Which column of `df` has the most missing values, and how many?",
        [lambda sent, df: all(missing(name)(sent, df) for name in df.columns)],
    ),
    (
        tables.orders,
        "Are there outliers in price?",
        [said("price", least("price"), greatest("price"), mean("price"), "outliers")],
    ),
    (
        tables.orders,
        "Which share of the orders was returned?",
        [said("status", count("status", "returned"), count("status", "paid"))],
    ),
    (
        tables.orders,
        "Does any row come twice?",
        [line("duplicated rows: 3")],
    ),
    (
        tables.orders,
        "From when to when are the orders?",
        [said("paid_at", "2024-01-01 to 2024-05-25 13:00:00")],
    ),
    (
        tables.orders,
        "How many rows and columns does `df` have?",
        [shape("pandas DataFrame, 503 rows x 6 columns")],
    ),
    (
        tables.orders,
        "Write code that joins `df` to customers on the customer.",
        [dtype("customer", "int64"), distinct("customer")],
    ),
    (
        tables.customers,
        "Is customer unique, so that orders can be joined on it?",
        [distinct("customer"), missing("customer"), dtype("customer", "int64")],
    ),
    (
        tables.customers,
        "Why does grouping by country give five groups, not three?",
        [
            distinct("country"),
            said("country", "3 distinct but for case and spaces", "'peru ' (8)"),
        ],
    ),
    (
        tables.customers,
        "For how many customers do we not know whether they are VIPs?",
        [missing("vip"), said("vip", "False (20)", "True (10)")],
    ),
    (
        tables.customers,
        "Why can I not take the mean of score?",
        [
            said("score", "looks like numbers except 2 ('n/a')", "n/a (2)"),
            lambda sent, df: sent.fact("score", "dtype") == str(df["score"].dtype),
        ],
    ),
    (
        tables.sensor,
        "Are there gaps in the series?",
        [line("index: day", "steps 1 day (173), 6 days (1)")],
    ),
    (
        tables.sensor,
        "In which time zone is the index, and what period does it cover?",
        [line("index: day", "datetime64[UTC]", "2024-01-01+00:00 to 2024-06-28+00:00")],
    ),
    (
        tables.sensor,
        "What were the mean and the maximum of celsius?",
        [
            said("celsius", mean("celsius")),
            said("celsius", lambda df: f"max {df['celsius'].max():.6g}"),
        ],
    ),
    (
        tables.signups,
        "In which formats are the dates in joined, and which do not parse?",
        [
            said("joined", "looks like dates except 1 ('unknown')"),
            said("joined", "9999-99-99 (30)", "99/99/9999 (8)", "Mon 9, 9999 (2)"),
        ],
    ),
    (
        tables.signups,
        "Convert amount to numbers: what must I watch out for?",
        [said("amount", "looks like numbers except 1 ('free')", "1,250.50 (10)")],
    ),
    (
        tables.signups,
        "Why does df['code'].sum() raise?",
        [said("code", "types int (20), str (20)"), missing("code")],
    ),
    (
        tables.survey,
        "What is the order of satisfaction, and which answer is commonest?",
        [
            dtype("satisfaction", "category, ordered low < mid < high"),
            said("satisfaction", "low (50)"),
        ],
    ),
    (
        tables.survey,
        "Which columns carry no information?",
        [distinct("year"), said("year", "min 2024", "max 2024")],
    ),
    (
        tables.survey,
        "Should I explode tags?",
        [dtype("tags", "object"), missing("tags"), row(tags="['a', 'b']")],
    ),
    (
        tables.sales,
        "How do I select the third quarter in the south?",
        [
            line("index: MultiIndex of 2 levels"),
            line("index: region", "3 distinct", "south"),
            line("index: quarter", "int64", "min 1", "max 4"),
        ],
    ),
    (
        tables.sales,
        "Which columns hold euros?",
        [
            line("columns: MultiIndex", "euro, units", "shop, web"),
            lambda sent, _: sent.fact("('euro', 'web')", "values").startswith("min 2"),
        ],
    ),
    (
        tables.genes,
        "Which columns have missing values?",
        [line("missing values in 2:", "g17 (7)", "g2400 (2)")],
    ),
    (
        tables.genes,
        "Is g2400 related to outcome?",
        [
            missing("g2400"),
            said("outcome", "well (40), ill (20)"),
            said("g2400", lambda df: f"max {df['g2400'].max():.6g}"),
            shape("pandas DataFrame, 60 rows x 3,000 columns"),
        ],
    ),
    (
        tables.genes,
        "What kinds of columns are there, and which are constant?",
        [
            line("float64 (2,998)"),
            line("g0 … g2997 (2,998)", "sample", "outcome"),
            line("one value only in 1: g9"),
        ],
    ),
    (
        tables.places,
        "In which unit would df.distance be, and what do the geometries look like?",
        [
            line("CRS: EPSG:25832 (ETRS89 / UTM zone 32N)", "17000.0, 8500.0"),
            said("geometry", "Point (18), Polygon (2)"),
        ],
    ),
    (
        tables.trips,
        "Which trips look wrong?",
        [
            missing("driver"),
            said("km", "max 4000.0", "1 infinite or NaN", "outliers"),
            shape("polars DataFrame, 300 rows x 4 columns"),
        ],
    ),
    (
        tables.trips,
        "Which driver made the most trips? Write it with polars.",
        [
            dtype("driver", "String"),
            lambda sent, df: sent.fact("driver", "values").startswith(
                "{} ({})".format(*df["driver"].value_counts().sort("count").row(-1))
            ),
        ],
    ),
    (
        tables.ledger,
        "What is in `df`, and can I trust day?",
        [
            shape("DuckDB relation, more than 1,000 rows (not counted) x 4 columns"),
            dtype("day", "DATE"),
            line("all figures are of the first 1,000 rows"),
            lambda sent, _: sent.fact("day", "missing") == "100",
            said("account", "A0 (250)"),
            row(entry="1", amount="3.5"),
        ],
    ),
]


@pytest.mark.parametrize(
    ("made", "question", "facts"), QUESTIONS, ids=[each[1] for each in QUESTIONS]
)
def test_what_is_sent_answers_the_question(
    made: Callable[[], Any], question: str, facts: list[Facts]
) -> None:
    table = made()
    sent = Sent(table, question)
    assert tokens_in(sent.text) <= BUDGET
    for fact in facts:
        assert fact(sent, table), sent.text


@pytest.fixture(scope="module")
def counted(hub_with_a_model: Path) -> Iterator[Callable[[str], int]]:
    """The tokens of a text by SmolLM2's own tokenizer."""
    weights = next(hub_with_a_model.rglob("*.gguf"))
    with engine_loop() as loop:
        engine = loop.start(weights, MemoryPlan(1, 512, 512, threads=1))

        def count(text: str) -> int:
            answer = engine.call("POST", "/tokenize", {"content": text})
            return len(loop.run(answer)["tokens"])

        yield count
        loop.run(engine.close())


@pytest.mark.parametrize("budget", [200, 400, 1_000, 4_000])
def test_a_table_keeps_to_its_tokens_by_a_real_tokenizer(
    counted: Callable[[str], int], budget: int
) -> None:
    for made, question in [*((m, q) for m, q, _ in QUESTIONS), (tables.keys, "")]:
        text = describe(made(), "df", question=question).text(budget)
        estimate, real = tokens_in(text), counted(text)
        assert estimate <= max(budget, 60)
        assert real <= 1.03 * estimate
        assert real <= max(budget, 60)
        assert real >= 0.7 * estimate  # the room is for rows, not for caution
