"""What is promised about secrets: refused with a message, with few false alarms."""

from __future__ import annotations

import os
from argparse import Namespace
from collections.abc import Callable
from dataclasses import dataclass
from types import SimpleNamespace
from typing import Any

import numpy as np
import pandas as pd
import polars as pl
import pydantic
import pytest

from h2o_magic.errors import ConfigurationError
from h2o_magic.prompt_values import as_prompt
from h2o_magic.prompt_values.secret_names import secrecy

SECRET = "hunter2"


@dataclass
class Account:
    user: str
    password: str


class Settings(pydantic.BaseModel):
    url: str = "u"
    api_key: str = SECRET


class Masked(pydantic.BaseModel):
    value: pydantic.SecretStr = pydantic.SecretStr(SECRET)


class Client:
    def __init__(self, token: str) -> None:
        self._token = token

    def __repr__(self) -> str:
        return f"Client({self._token})"


SECRET_NAMES = [
    "password",
    "passwd",
    "PGPASSWORD",
    "db_pass",
    "password2",
    "secret",
    "secrets",
    "client_secret",
    "clientSecret",
    "token",
    "HF_TOKEN",
    "hfToken",
    "HFToken",
    "access-token",
    "refresh_tokens",
    "api_key",
    "API_KEYS",
    "apiKey",
    "APIKey",
    "apikey",
    "x-api-key",
    "OPENAI_API_KEY",
    "Authorization",
    "credentials",
    "private_key",
    "AWS_ACCESS_KEY_ID",
    "AWS_SECRET_ACCESS_KEY",
    "session_id",
    "sessionid",
    "SessionId",
    "Set-Cookie",
    "cookie",
]

HARMLESS_NAMES = [
    "tokens",
    "max_new_tokens",
    "prompt_tokens",
    "token_count",
    "tokenizer",
    "token_type",
    "eos_token",
    "pad_token",
    "next_page_token",
    "key",
    "primary_key",
    "sort_key",
    "keyboard",
    "monkey",
    "author",
    "authority",
    "secretary",
    "password_policy",
    "passenger",
    "compass",
    "boarding_pass",
    "session",
    "session_name",
    "cookie_banner",
    "id",
    "user_id",
    "description",
    "",
]


@pytest.mark.parametrize("name", SECRET_NAMES)
def test_a_name_of_a_secret_is_known(name: str) -> None:
    assert secrecy(name) != "no"


@pytest.mark.parametrize("name", HARMLESS_NAMES)
def test_a_name_that_only_resembles_one_is_none(name: str) -> None:
    assert secrecy(name) == "no"


@pytest.mark.parametrize("name", SECRET_NAMES)
def test_a_text_under_the_name_of_a_secret_is_refused(name: str) -> None:
    with pytest.raises(ConfigurationError) as caught:
        as_prompt({"user": "ada", name: SECRET}, "account")
    message = str(caught.value)
    assert message == (
        f"`{{account}}` was not put into the prompt: its {name!r} looks like a secret. "
        "Name the part that you need, like `{account['name']}`, or write it into the "
        "prompt yourself"
    )


@pytest.mark.parametrize("name", HARMLESS_NAMES)
def test_a_text_under_another_name_is_shown(name: str) -> None:
    assert SECRET in as_prompt({name: SECRET}, "x")


CARRIERS: list[Callable[[str], object]] = [
    lambda s: {"password": s},
    lambda s: {"a": [{"password": s}]},
    lambda s: {"passwords": [s]},
    lambda s: {"credentials": {"ada": s}},
    lambda s: {b"password": s},
    lambda s: {"password": s.encode()},
    lambda s: Account("ada", s),
    lambda s: [Account("ada", s)],
    lambda s: Settings(api_key=s),
    lambda s: SimpleNamespace(password=s),
    lambda s: Namespace(password=s),
    lambda s: [("Authorization", f"Bearer {s}")],
    Client,
    lambda s: [Client(s)],
    lambda s: pd.DataFrame({"user": ["ada"], "password": [s]}),
    lambda s: pd.DataFrame({("login", "password"): [s]}).droplevel(0, axis=1),
    lambda s: pd.DataFrame({"n": [1]}, index=pd.Index([s], name="password")),
    lambda s: pd.Series([s], name="password"),
    lambda s: pd.Series({"user": "ada", "password": s}),
    lambda s: pl.DataFrame({"user": ["ada"], "password": [s]}),
    lambda s: pl.Series("password", [s]),
    lambda s: np.array([(1, s)], dtype=[("id", "i4"), ("password", "U20")]),
    lambda s: np.array([{"password": s}]),
]


@pytest.mark.parametrize("carrier", CARRIERS)
def test_a_secret_is_refused_in_whatever_holds_it(
    carrier: Callable[[str], object],
) -> None:
    with pytest.raises(ConfigurationError, match="not put into the prompt") as caught:
        as_prompt(carrier(SECRET), "it")
    assert SECRET not in str(caught.value)


@pytest.mark.parametrize("value", [Masked(), [pydantic.SecretStr(SECRET)]])
def test_a_value_that_exists_to_keep_a_secret_is_refused(value: object) -> None:
    with pytest.raises(ConfigurationError, match="looks like a secret"):
        as_prompt(value, "it")


@pytest.mark.parametrize(
    "value",
    [
        {"token": 3, "password": None, "secret": True, "api_key": ""},
        {"password": "********", "api_key": "<redacted>", "token": "${HF_TOKEN}"},
        {"properties": {"password": {"type": "string", "minLength": 8}}},
        [("token", "DET"), ("password", "NN")],
        pd.DataFrame({"token": ["the", "cat"], "tokens": ["a b", "c"]}),
        pd.DataFrame({"token": [1, 2], "password_length": [3, 4]}),
        pl.DataFrame({"token": ["the"]}),
        pd.DataFrame({"HOME": ["1:0"], "AWAY": ["0:1"]}),
        {"home": "here", "user": "ada", "path": "/a", "shell": "snail", "lang": "en"},
        Settings.model_fields.keys(),
    ],
)
def test_what_holds_no_secret_passes(value: object) -> None:
    assert as_prompt(value, "it")


def test_a_column_of_random_tokens_is_no_column_of_words() -> None:
    tokens = ["4f1c9e0a7b2d4e6f8a1b"]
    with pytest.raises(ConfigurationError, match="its column 'token' looks like"):
        as_prompt(pd.DataFrame({"token": tokens}), "df")


@pytest.mark.parametrize(
    "expression",
    [
        "password",
        "HF_TOKEN",
        "api_keys[0]",
        "config.api_key",
        "config['api_key']",
        'a.b["password"]',
        "os.environ['HF_TOKEN']",
    ],
)
def test_a_text_that_is_named_as_a_secret_is_refused(expression: str) -> None:
    with pytest.raises(ConfigurationError) as caught:
        as_prompt(SECRET, expression)
    assert str(caught.value) == (
        f"`{{{expression}}}` looks like a secret and was not put into the prompt: "
        "leave it out, or write it there yourself if you mean to send it"
    )


@pytest.mark.parametrize(
    "expression",
    [
        "tokens[0]",
        "secrets.name",
        "config['user']",
        "os.environ['HOME']",
        "token_count",
    ],
)
def test_a_text_that_is_named_otherwise_passes(expression: str) -> None:
    assert as_prompt("plain", expression) == "plain"


ENVIRONMENTS: list[Callable[[Any], object]] = [
    lambda env: env,
    dict,
    lambda env: {"env": dict(env)},
    lambda env: list(env.items()),
    lambda env: env.items(),
    lambda env: env.values(),
    lambda env: [f"{name}={value}" for name, value in env.items()],
    lambda env: pd.Series(dict(env)),
    lambda env: pd.DataFrame([dict(env)]),
    lambda env: pd.DataFrame(list(env.items()), columns=["name", "value"]),
    lambda env: SimpleNamespace(env=env),
]


@pytest.mark.parametrize("made", ENVIRONMENTS)
def test_the_environment_is_refused_in_every_form(
    made: Callable[[Any], object], monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in list(os.environ):
        monkeypatch.delenv(name)
    for name in ("PATH", "HOME", "USER", "LANG"):
        monkeypatch.setenv(name, "plain")
    with pytest.raises(ConfigurationError, match="holds the process's environment"):
        as_prompt(made(os.environ), "env")


ENVIRONMENT = {
    "MY_TOKEN": "ab12cd34ef56",
    "DB_PASSWORD": "password",
    "PIN_TOKEN": "1234",
    "EDITOR": "an-editor-1",
    **{f"MY_SETTING_{n}": "on" for n in range(6)},
}


def test_many_variables_of_the_environment_are_the_environment() -> None:
    part = {f"MY_SETTING_{n}": "on" for n in range(6)}
    with pytest.raises(ConfigurationError, match="holds the process's environment"):
        as_prompt(part, "part", environment=ENVIRONMENT)
    assert as_prompt(part, "part")


@pytest.mark.parametrize(
    "value",
    [
        "ab12cd34ef56",
        "Bearer ab12cd34ef56",
        ["x", "ab12cd34ef56"],
        "ab12cd34ef56".rjust(100_000, "x"),
        "password",
        ValueError("bad token ab12cd34ef56"),
    ],
)
def test_a_secret_of_the_environment_is_refused_wherever_it_stands(
    value: object,
) -> None:
    with pytest.raises(ConfigurationError) as caught:
        as_prompt(value, "it", environment=ENVIRONMENT)
    assert "it holds the environment's" in str(caught.value)
    assert "ab12cd34ef56" not in str(caught.value)


@pytest.mark.parametrize("value", ["1234", "an-editor-1", "forgot my password"])
def test_ordinary_words_of_the_environment_pass(value: str) -> None:
    assert as_prompt(value, "it", environment=ENVIRONMENT) == value


@pytest.mark.parametrize(
    "text",
    [
        "-----BEGIN RSA PRIVATE KEY-----\nabc",
        "key: hf_" + "a1" * 17,
        "ghp_" + "a1" * 18,
        "sk-" + "a1" * 20,
        "AKIA" + "A1" * 8,
    ],
)
def test_a_key_of_a_known_shape_is_refused(text: str) -> None:
    with pytest.raises(ConfigurationError, match="it holds a key"):
        as_prompt(text, "text")


@pytest.mark.parametrize(
    "text", ["sk-learn", "hf_hub", "AKIAshort", "task-force-of-2024"]
)
def test_a_word_like_the_beginning_of_a_key_passes(text: str) -> None:
    assert as_prompt(text, "text") == text
