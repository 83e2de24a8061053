import math
import numbers
from collections.abc import Callable
from decimal import Decimal
from fractions import Fraction

import pytest

from h2o_magic.backends.openai.flavour import ENGINES
from h2o_magic.config.parameter import Parameter, Value
from h2o_magic.config.parameters import (
    CHAT_PARAMETERS,
    DEFAULT_LENGTH,
    PARAMETERS,
    checked,
    resolve,
)
from h2o_magic.errors import ParameterError

Check = Callable[[dict[str, object]], dict[str, Value]]

ALL = list(PARAMETERS.values())
FLOATS = [p for p in ALL if p.kind is float]
WHOLES = [p for p in ALL if p.kind is int]
SWITCHES = [p for p in ALL if p.kind is bool]
NUMBERS = FLOATS + WHOLES


@numbers.Integral.register
class Whole:
    """A whole number of another library, as numpy.int64 is one."""

    def __init__(self, value: int) -> None:
        self.value = value

    def __int__(self) -> int:
        return self.value

    def __float__(self) -> float:
        return float(self.value)


@numbers.Real.register
class Single:
    """A number of another library, as numpy.float32 is one."""

    def __init__(self, value: float) -> None:
        self.value = value

    def __float__(self) -> float:
        return self.value


def by_name(parameter: Parameter) -> str:
    return parameter.name


def names_it(parameter: Parameter) -> str:
    return f"^`{parameter.name}` must be "


# The table


def test_the_table_holds_what_a_question_can_be_given() -> None:
    assert list(PARAMETERS) == [
        "temperature",
        "top_p",
        "top_k",
        "min_p",
        "typical_p",
        "repetition_penalty",
        "frequency_penalty",
        "presence_penalty",
        "max_new_tokens",
        "truncate",
        "do_sample",
        "seed",
        "stop",
        "reasoning_effort",
        "return_full_text",
        "extra",
    ]


def test_what_the_gpt_gm_client_knew_is_told_to_its_servers_by_its_name() -> None:
    told = [p.gptgm for p in ALL if p.gptgm]
    assert told == [
        "temperature",
        "top_p",
        "top_k",
        "typical_p",
        "repetition_penalty",
        "max_new_tokens",
        "truncate",
        "do_sample",
        "seed",
        "stop",
        "return_full_text",
    ]
    assert [p.name for p in ALL if p.gptgm_only] == ["truncate", "return_full_text"]


def test_only_known_servers_have_a_column() -> None:
    named = {flavour for parameter in ALL for flavour in parameter.servers}
    assert named <= {"standard", *ENGINES}


@pytest.mark.parametrize("parameter", ALL, ids=by_name)
def test_a_parameter_has_a_known_kind_a_sentence_of_help_and_a_rule(
    parameter: Parameter,
) -> None:
    assert parameter.kind in (float, int, bool, str, tuple, dict)
    assert bool(parameter.choices) is (parameter.kind is str)
    assert parameter.help[0].isupper()
    assert parameter.help.endswith(".")
    assert parameter.rule.startswith("must be ")


def test_a_question_of_a_conversation_takes_all_but_two_of_gpt_gm() -> None:
    assert list(CHAT_PARAMETERS) == [
        name for name in PARAMETERS if name not in ("truncate", "return_full_text")
    ]


@pytest.mark.parametrize("parameter", ALL, ids=by_name)
def test_a_default_of_the_service_passes_its_own_check(parameter: Parameter) -> None:
    default = parameter.service_default
    if default is not None:
        assert parameter.check(default) == default
        assert type(parameter.check(default)) is parameter.kind


def test_an_option_is_the_name_with_dashes() -> None:
    assert PARAMETERS["max_new_tokens"].option == "--max-new-tokens"
    assert len({p.option for p in ALL}) == len(ALL)


# Types


@pytest.mark.parametrize("parameter", NUMBERS, ids=by_name)
@pytest.mark.parametrize("value", [True, False])
def test_a_bool_is_not_taken_for_a_number(parameter: Parameter, value: bool) -> None:
    with pytest.raises(ParameterError, match=names_it(parameter)):
        parameter.check(value)


@pytest.mark.parametrize("parameter", NUMBERS, ids=by_name)
@pytest.mark.parametrize("value", ["0.5", "1", "", [1], 1j, b"1"])
def test_only_a_number_is_taken_for_a_number(
    parameter: Parameter, value: object
) -> None:
    with pytest.raises(ParameterError, match=names_it(parameter)):
        parameter.check(value)


@pytest.mark.parametrize("parameter", NUMBERS, ids=by_name)
@pytest.mark.parametrize("value", [math.nan, math.inf, -math.inf, Single(math.nan)])
def test_what_json_cannot_write_is_refused(parameter: Parameter, value: float) -> None:
    with pytest.raises(ParameterError, match=names_it(parameter)):
        parameter.check(value)


@pytest.mark.parametrize("parameter", FLOATS, ids=by_name)
@pytest.mark.parametrize("value", [0.5, Fraction(1, 2), Single(0.5)])
def test_a_number_of_another_library_becomes_a_plain_float(
    parameter: Parameter, value: object
) -> None:
    assert parameter.check(value) == 0.5
    assert type(parameter.check(value)) is float


@pytest.mark.parametrize("value", [2, Whole(2)])
def test_a_whole_number_is_taken_for_a_float(value: object) -> None:
    taken = PARAMETERS["temperature"].check(value)
    assert (taken, type(taken)) == (2.0, float)


@pytest.mark.parametrize("parameter", WHOLES, ids=by_name)
def test_a_whole_number_of_another_library_becomes_a_plain_int(
    parameter: Parameter,
) -> None:
    assert parameter.check(Whole(7)) == 7
    assert type(parameter.check(Whole(7))) is int


@pytest.mark.parametrize("parameter", WHOLES, ids=by_name)
@pytest.mark.parametrize("value", [1.0, 1.5, Fraction(4, 2), Single(1.0)])
def test_a_float_is_not_taken_for_a_whole_number(
    parameter: Parameter, value: object
) -> None:
    with pytest.raises(ParameterError, match=names_it(parameter)):
        parameter.check(value)


@pytest.mark.parametrize("parameter", FLOATS, ids=by_name)
@pytest.mark.parametrize(
    "value",
    [10**400, Fraction(10**400), -(10**400)],
    ids=["huge", "huge-fraction", "hugely-negative"],
)
def test_a_number_too_large_for_a_float_is_refused(
    parameter: Parameter, value: object
) -> None:
    with pytest.raises(ParameterError, match=names_it(parameter)):
        parameter.check(value)


def test_a_decimal_is_refused_since_it_is_no_real_number_to_python() -> None:
    with pytest.raises(ParameterError, match="`temperature` must be a number"):
        PARAMETERS["temperature"].check(Decimal("0.5"))


@pytest.mark.parametrize("parameter", SWITCHES, ids=by_name)
@pytest.mark.parametrize("value", [True, False])
def test_a_switch_takes_a_bool(parameter: Parameter, value: bool) -> None:
    assert parameter.check(value) is value


@pytest.mark.parametrize("parameter", SWITCHES, ids=by_name)
@pytest.mark.parametrize("value", [0, 1, "true", "", [], 1.0])
def test_a_switch_takes_nothing_else(parameter: Parameter, value: object) -> None:
    with pytest.raises(ParameterError, match=names_it(parameter)):
        parameter.check(value)


@pytest.mark.parametrize(
    ("value", "texts"),
    [
        ("END", ("END",)),
        (["a", "b"], ("a", "b")),
        (("\n",), ("\n",)),
        (["a", "b", "c", "d"], ("a", "b", "c", "d")),
        ([], ()),
    ],
)
def test_stop_takes_one_text_or_up_to_four(
    value: object, texts: tuple[str, ...]
) -> None:
    assert PARAMETERS["stop"].check(value) == texts


@pytest.mark.parametrize("value", ["", [""], ["a", 1], 1, list("abcde"), {"a"}])
def test_stop_takes_nothing_else(value: object) -> None:
    with pytest.raises(ParameterError, match=names_it(PARAMETERS["stop"])):
        PARAMETERS["stop"].check(value)


def test_a_checked_list_is_not_the_callers() -> None:
    given = ["a"]
    taken = PARAMETERS["stop"].check(given)
    given.append("b")
    assert taken == ("a",)


@pytest.mark.parametrize("value", [{}, {"any": 1}, {"a": {"b": [None, 0.5, "c"]}}])
def test_extra_takes_a_json_object_and_copies_it(value: dict[str, object]) -> None:
    taken = PARAMETERS["extra"].check(value)
    assert taken == value
    value["more"] = 1
    assert taken != value


@pytest.mark.parametrize(
    "value",
    [
        "any",
        '{"a": 1}',
        1,
        ["a"],
        {1: 2},
        {"a": math.nan},
        {"a": {1, 2}},
        {"\ud800": 1},
    ],
)
def test_extra_takes_nothing_else(value: object) -> None:
    with pytest.raises(ParameterError, match=r"^`extra` must be a JSON object, "):
        PARAMETERS["extra"].check(value)


def test_an_effort_that_is_none_of_the_known_names_the_nearest() -> None:
    row = PARAMETERS["reasoning_effort"]
    assert [row.check(effort) for effort in row.choices] == list(row.choices)
    with pytest.raises(ParameterError) as caught:
        row.check("hihg")
    assert str(caught.value) == (
        "`reasoning_effort` must be one of none, minimal, low, medium, high, xhigh, "
        "got 'hihg': did you mean 'high'?"
    )


# Ranges and messages

TEMPERATURE = (
    "`temperature` must be a number, 0 or above (0 always takes the most likely token)"
)


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("temperature", 0),
        ("temperature", 100),
        ("top_p", 0.001),
        ("top_p", 1),
        ("top_k", 1),
        ("top_k", 2**31 - 1),
        ("typical_p", 0.001),
        ("min_p", 0),
        ("min_p", 1),
        ("frequency_penalty", -2),
        ("presence_penalty", 2),
        ("repetition_penalty", 0.1),
        ("max_new_tokens", 1),
        ("truncate", 2**31 - 1),
        ("seed", 0),
        ("seed", 2**32 - 2),
    ],
)
def test_the_ends_of_a_range_are_in_it(name: str, value: float) -> None:
    assert PARAMETERS[name].check(value) == value


@pytest.mark.parametrize(
    ("name", "value", "said"),
    [
        (
            "temperature",
            -1e-9,
            TEMPERATURE + ", got -1e-09",
        ),
        ("top_p", 1.001, "`top_p` must be > 0.0 and <= 1.0, got 1.001"),
        ("top_p", 0, "`top_p` must be > 0.0 and <= 1.0, got 0"),
        ("top_k", 0, "`top_k` must be a whole number above 0, got 0"),
        ("top_k", "50", "`top_k` must be a whole number above 0, got '50'"),
        ("typical_p", 2, "`typical_p` must be > 0.0 and < 1.0, got 2"),
        ("min_p", -0.1, "`min_p` must be a number from 0 to 1, got -0.1"),
        (
            "presence_penalty",
            2.1,
            "`presence_penalty` must be a number from -2 to 2, got 2.1",
        ),
        (
            "repetition_penalty",
            -0.5,
            "`repetition_penalty` must be a number above 0, got -0.5",
        ),
        (
            "max_new_tokens",
            True,
            "`max_new_tokens` must be a whole number above 0, got True",
        ),
        ("truncate", 2.5, "`truncate` must be a whole number above 0, got 2.5"),
        ("do_sample", "yes", "`do_sample` must be true or false, got 'yes'"),
        ("seed", -1, "`seed` must be a whole number from 0 to 4294967294, got -1"),
        (
            "seed",
            2**32 - 1,
            "`seed` must be a whole number from 0 to 4294967294, got 4294967295",
        ),
        (
            "stop",
            ["a", ""],
            "`stop` must be at most 4 texts, none empty, got ['a', '']",
        ),
        (
            "return_full_text",
            1,
            "`return_full_text` must be true or false, got 1",
        ),
    ],
)
def test_a_refusal_says_what_was_expected_and_what_came(
    name: str, value: object, said: str
) -> None:
    with pytest.raises(ParameterError) as caught:
        PARAMETERS[name].check(value)
    assert str(caught.value) == said


@pytest.mark.parametrize("name", ["top_k", "max_new_tokens", "truncate"])
def test_a_number_past_the_largest_is_refused(name: str) -> None:
    with pytest.raises(ParameterError, match=f"^`{name}` "):
        PARAMETERS[name].check(2**31)


# What was set


def test_what_nobody_set_is_not_there() -> None:
    assert checked({}) == {}
    assert checked(dict.fromkeys(PARAMETERS)) == {}
    assert checked({"seed": 0, "stop": None}) == {"seed": 0}


@pytest.mark.parametrize("greedy", [{}, {"do_sample": False}, {"do_sample": None}])
def test_a_temperature_of_0_is_kept_as_what_was_set(greedy: dict[str, object]) -> None:
    given = {"temperature": 0, "top_p": 1, "seed": 3, **greedy}
    taken = {name: value for name, value in greedy.items() if value is not None}
    assert checked(given) == {"temperature": 0.0, "top_p": 1.0, "seed": 3, **taken}


@pytest.mark.parametrize("check", [checked, resolve])
def test_a_temperature_of_0_and_sampling_contradict_each_other(
    check: Check,
) -> None:
    with pytest.raises(ParameterError) as caught:
        check({"temperature": 0, "do_sample": True})
    assert str(caught.value) == (
        "`temperature` 0 (no sampling) contradicts `do_sample` true: leave one out"
    )


# What is sent to the gpt-gm service


def test_what_is_not_given_has_the_services_default_or_is_left_out() -> None:
    assert DEFAULT_LENGTH == 1024
    assert resolve({}) == {
        "temperature": 0.4,
        "repetition_penalty": 1.2,
        "max_new_tokens": 1024,
        "truncate": 2048,
        "do_sample": True,
        "return_full_text": False,
    }


def test_a_temperature_of_0_is_told_to_the_service_as_no_sampling() -> None:
    sent = resolve({"temperature": 0, "top_p": 0.9, "top_k": 5, "typical_p": 0.5})
    assert sent == {
        "repetition_penalty": 1.2,
        "max_new_tokens": 1024,
        "truncate": 2048,
        "do_sample": False,
        "return_full_text": False,
    }


@pytest.mark.parametrize("name", ["min_p", "reasoning_effort", "extra"])
def test_what_the_service_has_no_word_for_is_refused(name: str) -> None:
    value = {"min_p": 0.1, "reasoning_effort": "low", "extra": {"any": 1}}[name]
    with pytest.raises(ParameterError, match=f"^`{name}` cannot be sent to a gpt-gm"):
        resolve({name: value})
    assert resolve({name: None}) == resolve({})


def test_a_top_p_of_1_is_not_told_to_the_service_which_has_no_word_for_it() -> None:
    assert resolve({"top_p": 1}) == resolve({})


@pytest.mark.parametrize("check", [checked, resolve])
def test_given_values_come_in_the_tables_order(check: Check) -> None:
    resolved = check({"stop": "END", "top_k": 5, "temperature": 1})
    assert list(resolved) == [name for name in PARAMETERS if name in resolved]
    assert (resolved["stop"], resolved["top_k"]) == (("END",), 5)
    assert resolved["temperature"] == 1.0


@pytest.mark.parametrize("parameter", ALL, ids=by_name)
def test_none_leaves_a_parameter_to_the_server(parameter: Parameter) -> None:
    assert parameter.name not in resolve({parameter.name: None})


@pytest.mark.parametrize("check", [checked, resolve])
def test_an_unknown_name_names_the_nearest(check: Check) -> None:
    with pytest.raises(ParameterError) as caught:
        check({"temprature": 0.5})
    assert str(caught.value) == (
        "unknown parameter 'temprature': did you mean 'temperature'?"
    )


@pytest.mark.parametrize("check", [checked, resolve])
def test_an_unknown_name_is_refused_even_if_its_value_is_none(check: Check) -> None:
    with pytest.raises(ParameterError, match="unknown parameter 'best_of'"):
        check({"best_of": None})


@pytest.mark.parametrize("check", [checked, resolve])
def test_a_refused_value_is_named(check: Check) -> None:
    with pytest.raises(ParameterError, match=r"`top_p` must be .*, got 2$"):
        check({"top_p": 2})


@pytest.mark.parametrize("check", [checked, resolve])
def test_the_callers_mapping_is_not_changed(check: Check) -> None:
    given = {"temperature": None, "top_k": Whole(5), "stop": ["a"]}
    before = dict(given)
    check(given)
    assert given == before
    assert given["stop"] == ["a"]
