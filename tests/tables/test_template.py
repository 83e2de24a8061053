"""Templates: where a column counts, what stands in its place, and what is advised."""

from __future__ import annotations

import datetime
import decimal
import enum
import pathlib
import uuid
from collections import namedtuple
from typing import Any

import matplotlib.figure
import numpy
import pandas
import PIL.Image
import pydantic
import pytest
from hypothesis import given
from hypothesis import strategies as st

from h2o_magic.errors import ConfigurationError
from h2o_magic.tables.cells import Unreadable
from h2o_magic.tables.template import Template, advice, filled


def fill(text: str, /, **row: object) -> str:
    """Return a template's prompt for a row with these columns."""
    return fill_row(text, row)


def fill_row(text: str, row: dict[str, object]) -> str:
    template = Template.of(text, list(row))
    values = [row[name] for name in template.columns]
    return filled(template.parts(template.marked), values)


def test_columns_stand_where_their_names_are() -> None:
    assert fill("{a}, {b} and {a} again", a="one", b=2) == "one, 2 and one again"


def test_a_value_with_braces_means_nothing() -> None:
    assert fill("Rate: {a} {b}", a="{b}", b="x") == "Rate: {b} x"


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("{meta['lang']}", "en"),
        ('{meta["lang"]}', "en"),
        ("{meta.lang}", "en"),
        ("{meta.tags[0]}", "x"),
        ("{meta.more.deep}", "yes"),
        ("{price:.2f}", "1.50"),
        ("{price:>8.1f}", "     1.5"),
        ("{price:.0%}", "150%"),
        ("{meta['price']:.1f}", "2.0"),
        ("{meta['}']}", "brace"),
        ("{name!r}", "'A'"),
        ("{when:%d.%m.%Y}", "02.01.2024"),
        ("{when.year}", "2024"),
        ("{review text}", "good"),
        ("{code.py}", "dotted"),
        ("`{name}` in code", "`A` in code"),
        ("```\n{name}\n```", "```\nA\n```"),
        ("{{name}}", "{A}"),
    ],
)
def test_what_may_follow_a_name(text: str, expected: str) -> None:
    row = {
        "meta": {
            "lang": "en",
            "tags": ["x"],
            "more": {"deep": "yes"},
            "price": 2,
            "}": "brace",
        },
        "price": 1.5,
        "name": "A",
        "when": datetime.date(2024, 1, 2),
        "review text": "good",
        "code.py": "dotted",
        "code": "plain",
    }
    assert fill_row(text, row) == expected


@pytest.mark.parametrize(
    "literal",
    [
        '{"sentiment": "good"}',
        "{sentiment: good}",
        "{sentiment:1}",
        "{sentiment:}",
        "{ sentiment }",
        "{sentiment + 1}",
        "{sentiment()}",
        "{sentiment.}",
        "{sentiments}",
        "{sentiment:rows}",
        "{}",
        "{other}",
        "{Sentiment}",
    ],
)
def test_other_braces_stay_as_they_are(literal: str) -> None:
    row: dict[str, object] = {"text": "T", "sentiment": "S"}
    assert fill_row(f"Like {literal}: {{text}}", row) == f"Like {literal}: T"


def test_json_in_a_cell_of_text_is_read_by_a_path() -> None:
    assert fill("{meta.lang}", meta='{"lang": "en"}') == "en"
    assert fill("{tags[1]}", tags='["a", "b"]') == "b"
    assert fill("{meta}", meta='{"lang":"en"}') == '{"lang":"en"}'


class Colour(enum.Enum):
    RED = "red"

    def __str__(self) -> str:
        return self.value


class Model(pydantic.BaseModel):
    n: int


Point = namedtuple("Point", "x y")


@pytest.mark.parametrize(
    ("value", "expected"),
    [
        (3, "3"),
        (2.0, "2.0"),
        (True, "True"),
        (decimal.Decimal("1.10"), "1.10"),
        (datetime.datetime(2024, 1, 2, 3), "2024-01-02 03:00:00"),
        (pandas.Timestamp("2024-01-02"), "2024-01-02 00:00:00"),
        (uuid.UUID(int=1), "00000000-0000-0000-0000-000000000001"),
        (pathlib.PurePosixPath("a/b"), "a/b"),
        (Colour.RED, "red"),
        (b"bytes \xc3\xa4", "bytes ä"),
        ([1, "ä", None], '[1, "ä", null]'),
        (
            {"a": datetime.date(2024, 1, 2), "b": float("nan")},
            '{"a": "2024-01-02", "b": NaN}',
        ),
        (numpy.array([1.5, 2.5]), "[1.5, 2.5]"),
        (numpy.int64(3), "3"),
        (numpy.float32(1.5), "1.5"),
        (numpy.array([numpy.array([1]), None], dtype=object), "[[1], null]"),
        ({"b", "a"}, '["a", "b"]'),
        (Model(n=1), '{"n": 1}'),
        (Point(1, 2), '{"x": 1, "y": 2}'),
    ],
    ids=lambda value: type(value).__name__ if not isinstance(value, str) else "",
)
def test_a_value_is_written_as_text_or_json(value: object, expected: str) -> None:
    assert fill("{v}", v=value) == expected


@pytest.mark.parametrize(
    "value",
    [
        None,
        float("nan"),
        pandas.NA,
        pandas.NaT,
        numpy.float32("nan"),
        numpy.datetime64("NaT"),
        decimal.Decimal("NaN"),
        "",
        " \n",
    ],
    ids=repr,
)
def test_a_row_that_says_nothing_is_not_asked(value: object) -> None:
    with pytest.raises(ConfigurationError, match=r"^nothing to ask: text is empty$"):
        fill("Rate: {text}", text=value)
    with pytest.raises(ConfigurationError, match="nothing to ask: a and b are empty"):
        fill("{a}{b} {a}", a=value, b=None)
    assert fill("Rate {b}: {a:.1f}", a=None, b="x") == "Rate x: "


class Opaque:
    pass


class Failing:
    def __str__(self) -> str:
        raise RuntimeError("no text today")


class Address:
    def __str__(self) -> str:
        return f"<Address object at {hex(id(self))}>"


@pytest.mark.parametrize(
    "value",
    [
        PIL.Image.new("RGB", (20, 20)),
        matplotlib.figure.Figure(),
        numpy.zeros((20, 20, 3), "uint8"),
        b"\x89PNG\r\n\x1a\n",
        pandas.DataFrame({"a": [1]}),
        Opaque(),
        Address(),
        [Opaque()],
        len,
        object(),
    ],
    ids=lambda value: type(value).__name__,
)
def test_what_has_no_text_is_an_error_and_never_an_address(value: object) -> None:
    with pytest.raises(ConfigurationError, match=r"^`\{v\}`: expected text") as caught:
        fill("{v}", v=value)
    assert "0x" not in str(caught.value)


def test_what_a_row_lacks_is_said_with_its_place() -> None:
    with pytest.raises(ConfigurationError, match=r"`\{m.lang\}`: dict has no key"):
        fill("{m.lang}", m={"x": 1})
    with pytest.raises(ConfigurationError, match=r"`\{n:.2f\}`: "):
        fill("{n:.2f}", n="text")
    with pytest.raises(ConfigurationError, match=r"`\{n\}`: no text today"):
        fill("{n}", n=Failing())
    with pytest.raises(ConfigurationError, match=r"^line 3 is damaged$"):
        fill("{n:.2f}", n=Unreadable("line 3 is damaged"))


def test_a_name_that_is_no_column_is_named_with_the_nearest() -> None:
    with pytest.raises(ConfigurationError, match=r"`\{txet\}` is no column .*'text'"):
        Template.of("Rate {txet}", ["id", "text"])
    with pytest.raises(ConfigurationError, match=r"write `\{id\}`"):
        Template.of("Rate it", ["id", "text"])
    with pytest.raises(ConfigurationError, match="got an empty one"):
        Template.of(" \n", ["id"])


def test_a_column_whose_name_is_there_twice_cannot_be_used() -> None:
    names = ["text", "label", "text"]
    with pytest.raises(ConfigurationError, match="2 columns are called `text`"):
        Template.of("{text}", names)
    assert Template.of("{label}", names).columns == ("label",)


def test_a_mark_in_a_value_of_the_notebook_is_refused() -> None:
    template = Template.of("{a}", ["a"])
    with pytest.raises(ConfigurationError, match=r"U\+E0F1"):
        template.parts(template.marked + "\ue0f10\ue0f2")


FIXED = "Answer in one word, and think of irony. " * 10


@pytest.mark.parametrize(
    ("text", "advised"),
    [
        (f"{{text}}\n{FIXED}", True),
        (f"Rate {{text}}\n{FIXED}", True),
        (f"{FIXED}\n{{text}}", False),
        (f"{FIXED}\n{{text}}\nYour answer:", False),
        (f"{FIXED * 3}\n{{text}}\n{FIXED}", False),
        ("{text}\nAnswer in one word.", False),
        (f"{{text}} {{label}} {FIXED}", True),
    ],
)
def test_a_column_before_a_long_fixed_text_is_advised_against(
    text: str, advised: bool
) -> None:
    found = advice(Template.of(text, ["text", "label"]))
    assert bool(found) == advised
    if advised:
        assert found == (
            "put `{text}` at the end: servers read what all rows share only once"
        )


names = st.text(st.characters(exclude_categories=["Cs", "Co"]), min_size=1).filter(
    lambda name: not set(name) & set("{}") and name == name.strip()
)


@given(
    st.lists(names, min_size=1, max_size=4, unique=True),
    st.lists(st.text(st.characters(exclude_categories=["Cs"])), min_size=2),
    st.data(),
)
def test_fixed_text_and_values_come_out_as_they_went_in(
    columns: list[str], texts: list[str], data: Any
) -> None:
    fixed = [
        text.translate({ord(sign): None for sign in "{}\ue0f1\ue0f2"}) for text in texts
    ]
    chosen = [data.draw(st.sampled_from(columns)) for _ in fixed[1:]]
    row = {name: f"<{number}>{{{name}}}" for number, name in enumerate(columns)}
    source = fixed[0] + "".join(
        f"{{{name}}}{text}" for name, text in zip(chosen, fixed[1:], strict=True)
    )
    expected = fixed[0] + "".join(
        row[name] + text for name, text in zip(chosen, fixed[1:], strict=True)
    )
    template = Template.of(source, columns)
    found = filled(
        template.parts(template.marked), [row[name] for name in template.columns]
    )
    assert found == expected.strip() or found.strip() == expected.strip()
