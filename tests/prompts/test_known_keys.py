"""What is promised about keys of known servers, and about parts that hold secrets."""

from __future__ import annotations

import base64
import enum
import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from urllib.parse import quote

import numpy as np
import pandas as pd
import polars as pl
import pytest

from h2o_magic.errors import ConfigurationError
from h2o_magic.prompts.secrets.guard import Guard
from h2o_magic.prompts.secrets.known import of_servers
from h2o_magic.prompts.secrets.scan import masked
from h2o_magic.prompts.values import describe

KEY = "geheim/Quark+Topf"


def guard(*keys: str, expression: str = "it") -> Guard:
    return Guard(expression, {}, {}, keys or (KEY,))


def written(
    value: object, expression: str, environment: Mapping[str, str] | None = None
) -> str:
    guard = Guard(expression, environment or {}, {}, (KEY,))
    return describe(value, expression, guard=guard).text(9999)


@dataclass
class Client:
    url: str = "http://gpu"
    auth: dict[str, str] = field(default_factory=lambda: {"X-A": KEY})


class Name(enum.Enum):
    PASSWORD = 1


# Keys of known servers


@pytest.mark.parametrize(
    "text",
    [
        KEY,
        f"it is {KEY}.",
        f"x{KEY}x",
        quote(KEY, safe=""),
        json.dumps({"a": KEY}),
        *(base64.b64encode(f"{'a' * n}:{KEY}!".encode()).decode() for n in range(3)),
        base64.urlsafe_b64encode(f"a:{KEY}".encode()).decode(),
    ],
)
def test_a_key_is_found_in_every_form(text: str) -> None:
    with pytest.raises(ConfigurationError) as caught:
        guard().text(text)
    assert str(caught.value) == (
        "`{it}` was not put into the prompt: it holds the key of a known server; "
        "remove it, or type what you want to send into the prompt yourself"
    )
    assert KEY not in masked(text, of_servers([KEY]))


@pytest.mark.parametrize("key", ["ab1!", "tok1", "quark", "12345678", "geheimwort"])
def test_a_short_or_plain_key_is_found_as_a_word(key: str) -> None:
    for text in (key, f"the {key}, it is", f"['{key}']", f"'a\\n{key}'"):
        with pytest.raises(ConfigurationError):
            guard(key).text(text)
    guard(key).text(f"a{key}a and 0{key}0")


@pytest.mark.parametrize("key", ["", "abc", "EMPTY", "ollama", "lm-studio", "none"])
def test_what_is_typed_where_no_key_is_needed_passes(key: str) -> None:
    guard(key).text("abc EMPTY ollama lm-studio none")


PARTS: list[Callable[[Guard], object]] = [
    lambda g: g.entry("note", KEY),
    lambda g: g.entry("note", f"{'x' * 5000}{KEY}"),
    lambda g: g.entry("", KEY.encode()),
    lambda g: g.entry(KEY, "value"),
    lambda g: g.names([1, "a", KEY]),
    lambda g: g.column("note", ["a", KEY]),
    lambda g: g.column("note", ["x" * 5000 + KEY]),
    lambda g: g.hidden_in(f"Client({KEY})", {}),
    lambda g: g.name("it", KEY.encode()),
]


@pytest.mark.parametrize("check", PARTS)
def test_a_key_is_found_where_only_a_part_of_it_would_be_shown(
    check: Callable[[Guard], object],
) -> None:
    """A cell or an item is checked before it is cut."""
    with pytest.raises(
        ConfigurationError, match="holds the key of a known server"
    ) as caught:
        check(guard())
    assert KEY not in str(caught.value)


NAMED: list[Callable[[Guard, str], object]] = [
    lambda g, name: g.entry(name, KEY),
    lambda g, name: g.column(name, [KEY]),
    lambda g, name: g.entry(f"{name}_password", "hunter2"),
]


@pytest.mark.parametrize("name", [KEY, f"a {KEY}", "sk-" + "a1" * 20, "9f8e" * 5])
@pytest.mark.parametrize("check", NAMED)
def test_a_name_that_is_a_secret_is_not_shown(
    check: Callable[[Guard, str], object], name: str
) -> None:
    with pytest.raises(ConfigurationError, match="that has no ordinary name") as caught:
        check(guard(), name)
    assert name not in str(caught.value)


def test_an_expression_that_holds_a_key_is_not_shown() -> None:
    with pytest.raises(ConfigurationError) as caught:
        guard(expression=f"d['{KEY}']").text(KEY)
    assert KEY not in str(caught.value)
    assert "`{d['***']}`" in str(caught.value)


# Keys of other kinds, by their names


@pytest.mark.parametrize("expression", ["os.environ['LAB_KEY']", "cfg['LAB_KEY']"])
@pytest.mark.parametrize("value", ["hunter2", "9f8e-7d6c", "correct-horse-battery"])
def test_a_key_in_a_variable_of_the_environment_is_refused(
    expression: str, value: str
) -> None:
    with pytest.raises(ConfigurationError) as caught:
        written(value, expression)
    assert expression in str(caught.value)
    assert value not in str(caught.value)


def test_a_key_read_from_the_environment_is_refused_under_any_name() -> None:
    environment = {"LAB_KEY": "9f8e7d6c-5b4a"}
    for value in ("9f8e7d6c-5b4a", "key=9f8e7d6c-5b4a", ["9f8e7d6c-5b4a"]):
        with pytest.raises(ConfigurationError, match="environment variable LAB_KEY"):
            written(value, "x", environment=environment)


@pytest.mark.parametrize(
    "value", ["created_at", "/srv/keys/lab.pem", "12345678", "user-id", "a b", ""]
)
def test_a_word_or_a_path_under_such_a_name_passes(value: str) -> None:
    Guard("it", {}, {}).name("LAB_KEY", value)
    Guard("it", {}, {}).entry("lab_key", value)


@pytest.mark.parametrize(
    "name", ["primary_key", "join_key", "sort_key", "KEY", "customer_key", "lab_key"]
)
def test_a_table_with_a_column_of_keys_passes(name: str) -> None:
    ids = ["550e8400-e29b-41d4-a716-446655440000", "2024-01-01_store0042"]
    for frame in (pd.DataFrame({name: ids}), pl.DataFrame({name: ids})):
        assert ids[0] in written(frame, "df")


def test_a_column_of_random_keys_is_refused() -> None:
    with pytest.raises(ConfigurationError, match="its column 'lab_key' looks like"):
        written(pd.DataFrame({"lab_key": ["9f8e7d6c5b4a3f2e1d0c"]}), "df")


# What holds them


SECRET = "hunter2"
CARRIERS: list[Callable[[str], object]] = [
    lambda s: ("password", s),
    lambda s: [("password", s)],
    lambda s: [["password", s]],
    lambda s: ("ada", ("password", s)),
    lambda s: [[("password", s)]],
    lambda s: {1: ("password", s)},
    lambda s: {"a": ["password", s]},
    lambda s: {("db", "password"): s},
    lambda s: {Name.PASSWORD: s},
    lambda s: {"name": "password", "value": s},
    lambda s: [{"Key": "DB_PASSWORD", "Value": s, "id": 3}],
    lambda s: {"password": {"value": s}},
    lambda s: {"passwords": np.array([s, "x"])},
    lambda s: {"password": np.array(s)},
    lambda s: {"passwords": pd.Series([s])},
    lambda s: {"passwords": pl.Series([s])},
    lambda s: pd.DataFrame({"name": ["user", "password"], "value": ["ada", s]}),
    lambda s: pl.DataFrame({"name": ["user", "password"], "value": ["ada", s]}),
    lambda s: pd.DataFrame({("login", "password"): [s]}),
    lambda s: np.array([f"password={s}{s}"]),
    lambda s: pd.DataFrame({"note": [f"{'x' * 70} password={s}{s}"]}),
    lambda s: [f"{'x' * 5000} password={s}{s}"],
]


@pytest.mark.parametrize("carrier", CARRIERS)
def test_a_secret_is_refused_in_whatever_holds_it(
    carrier: Callable[[str], object],
) -> None:
    with pytest.raises(ConfigurationError, match="not put into the prompt") as caught:
        written(carrier(SECRET), "it")
    assert SECRET not in str(caught.value)


@pytest.mark.parametrize(
    "value",
    [
        ["password", "username"],
        ["api_key", "base_url"],
        {"columns": ["password", "email address"]},
        ("password", "user_password"),
        {"name": "password", "value": None},
        {"name": "ada", "value": "hunter2"},
        {"name": "password", "type": "string"},
        {"passwords": np.array([1.5])},
    ],
)
def test_names_beside_names_pass(value: object) -> None:
    assert written(value, "it")


def test_a_dataclass_with_a_key_in_an_attribute_is_refused() -> None:
    client = Client()
    with pytest.raises(ConfigurationError, match="the key of a known server"):
        guard().entry("X-A", client.auth["X-A"])


@pytest.mark.parametrize(
    ("value", "told"),
    [
        ([KEY], "an item of it holds the key of a known server; name the part you "),
        ({"a": KEY}, "such as `{it['name']}`"),
        ([KEY], "such as `{it[0]}`"),
        (pd.Series([KEY]), "a column of it that has no name holds the key"),
        (pd.DataFrame({"a": [KEY]}), "its column 'a' holds the key"),
    ],
)
def test_the_advice_names_a_part_as_python_does(value: object, told: str) -> None:
    with pytest.raises(ConfigurationError) as caught:
        describe(value, "it", guard=guard(KEY))
    assert told in str(caught.value)
    assert ("`{it" in str(caught.value).partition(";")[2]) != isinstance(
        value, pd.Series
    )
