import re
from collections.abc import Callable
from typing import Any

import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

from h2o_magic.config.definitions import SETTINGS
from h2o_magic.config.models import DEFAULT_MODEL
from h2o_magic.config.parameter import Parameter
from h2o_magic.config.parameters import CHAT_PARAMETERS, PARAMETERS
from h2o_magic.config.settings import Settings, find_setting
from h2o_magic.errors import ConfigurationError, ParameterError
from tests.setting_values import ALL, accepted, each_option, each_setting, refused

# The table


def test_the_table_holds_what_can_be_set() -> None:
    assert list(SETTINGS) == [
        "model",
        "system",
        "server",
        "thread",
        "notebook",
        "max_turns",
        "context",
        "budget",
        "evaluate",
        "vision",
        "send_partial",
        "strict",
        "format",
        "reasoning",
        "replay",
        "replay_speed",
        "server_idle_minutes",
        *CHAT_PARAMETERS,
    ]


@each_setting
def test_a_setting_has_a_known_kind_and_a_sentence_of_help(setting: Parameter) -> None:
    assert setting.kind in (str, float, int, bool, tuple, dict)
    assert re.fullmatch(r"[A-Z][^\n]*\.", setting.help)
    assert bool(setting.metavar) is (setting.kind is not bool)


@each_setting
def test_a_default_passes_its_own_check(setting: Parameter) -> None:
    if setting.default is not None:
        assert setting.check(setting.default) == setting.default
    else:
        assert setting.optional


@each_setting
def test_option_and_variable_are_spellings_of_the_name(
    setting: Parameter,
) -> None:
    assert setting.variable == f"H2O_MAGIC_{setting.name.upper()}"
    dashed = setting.name.replace("_", "-")
    spelt = {"format": "--as", "evaluate": "--eval"}.get(setting.name, f"--{dashed}")
    assert setting.option in (spelt, "")


@pytest.mark.parametrize("name", ["format", "reasoning"])
def test_a_choice_refuses_what_is_none_with_the_nearest(name: str) -> None:
    setting = SETTINGS[name]
    assert setting.default == setting.choices[0]
    nearly = setting.choices[1][:-1]
    with pytest.raises(
        ConfigurationError, match=f"did you mean '{setting.choices[1]}'"
    ):
        setting.check(nearly)


def test_what_belongs_to_the_notebook_is_no_option() -> None:
    without = [setting.name for setting in ALL if not setting.option]
    assert without == ["server", "notebook", "server_idle_minutes"]


@pytest.mark.parametrize("name", CHAT_PARAMETERS)
def test_a_generation_parameter_is_as_in_its_own_table(name: str) -> None:
    setting, parameter = SETTINGS[name], PARAMETERS[name]
    for what in ("kind", "help", "unit", "option"):
        assert getattr(setting, what) == getattr(parameter, what)


@pytest.mark.parametrize("name", CHAT_PARAMETERS)
def test_a_generation_parameter_that_nobody_set_has_no_value(name: str) -> None:
    assert (SETTINGS[name].default, SETTINGS[name].optional) == (None, True)
    assert (Settings()[name], Settings().is_set(name)) == (None, False)


@pytest.mark.parametrize("name", ["truncate", "return_full_text"])
def test_what_only_gpt_gm_has_is_no_setting_and_says_where_it_belongs(
    name: str,
) -> None:
    settings = Settings()
    for use in (
        lambda: settings[name],
        lambda: settings.set(name, 1, "Python"),
        lambda: settings.merged({name: 1}),
        lambda: find_setting(name),
    ):
        with pytest.raises(ConfigurationError) as caught:
            use()
        assert str(caught.value) == (
            f"`{name}` belongs to the gpt-gm protocol and is not a setting: "
            f"`h2o_magic.create_completion(..., {name}=...)` accepts it"
        )


def test_the_defaults() -> None:
    settings = Settings()
    assert {name: settings[name] for name in SETTINGS if name not in PARAMETERS} == {
        "model": DEFAULT_MODEL,
        "system": "",
        "server": "",
        "thread": "main",
        "notebook": "",
        "max_turns": None,
        "context": 4096,
        "budget": None,
        "evaluate": False,
        "vision": None,
        "send_partial": False,
        "strict": False,
        "format": "markdown",
        "reasoning": "collapse",
        "replay": "off",
        "replay_speed": 0.0,
        "server_idle_minutes": 15.0,
    }
    assert settings.parameters() == dict.fromkeys(CHAT_PARAMETERS)


# Values

NAME_OF_A_MODEL = "must be the name of a model, without leading or trailing spaces"
NAME_OF_A_THREAD = (
    "must be a name of 1 to 60 letters, digits, spaces, '_', '.' and '-', beginning "
    "with a letter, a digit or '_'"
)
ADDRESS = (
    "expected a server address that starts with http:// or https:// and names a host"
)


@pytest.mark.parametrize(
    ("name", "value", "said"),
    [
        (
            "model",
            "",
            f"`model` {NAME_OF_A_MODEL}, got ''",
        ),
        ("system", 5, "`system` must be text, got 5"),
        (
            "thread",
            "-x",
            f"`thread` {NAME_OF_A_THREAD}, got '-x'",
        ),
        ("notebook", "a\nb", r"`notebook` must be a name on one line, got 'a\nb'"),
        (
            "max_turns",
            -1,
            "`max_turns` must be none or a whole number from 0 to 2147483647, got -1",
        ),
        (
            "context",
            255,
            "`context` must be a whole number from 256 to 2147483647, got 255",
        ),
        (
            "context",
            None,
            "`context` must be a whole number from 256 to 2147483647, got None",
        ),
        ("strict", 1, "`strict` must be true or false, got 1"),
        ("top_k", True, "`top_k` must be a whole number above 0, got True"),
        (
            "server",
            "ftp://x",
            f"`server`: {ADDRESS}, got 'ftp://x'",
        ),
    ],
)
def test_a_refusal_says_what_was_expected_and_what_came(
    name: str, value: object, said: str
) -> None:
    with pytest.raises(ConfigurationError) as caught:
        SETTINGS[name].check(value)
    assert str(caught.value) == said


@pytest.mark.parametrize(
    "name",
    [
        "",
        " a",
        "a ",
        "\ta",
        "-a",
        "a\x00",
        "a\n",
        "a\u2028b",
        "a|b",
        "`a`",
        "a*b",
        "<b>",
        "$a$",
        "x" * 61,
        5,
        None,
    ],
)
def test_what_is_no_name_of_a_thread(name: object) -> None:
    with pytest.raises(ConfigurationError, match="`thread` must be a name"):
        SETTINGS["thread"].check(name)


@pytest.mark.parametrize(
    "name", ["a", "a b", "x" * 60, "日本語", "a-b", "v1.2", "none", "é" * 60]
)
def test_what_is_a_name_of_a_thread(name: str) -> None:
    assert SETTINGS["thread"].parse(name) == name


def test_an_address_is_kept_without_a_slash_at_its_end() -> None:
    assert SETTINGS["server"].check("https://Host:8080/h2o/") == "https://host:8080/h2o"


@pytest.mark.parametrize(
    "address",
    [
        "https://user:geheim@host",
        "user:geheim@host",
        "http:user:geheim@host",
        "https://user:ge/geheim@host",
        "https://host/?token=geheim",
        "https://host/#geheim",
        ["https://user:geheim@host"],
    ],
)
def test_a_secret_in_a_refused_address_is_not_shown(address: Any) -> None:
    with pytest.raises(ConfigurationError, match="may contain a secret") as caught:
        SETTINGS["server"].check(address)
    assert "geheim" not in str(caught.value)
    assert caught.value.__cause__ is None
    assert caught.value.__suppress_context__ or caught.value.__context__ is None
    if isinstance(address, str):
        (problem,) = Settings({"H2O_MAGIC_SERVER": address}).problems
        assert "geheim" not in problem


# Texts


@pytest.mark.parametrize(
    ("name", "text", "value"),
    [
        *[("strict", text, True) for text in ("true", "True", "1", "YES", "on ")],
        *[("strict", text, False) for text in ("false", "0", "no", "Off")],
        ("do_sample", "none", None),
        ("max_turns", "None", None),
        ("max_turns", " NONE ", None),
        ("max_turns", "0", 0),
        ("temperature", "1", 1.0),
        ("system", "none", "none"),
        ("system", " a \n b ", " a \n b "),
        ("model", "none", "none"),
        ("stop", "none", None),
        ("stop", '["none"]', ("none",)),
        ("stop", '["a", "b c"]', ("a", "b c")),
        ("stop", "a, b", ("a, b",)),
        ("stop", "[INST]", ("[INST]",)),
        ("stop", "[1]", ("[1]",)),
        ("stop", "{}", ("{}",)),
        ("stop", "[]", ()),
        ("stop", "[" * 100_000, ("[" * 100_000,)),
        ("extra", '{"any": [1, null]}', {"any": [1, None]}),
        ("extra", "none", None),
        ("reasoning_effort", "none", "none"),
        ("reasoning_effort", "", None),
    ],
)
def test_the_text_of_a_variable_is_read(name: str, text: str, value: object) -> None:
    parsed = SETTINGS[name].parse(text)
    assert (parsed, type(parsed)) == (value, type(value))


@pytest.mark.parametrize("name", [s.name for s in ALL if not s.optional])
def test_none_is_no_value_where_one_is_needed(name: str) -> None:
    with pytest.raises(ConfigurationError, match=f"^`{name}`"):
        SETTINGS[name].check(None)


VALUES = {
    str: st.text(),
    bool: st.booleans(),
    int: st.integers(),
    float: st.floats() | st.floats(0, 1),
    tuple: st.lists(st.text(), max_size=5).map(tuple),
    dict: st.dictionaries(st.text(), st.none() | st.integers() | st.text()),
}


def outcome(check: Callable[[Any], object], value: object) -> tuple[object, str]:
    """Return what comes of a check: a value, or the text of a refusal."""
    try:
        return check(value), ""
    except ConfigurationError as error:
        return None, str(error)


@given(st.data(), st.sampled_from(ALL))
def test_a_value_is_read_as_it_was_written(
    data: st.DataObject, setting: Parameter
) -> None:
    drawn = data.draw(VALUES[setting.kind] | st.none())
    value, refusal = outcome(setting.check, drawn)
    assume(not refusal)
    assert setting.check(value) == value
    assert setting.parse(setting.write(value)) == value


@given(st.text() | st.from_regex(r"-?[0-9.e_]+"), st.sampled_from(ALL))
def test_any_text_is_a_value_or_refused_in_one_line(
    text: str, setting: Parameter
) -> None:
    value, refusal = outcome(setting.parse, text)
    if refusal:
        assert refusal.startswith(f"`{setting.name}`")
        assert len(refusal.splitlines()) == 1
    else:
        assert setting.check(value) == value
        assert isinstance(value, setting.kind) or value is None


# The environment


@each_setting
def test_every_settings_variable_is_read(setting: Parameter) -> None:
    value, *_ = accepted(setting)
    settings = Settings({setting.variable: setting.write(value)})
    assert settings[setting.name] == value
    assert settings.origin(setting.name) == setting.variable
    assert settings.is_set(setting.name)
    assert settings.problems == settings.unknown == ()
    others = [name for name in SETTINGS if name != setting.name]
    assert {settings.origin(name) for name in others} == {"default"}


@each_setting
def test_a_refused_variable_is_named_and_the_default_holds(setting: Parameter) -> None:
    text = setting.write(refused(setting))
    settings = Settings({setting.variable: text})
    (problem,) = settings.problems
    if setting.if_invalid is None:
        assert settings[setting.name] == setting.default
        assert settings.origin(setting.name) == "default"
        assert problem.startswith(f"{setting.variable} is ignored: `{setting.name}`")
    else:
        assert settings[setting.name] == setting.if_invalid
        said = f"{setting.variable} is taken for '{setting.if_invalid}': `"
        assert problem.startswith(said)
    assert len(problem.splitlines()) == 1


@each_setting
def test_an_empty_variable_is_one_that_is_not_set(setting: Parameter) -> None:
    settings = Settings({setting.variable: ""})
    assert settings[setting.name] == setting.default
    assert (settings.problems, settings.is_set(setting.name)) == ((), False)


def test_a_refusal_in_the_environment_says_what_was_expected() -> None:
    assert Settings({"H2O_MAGIC_TOP_P": "2"}).problems == (
        "H2O_MAGIC_TOP_P is ignored: `top_p` must be > 0.0 and <= 1.0, got 2.0",
    )


def test_a_variable_of_no_setting_is_told_with_the_nearest() -> None:
    settings = Settings(
        {
            "H2O_MAGIC_TEMPRATURE": "secret",
            "H2O_MAGIC_HOME": "/tmp",
            "H2O_MAGIC_REQUIRE_BROWSER": "1",
            "H2O_MAGIC_REQUIRE_NODE": "1",
            "H2O_MAGIC_REQUIRE_WEIGHTS": "1",
            "HOME": "/",
            "H2O_OTHER": "1",
        }
    )
    (told,) = settings.unknown
    assert told == (
        "H2O_MAGIC_TEMPRATURE is not a setting "
        "('temprature': did you mean 'temperature'?)"
    )


def test_without_an_environment_nothing_is_read(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setenv("H2O_MAGIC_MODEL", "falcon-7b")
    assert Settings()["model"] == DEFAULT_MODEL


# Setting and taking back


@each_setting
def test_a_value_that_is_set_comes_before_the_environment(setting: Parameter) -> None:
    name, (below, value, _) = setting.name, accepted(setting)
    settings = Settings({setting.variable: setting.write(below)})
    settings.set(name, value, "a test")
    assert (settings[name], settings.origin(name)) == (value, "a test")
    settings.unset(name)
    assert (settings[name], settings.origin(name)) == (below, setting.variable)
    settings.unset(name)
    assert settings[name] == below


@each_setting
def test_a_refused_value_changes_nothing(setting: Parameter) -> None:
    settings, told = Settings(), []
    settings.watch(told.append)
    with pytest.raises(ConfigurationError, match=f"^`{setting.name}`"):
        settings.set(setting.name, refused(setting))
    assert settings[setting.name] == setting.default
    assert (settings.origin(setting.name), told) == ("default", [])


def test_who_sets_without_saying_so_is_python() -> None:
    settings = Settings()
    settings.set("seed", 1)
    assert settings.origin("seed") == "Python"


def test_none_is_a_value_that_was_chosen() -> None:
    settings = Settings({"H2O_MAGIC_TEMPERATURE": "none"})
    assert settings["temperature"] is None
    assert settings.origin("temperature") == "H2O_MAGIC_TEMPERATURE"
    settings.set("max_new_tokens", None, "%config")
    assert settings.parameters()["max_new_tokens"] is None


@pytest.mark.parametrize(
    "use",
    [
        lambda settings: settings["temprature"],
        lambda settings: settings.origin("temprature"),
        lambda settings: settings.set("temprature", 1),
        lambda settings: settings.unset("temprature"),
        lambda settings: settings.merged({"temprature": 1}),
    ],
)
def test_an_unknown_name_names_the_nearest(use: Any) -> None:
    with pytest.raises(ConfigurationError) as caught:
        use(Settings())
    assert str(caught.value) == (
        "unknown setting 'temprature': did you mean 'temperature'?"
    )


def test_whoever_watches_is_told_what_has_changed_and_nothing_else() -> None:
    settings, told, seen = Settings({"H2O_MAGIC_SEED": "5"}), [], []
    settings.watch(told.append)
    settings.watch(lambda name: seen.append(settings[name]))
    settings.set("seed", 6)
    settings.set("seed", 6, "%config")
    settings.set("model", DEFAULT_MODEL)
    settings.unset("model")
    settings.unset("seed")
    assert told == ["seed", "seed"]
    assert seen == [6, 5]


# One question's options over them


@each_option
def test_an_option_comes_before_everything(setting: Parameter) -> None:
    name, (environment, config, option) = setting.name, accepted(setting)
    settings = Settings({setting.variable: setting.write(environment)})
    settings.set(name, config, "%config")
    merged = settings.merged({name: option})
    assert merged[name] == option
    assert list(merged) == list(SETTINGS)
    assert settings[name] == config
    others = {name: value for name, value in merged.items() if name != setting.name}
    assert others == {name: Settings()[name] for name in others}


@each_option
def test_a_refused_option_is_refused_in_one_line(setting: Parameter) -> None:
    with pytest.raises(ConfigurationError, match=f"^`{setting.name}`") as caught:
        Settings().merged({setting.name: refused(setting)})
    assert len(str(caught.value).splitlines()) == 1


@pytest.mark.parametrize("name", ["server", "notebook"])
def test_what_holds_for_the_notebook_is_no_option(name: str) -> None:
    with pytest.raises(ConfigurationError) as caught:
        Settings().merged({name: ""})
    assert str(caught.value) == (
        f"`{name}` applies to the notebook, not to one question: set it with "
        f"`%config H2OMagics.{name}` or H2O_MAGIC_{name.upper()}"
    )


def test_a_refused_parameter_is_a_parameter_error() -> None:
    with pytest.raises(ParameterError):
        Settings().merged({"top_p": 2})
