"""What is promised about secrets: refused with a message, with few false alarms."""

from __future__ import annotations

import os
from argparse import Namespace
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from types import MappingProxyType, SimpleNamespace
from typing import Any

import numpy as np
import pandas as pd
import polars as pl
import pydantic
import pytest

from h2o_magic.errors import ConfigurationError
from h2o_magic.prompts.secrets.guard import Guard
from h2o_magic.prompts.secrets.known import Known
from h2o_magic.prompts.secrets.names import secrecy
from h2o_magic.prompts.secrets.scan import masked
from h2o_magic.prompts.values import describe

SECRET = "hunter2"


def as_prompt(
    value: object,
    expression: str,
    environment: Mapping[str, str] = MappingProxyType({}),
    variables: Mapping[str, object] = MappingProxyType({}),
) -> str:
    guard = Guard(expression, environment, variables)
    return describe(value, expression, guard=guard).text(100_000)


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


class Slotted:
    __slots__ = ("__weakref__", "other", "token")

    def __init__(self, token: str) -> None:
        self.token = token

    def __repr__(self) -> str:
        return f"Slotted({self.token})"


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

ORDINARY_NAMES = [
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


@pytest.mark.parametrize("name", ORDINARY_NAMES)
def test_a_name_that_only_resembles_one_is_none(name: str) -> None:
    assert secrecy(name) == "no"


@pytest.mark.parametrize("name", SECRET_NAMES)
def test_a_text_under_the_name_of_a_secret_is_refused(name: str) -> None:
    with pytest.raises(ConfigurationError) as caught:
        as_prompt({"user": "ada", name: SECRET}, "account")
    message = str(caught.value)
    assert message == (
        f"`{{account}}` was not put into the prompt: its {name!r} looks like a secret; "
        "name the part you need, such as `{account['name']}`, or type it into the "
        "prompt yourself"
    )


@pytest.mark.parametrize("name", ORDINARY_NAMES)
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
    Slotted,
    lambda s: [Slotted(s)],
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
        f"`{{{expression}}}` was not put into the prompt: it looks like a secret; "
        "remove it, or type it into the prompt yourself"
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
    with pytest.raises(
        ConfigurationError, match="holds the environment of the process"
    ):
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
    with pytest.raises(
        ConfigurationError, match="holds the environment of the process"
    ):
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
    assert "it holds the environment variable" in str(caught.value)
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
    with pytest.raises(ConfigurationError, match="it holds a"):
        as_prompt(text, "text")


@pytest.mark.parametrize(
    "text", ["sk-learn", "hf_hub", "AKIAshort", "task-force-of-2024"]
)
def test_a_word_like_the_beginning_of_a_key_passes(text: str) -> None:
    assert as_prompt(text, "text") == text


# Folders and files, which are no secrets


@pytest.fixture
def at_work(tmp_path: Path) -> dict[str, str]:
    """The environment of a process in a folder of its own."""
    key = tmp_path / "key.json"
    key.touch()
    return {
        "PWD": str(tmp_path),
        "OLDPWD": str(tmp_path.parent),
        "GOOGLE_APPLICATION_CREDENTIALS": str(key),
        "SSL_CREDENTIALS": "/not/there/key.pem",
        "MY_CREDENTIALS": str(tmp_path),
    }


@pytest.mark.parametrize(
    "made",
    [
        lambda folder: folder / "data.csv",
        lambda folder: str(folder / "data.csv"),
        str,
        lambda folder: {"data": str(folder / "data.csv")},
        lambda folder: f'File "{folder}/shop.py", line 2, in price',
        lambda folder: f"reads {folder}/key.json and /not/there/key.pem",
    ],
)
def test_a_path_in_the_current_folder_is_no_secret(
    made: Callable[[Path], object], at_work: dict[str, str], tmp_path: Path
) -> None:
    variables = {"pwd": str(tmp_path), "credentials": str(tmp_path)}
    text = as_prompt(made(tmp_path), "it", environment=at_work, variables=variables)
    assert str(tmp_path) in text


def test_paths_in_a_table_are_no_secrets(
    at_work: dict[str, str], tmp_path: Path
) -> None:
    frame = pd.DataFrame({"path": [tmp_path / "a.csv", tmp_path / "b.csv"]})
    variables = {"pwd": str(tmp_path), "credentials": str(tmp_path)}
    text = as_prompt(frame, "it", environment=at_work, variables=variables)
    assert str(tmp_path)[:40] in text


def test_the_current_folder_may_be_named(tmp_path: Path) -> None:
    assert as_prompt(str(tmp_path), "os.environ['PWD']") == str(tmp_path)
    assert as_prompt(str(tmp_path), "pwd") == str(tmp_path)
    with pytest.raises(ConfigurationError):
        as_prompt(SECRET, "pwd")
    with pytest.raises(ConfigurationError):
        as_prompt({"GOOGLE_APPLICATION_CREDENTIALS": "/key.json"}, "config")


# Secrets that a text gives a name


@pytest.mark.parametrize(
    "text",
    [
        "OPENAI_API_KEY=foobarbaz1234\nDB_PASSWORD=hunter2hunter",
        "DB_PASSWORD=hunterhunter",
        "DB_PASSWORD=password123",
        "export DB_PASSWORD=hunter2hunter\n",
        "api_key = 'hunter2hunter2'",
        'def f(api_key="hunter2secretvalue"):',
        'def f(api_key: str = "hunter2secretvalue"):',
        '{"password": "hunter2!"}',
        "password: hunter2hunter",
        "password = hunter2hunter",
        "Authorization: Bearer abc123def456",
        '"Authorization": "Bearer abc123def456"',
        "https://example.org/?api_key=abc123def456&x=1",
        'os.environ["API_KEY"] = "hunter2hunter2"',
        "--api-key=abc123def456",
        "self.api_key = 'abc-def-1'",
        "hf_token = 'ab12cd34ef56ab12cd34'",
        "token=4f1c9e0a7b2d4e6f8a1b",
        'password="correct-horse-battery"',
        'password="correcthorsebatterystaple"',
        "x-api-key: 9a8b7c6d5e",
        "if password == 'hunter2!x':",
        "secret: p@ssw0rd!x",
        ["import os\nAPI_KEY=foobarbaz1234\nx"],
        ["api_key = 'hunter2hunter2'"],
        ["api_key = 'hunter2hunter2'; name = \"ada\""],
    ],
)
def test_a_secret_that_a_text_names_is_refused(text: object) -> None:
    with pytest.raises(ConfigurationError, match="looks like the secret of") as caught:
        as_prompt(text, "In[3]")
    assert "hunter2" not in str(caught.value)
    assert "['name']" not in str(caught.value)  # a text has no part that could be named


@pytest.mark.parametrize(
    "text",
    [
        "token: str",
        "password=None",
        "key = value",
        "api_key=os.environ['API_KEY']",
        'api_key=os.environ["DB_PASSWORD_2"]',
        "api_key=...",
        "api_key=<your key>",
        'api_key="<your key>"',
        "password: ***",
        'password="********"',
        "api_key=api_key",
        "f(password=password2)",
        "password: Optional[str] = None",
        'api_key: str = Field(default="")',
        "self.password = password",
        "password = self._password_1",
        "password: at least 8 characters",
        '"password": {"type": "string", "minLength": 12}',
        'password = getpass.getpass("Password: ")',
        "token = tokens[0]",
        "for token in doc: count += 1",
        '"token": "##ization"',
        'api_key="your-api-key-1234"',
        'api_key = "sk-..."',
        'api_key="sk-xxxxxxxx"',
        'f"api_key={api_key}"',
        '{"Authorization": f"Bearer {token2}"}',
        "password=%s",
        "password=$DB_PASSWORD",
        "password=${DB_PASSWORD}",
        "TOKEN=$(cat token1234.txt)",
        "tokenizer.pad_token = tokenizer.eos_token",
        "secret = secrets.token_hex(16)",
        "credentials=/home/ada/key1.json",
        "private_key = rsa.generate_private_key(65537)",
        "authorization: https://auth.example.org/v2",
        '"password": "Passwort"',
        '"password": "Enter your password 1"',
        "if password == expected1:",
        "token: 12345678",
        "session_id = session.id",
        "password_field = 'user_password'",
        "api_key=settings.API_KEY_2",
        "credentials: 2024-05-01",
        "max_tokens=1024",
        "GITHUB_TOKEN: ${{ secrets.GITHUB_TOKEN }}",
        "PWD=/home/ada/work1",
        "client = OpenAI(api_key=key1)",
        "postgres://user:password@localhost/db",
        "postgres://ada:***@db/x",
        "postgres://ada:{password}@db/x",
        "http://localhost:8888/tree?x=a@b",
    ],
)
def test_a_text_that_only_speaks_of_a_secret_passes(text: str) -> None:
    assert as_prompt(text, "text") == text


def test_a_default_in_the_source_of_a_function_is_refused() -> None:
    def ask(question: str, api_key: str = "hunter2secretvalue") -> str:
        return question + api_key

    with pytest.raises(ConfigurationError, match="the secret of api_key"):
        as_prompt(ask, "ask")


@pytest.mark.parametrize(
    "value",
    [
        "postgres://bob:hunter2pass@db/x",
        {"url": "postgres://bob:hunter2pass@db/x"},
        "redis://:hunter2@cache:6379",
    ],
)
def test_an_address_with_a_password_is_refused(value: object) -> None:
    with pytest.raises(ConfigurationError, match="an address with a password"):
        as_prompt(value, "os.environ['DATABASE_URL']")


# Secrets in variables of the notebook


VARIABLES: dict[str, object] = {
    "api_key": "hunter2-hunter2",
    "password": "swordfishes",
    "token": "##ization",
    "my_token": "ab12cd34ef56ab12cd34",
    "rows": [1, 2],
}


@pytest.mark.parametrize(
    "value", ["say hunter2-hunter2 to it", ["ab12cd34ef56ab12cd34"], "swordfishes"]
)
def test_a_secret_of_the_notebook_is_refused_wherever_it_stands(value: object) -> None:
    with pytest.raises(ConfigurationError, match="it holds the value of ") as caught:
        as_prompt(value, "it", variables=VARIABLES)
    assert "hunter2" not in str(caught.value)


@pytest.mark.parametrize("value", ["two swordfishes", "the ##ization of words"])
def test_words_that_are_values_of_such_variables_pass(value: str) -> None:
    assert as_prompt(value, "it", variables=VARIABLES) == value


# Masking


def test_masking_takes_every_secret_out_and_nothing_else() -> None:
    known = [Known("a secret", "hunter2-hunter2")]
    text = (
        "a hunter2-hunter2 b\napi_key='hunter2-hunter2'\npostgres://x:pa55w0rd@h/\n"
        "-----BEGIN PRIVATE KEY-----\nabc\n-----END PRIVATE KEY-----\nend"
    )
    assert (
        masked(text, known) == "a *** b\napi_key='***'\npostgres://x:***@h/\n***\nend"
    )
    assert "hunter2" not in repr(known)
