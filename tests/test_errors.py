import inspect
import re
import shlex
from pathlib import PurePath

import pytest

from h2o_magic import errors
from h2o_magic.errors import (
    BackendError,
    ConfigurationError,
    DemoWeightsWarning,
    GenerationError,
    H2OMagicError,
    MissingExtraError,
    MisuseError,
    RateLimitedError,
    StatusError,
    StoreError,
    did_you_mean,
    expect,
    nearest,
)


def drawn_tree() -> dict[str, str | None]:
    """Return each class that the docstring draws, with the one it hangs from."""
    tree: dict[str, str | None] = {}
    path: list[str] = []
    for line in inspect.getdoc(errors).splitlines():
        match = re.match(r"    ([│├└─ ]*)(\w+Error)\b", line)
        if match:
            depth = len(match[1]) // 4
            path[depth:] = [match[2]]
            tree[match[2]] = path[depth - 1] if depth else None
    return tree


def test_the_tree_is_the_one_drawn_in_the_docstring() -> None:
    defined = {
        name: cls
        for name, cls in inspect.getmembers(errors, inspect.isclass)
        if cls.__module__ == errors.__name__ and not issubclass(cls, Warning)
    }
    assert drawn_tree() == {
        name: None if cls.__base__ is Exception else cls.__bases__[0].__name__
        for name, cls in defined.items()
    }


def test_the_warning_is_a_user_warning_and_no_error_of_the_tree() -> None:
    assert DemoWeightsWarning.__bases__ == (UserWarning,)


@pytest.mark.parametrize("name", drawn_tree())
def test_every_error_is_caught_as_h2o_magic_error(name: str) -> None:
    assert issubclass(getattr(errors, name), H2OMagicError)


def test_misuse_is_a_runtime_error_and_no_other_branch_is() -> None:
    assert issubclass(MisuseError, RuntimeError)
    assert not issubclass(ConfigurationError, RuntimeError)
    assert not issubclass(BackendError, RuntimeError)


@pytest.mark.parametrize(
    ("extra", "packages"),
    [
        (
            "local",
            {"aiohttp", "huggingface-hub", "prometheus-client", "psutil", "xllamacpp"},
        ),
        ("images", {"pillow", "pypdf"}),
        ("json", {"jsonschema"}),
        ("keyring", {"keyring"}),
    ],
)
def test_a_missing_extra_says_which_packages_to_install(
    extra: str, packages: set[str]
) -> None:
    purpose, _, command = str(MissingExtraError("this", extra)).partition(": run ")
    assert purpose == "this needs packages that are not installed"
    assert command.startswith("`pip install ")
    assert command.endswith("`")
    words = shlex.split(command.strip("`"))[2:]
    assert {re.split("[<>=]", word)[0] for word in words} == packages
    # A shell takes < and > for its own, where they stand outside quotes.
    assert not set("<>=") & set(re.sub('"[^"]*"', "", command))


def test_a_missing_extra_needs_nothing_of_ours_from_a_package_index() -> None:
    for extra in ("local", "json", "keyring", "lab"):
        assert "h2o-magic" not in str(MissingExtraError("this", extra))


def test_a_backend_error_carries_the_text_that_had_arrived() -> None:
    assert BackendError("lost", partial="Once upon").partial == "Once upon"
    assert BackendError("lost").partial == ""


def test_a_status_error_carries_the_status_and_the_servers_words() -> None:
    error = StatusError("failed", status=502, server_message="bad gateway", partial="a")
    assert (error.status, error.server_message) == (502, "bad gateway")
    assert (str(error), error.partial) == ("failed", "a")


def test_a_rate_limit_carries_the_seconds_to_wait() -> None:
    error = RateLimitedError("slow down", retry_after=2.5)
    assert (error.status, error.retry_after) == (429, 2.5)
    assert RateLimitedError("slow down").retry_after is None


def test_a_generation_error_carries_the_servers_class_of_it() -> None:
    error = GenerationError("too long", error_type="validation", partial="a")
    assert (error.error_type, error.partial) == ("validation", "a")
    assert GenerationError("too long").error_type == ""


def test_a_store_error_says_what_happened_and_what_to_do() -> None:
    error = StoreError("the disk is full", "make room")
    assert (error.what, error.remedy, error.readable) == (
        "the disk is full",
        "make room",
        True,
    )
    assert str(error) == "the disk is full: make room"


# Hints for unknown names

KNOWN = ["temperature", "top_p", "max_new_tokens"]


@pytest.mark.parametrize(
    ("given", "meant"),
    [
        ("temprature", "temperature"),
        ("Temperature", "temperature"),
        ("top-p", "top_p"),
        ("max_tokens", "max_new_tokens"),
        ("maxNewTokens", "max_new_tokens"),
    ],
)
def test_a_mistyped_name_names_the_nearest(given: str, meant: str) -> None:
    assert did_you_mean(given, KNOWN) == f"did you mean {meant!r}?"


COMMANDS = [
    *("ask", "retry", "fix", "panel", "history", "show", "answers", "undo", "redo"),
    *("drop", "reset", "export", "import", "threads", "thread", "fork", "status"),
    *("connect", "alias", "preset", "models", "pull", "rm", "help", "version"),
]
OPTIONS = [
    *("--model", "--system", "--temperature", "--top-p", "--top-k", "--stop", "--new"),
    *("--max-new-tokens", "--max-turns", "--no-history", "--min-p", "--seed", "--as"),
]
NAMES = ["ne", "T", "at", "pop", "columns", "values", "sort_values", "sort_index"]


@pytest.mark.parametrize(
    ("typed", "known", "meant"),
    [
        ("histroy", COMMANDS, ["history"]),
        ("conect", COMMANDS, ["connect"]),
        ("stauts", COMMANDS, ["status"]),
        ("Models", COMMANDS, ["models"]),
        ("modle", COMMANDS, ["models"]),
        ("thr", COMMANDS, ["threads", "thread"]),
        ("thraed", COMMANDS, ["thread"]),
        ("re", COMMANDS, []),
        ("mr", COMMANDS, ["rm"]),
        ("hist", COMMANDS, ["history"]),
        ("exprot", COMMANDS, ["export"]),
        ("undoo", COMMANDS, ["undo"]),
        ("--tempp", OPTIONS, ["--temperature"]),
        ("--temp", OPTIONS, ["--temperature"]),
        ("--temperature0.5", OPTIONS, ["--temperature"]),
        ("--Model", OPTIONS, ["--model"]),
        ("-model", OPTIONS, ["--model"]),
        ("--modell", OPTIONS, ["--model"]),
        ("--max_tokens", OPTIONS, ["--max-new-tokens"]),
        ("--maxTokens", OPTIONS, ["--max-new-tokens"]),
        ("--history", OPTIONS, ["--no-history"]),
        ("--max", OPTIONS, ["--max-new-tokens", "--max-turns"]),
        ("--topk", OPTIONS, ["--top-k"]),
        ("colums", NAMES, ["columns"]),
        ("column", NAMES, ["columns"]),
        ("t", NAMES, ["T"]),
        ("ta", NAMES, ["at"]),
        ("en", NAMES, ["ne"]),
        ("sort", NAMES, ["sort_values", "sort_index"]),
        ("price", ["unit_price", "city"], ["unit_price"]),
        ("item", [f"item{n}" for n in range(9)], ["item0", "item1", "item2"]),
        ("_lenght", ["_length", "__len__"], ["_length"]),
        # Nothing is near.
        ("nonsense", COMMANDS, []),
        ("hello", COMMANDS, []),
        ("quit", COMMANDS, []),
        ("exit", COMMANDS, []),
        ("clear", COMMANDS, []),
        ("list", COMMANDS, []),
        ("stop", COMMANDS, []),
        ("what", COMMANDS, []),
        ("how", COMMANDS, []),
        ("explain", COMMANDS, []),
        ("summarize", COMMANDS, []),
        ("r", COMMANDS, []),
        ("xy", COMMANDS, []),
        ("ms", COMMANDS, []),
        ("--verbose", OPTIONS, []),
        ("--x", OPTIONS, []),
        ("--a", OPTIONS, []),
        ("--", OPTIONS, []),
        ("--logprobs", OPTIONS, []),
        ("nope", NAMES, []),
        ("n", NAMES, []),
        ("nee", NAMES, []),
        ("foo", NAMES, []),
        ("top", NAMES, []),
        ("init", ["__init__", "_init"], []),
        ("__int__", ["__init__", "__repr__"], []),
        ("mean", ["median", "mode"], []),
        ("", NAMES, []),
    ],
)
def test_only_what_is_near_is_guessed_three_names_at_most(
    typed: str, known: list[str], meant: list[str]
) -> None:
    assert nearest(typed, known) == meant


def test_several_that_are_as_near_are_all_named() -> None:
    assert did_you_mean("sort", NAMES) == "did you mean 'sort_values' or 'sort_index'?"
    assert did_you_mean("item", [f"item{n}" for n in range(9)]) == (
        "did you mean 'item0', 'item1' or 'item2'?"
    )


def test_the_nearest_is_spelt_as_it_is_known() -> None:
    assert did_you_mean("max_new_token", ["Max-New-Tokens"]) == (
        "did you mean 'Max-New-Tokens'?"
    )


def test_a_name_like_no_other_lists_all_in_order() -> None:
    assert did_you_mean("zzz", KNOWN) == "known: max_new_tokens, temperature, top_p"


@pytest.mark.parametrize("name", ["", "-", "é", "x" * 10_000])
def test_any_text_gets_an_answer(name: str) -> None:
    assert did_you_mean(name, KNOWN).startswith("known: ")


def test_the_known_names_may_come_from_an_iterator() -> None:
    assert did_you_mean("zzz", iter(["b", "a"])) == "known: a, b"


def test_the_dashes_that_all_options_share_do_not_count_as_likeness() -> None:
    options = ["--system", "--stop", "--temperature"]
    assert did_you_mean("--temp", options) == "did you mean '--temperature'?"
    assert did_you_mean("--zzz", options).startswith("known: ")


# Types of arguments


@pytest.mark.parametrize(
    ("value", "kind"), [(3, int), ("a", str), (PurePath("a"), str | PurePath)]
)
def test_what_is_expected_passes(value: object, kind: type) -> None:
    expect("a thing", value, kind)


@pytest.mark.parametrize(
    ("value", "kind", "said"),
    [
        (1.5, int, "expected a thing (int), got float"),
        (True, int, "expected a thing (int), got bool"),
        (None, str, "expected a thing (str), got NoneType"),
        (3, str | PurePath, "expected a thing (str | pathlib.PurePath), got int"),
    ],
)
def test_what_is_not_is_refused_in_one_line(
    value: object, kind: type, said: str
) -> None:
    with pytest.raises(ConfigurationError) as caught:
        expect("a thing", value, kind)
    assert str(caught.value).replace("._local", "") == said


def test_nothing_passes_where_it_may() -> None:
    expect("a thing", None, int, optional=True)
