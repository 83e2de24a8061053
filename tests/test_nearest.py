import pytest

from h2o_magic.errors import did_you_mean

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
