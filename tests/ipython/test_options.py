import re
import shlex
from collections.abc import Callable
from typing import Any

import pytest

from h2o_magic.config.definitions import SETTINGS
from h2o_magic.config.parameter import Parameter
from h2o_magic.config.parameters import CHAT_PARAMETERS, PARAMETERS
from h2o_magic.config.settings import Settings
from h2o_magic.errors import ConfigurationError, ParameterError
from h2o_magic.ipython.options import (
    AskOptions,
    help_rows,
    help_text,
    parse_ask,
    parse_cell_line,
    parse_words,
)
from tests.setting_values import WITH_OPTION, accepted, each_option, refused

# Options


@pytest.mark.parametrize(
    ("line", "options"),
    [
        ("", AskOptions()),
        ("   ", AskOptions()),
        ("--model falcon-7b", AskOptions({"model": "falcon-7b"})),
        ("-m falcon-7b", AskOptions({"model": "falcon-7b"})),
        ("--model=falcon-7b", AskOptions({"model": "falcon-7b"})),
        ("--system 'Be brief.'", AskOptions({"system": "Be brief."})),
        ('-s "Don\'t guess."', AskOptions({"system": "Don't guess."})),
        ('--system=""', AskOptions({"system": ""})),
        ("--strict", AskOptions({"strict": True})),
        ("--no-strict", AskOptions({"strict": False})),
        ("--stream", AskOptions(live=True)),
        ("--no-stream", AskOptions(live=False)),
        ("--help", AskOptions(help=True)),
        ("-h", AskOptions(help=True)),
        ("--temperature 0.7", AskOptions({"temperature": 0.7})),
        ("--temperature=1", AskOptions({"temperature": 1.0})),
        ("--temperature 0", AskOptions({"temperature": 0.0})),
        ("--top-p 0.9", AskOptions({"top_p": 0.9})),
        ("--top-p 1", AskOptions({"top_p": 1.0})),
        ("--top-k 40", AskOptions({"top_k": 40})),
        ("--typical-p 0.95", AskOptions({"typical_p": 0.95})),
        ("--repetition-penalty 1.1", AskOptions({"repetition_penalty": 1.1})),
        ("--max-new-tokens 64", AskOptions({"max_new_tokens": 64})),
        ("--do-sample", AskOptions({"do_sample": True})),
        ("--no-do-sample", AskOptions({"do_sample": False})),
        ("--seed 0", AskOptions({"seed": 0})),
        ("--stop END", AskOptions({"stop": ("END",)})),
        ("--stop a --stop 'b c'", AskOptions({"stop": ("a", "b c")})),
        ("--stop a --stop none", AskOptions({"stop": ("a", "none")})),
        ("""--stop '["a", "b"]'""", AskOptions({"stop": ("a", "b")})),
        ("--stop none", AskOptions({"stop": None})),
        ("--temperature none", AskOptions({"temperature": None})),
        ("--thread 'side talk'", AskOptions({"thread": "side talk"})),
        ("--max-turns 0", AskOptions({"max_turns": 0})),
        ("--max-turns none", AskOptions({"max_turns": None})),
        ("--context 8192", AskOptions({"context": 8192})),
        ("--send-partial", AskOptions({"send_partial": True})),
        ("--no-send-partial", AskOptions({"send_partial": False})),
        ("--no-history", AskOptions(history=False)),
        ("--new", AskOptions(new=True)),
        ("--new --thread x", AskOptions({"thread": "x"}, new=True)),
        ("-m a --seed 1 -m b", AskOptions({"seed": 1, "model": "b"})),
    ],
)
def test_an_option_has_its_effect_in_a_cell_and_on_a_line(
    line: str, options: AskOptions
) -> None:
    assert parse_cell_line(line) == options
    assert parse_ask(f"{line} Why?") == (options, "Why?")


def test_the_values_are_of_the_parameters_type() -> None:
    values = parse_cell_line("--temperature 1 --top-k 2 --stop a").settings
    assert [type(value) for value in values.values()] == [float, int, tuple]


def given(setting: Parameter, value: Any) -> str:
    """Return the option that gives a setting this value."""
    if setting.kind is bool:
        return setting.option if value else f"--no-{setting.option[2:]}"
    return f"{setting.option}={shlex.quote(setting.write(value))}"


@each_option
def test_every_setting_of_a_question_has_an_option(setting: Parameter) -> None:
    for value in accepted(setting):
        options = parse_cell_line(given(setting, value))
        assert options == AskOptions({setting.name: value})


@each_option
def test_what_was_not_given_is_not_in_the_options(setting: Parameter) -> None:
    assert setting.name not in parse_cell_line("").settings


@each_option
def test_an_option_comes_before_what_is_set(setting: Parameter) -> None:
    environment, config, option = accepted(setting)
    settings = Settings({setting.variable: setting.write(environment)})
    settings.set(setting.name, config, "%config")
    options = parse_cell_line(given(setting, option))
    assert settings.merged(options.settings)[setting.name] == option


# Refusals

SEE_HELP = " (`%%h2o --help` lists all options)"


@pytest.mark.parametrize("parse", [parse_cell_line, parse_ask])
@pytest.mark.parametrize(
    ("line", "said"),
    [
        (
            "--temprature 1",
            "%%h2o: unknown option --temprature: did you mean '--temperature'?",
        ),
        (
            "--max_new_tokens 5",
            "%%h2o: unknown option --max_new_tokens: did you mean '--max-new-tokens'?",
        ),
        (
            "--max-tokens=5",
            "%%h2o: unknown option --max-tokens: did you mean '--max-new-tokens'?",
        ),
        ("--temp 1", "%%h2o: unknown option --temp: did you mean '--temperature'?"),
        (
            "--model",
            "%%h2o: argument -m/--model: expected one argument" + SEE_HELP,
        ),
        (
            "--strict=yes",
            "%%h2o: argument --strict/--no-strict: ignored explicit argument 'yes'"
            + SEE_HELP,
        ),
        (
            "--top-p 1.1",
            "%%h2o --top-p: `top_p` must be > 0.0 and <= 1.0, got 1.1",
        ),
        (
            "--top-k many",
            "%%h2o --top-k: `top_k` must be a whole number above 0, got 'many'",
        ),
        (
            "--seed -1",
            "%%h2o --seed: `seed` must be a whole number from 0 to 4294967294, got -1",
        ),
        (
            "--stop ''",
            f"%%h2o --stop: `stop` {PARAMETERS['stop'].rule}, got ['']",
        ),
        (
            "--stop a --stop ''",
            f"%%h2o --stop: `stop` {PARAMETERS['stop'].rule}, got ['a', '']",
        ),
        (
            "--max-turns=-1",
            (
                "%%h2o --max-turns: `max_turns` must be none or a whole number "
                "from 0 to 2147483647, got -1"
            ),
        ),
        (
            "--context none",
            (
                "%%h2o --context: `context` must be a whole number from 256 to "
                "2147483647, got 'none'"
            ),
        ),
        (
            "--model ''",
            (
                "%%h2o --model: `model` must be the name of a model, without leading "
                "or trailing spaces, got ''"
            ),
        ),
        (
            "--max-turn 4",
            "%%h2o: unknown option --max-turn: did you mean '--max-turns'?",
        ),
        (
            "--history",
            "%%h2o: unknown option --history: did you mean '--no-history'?",
        ),
        (
            "--new --no-history",
            "%%h2o: argument --no-history: not allowed with argument --new" + SEE_HELP,
        ),
        (
            "--server=https://host",
            (
                "`server` applies to the notebook, not to one question: set it with "
                "`%config H2OMagics.server` or H2O_MAGIC_SERVER"
            ),
        ),
        (
            "--truncate 1000",
            (
                "`truncate` belongs to the gpt-gm protocol and is not a setting: "
                "`h2o_magic.create_completion(..., truncate=...)` accepts it"
            ),
        ),
        (
            "--return-full-text",
            (
                "`return_full_text` belongs to the gpt-gm protocol and is not a "
                "setting: `h2o_magic.create_completion(..., return_full_text=...)` "
                "accepts it"
            ),
        ),
        (
            "--no-return-full-text",
            (
                "`return_full_text` belongs to the gpt-gm protocol and is not a "
                "setting: `h2o_magic.create_completion(..., return_full_text=...)` "
                "accepts it"
            ),
        ),
    ],
)
def test_a_refusal_says_what_was_expected(
    parse: Callable[[str], object], line: str, said: str
) -> None:
    with pytest.raises(ConfigurationError) as caught:
        parse(line)
    assert str(caught.value) == said


@each_option
def test_a_refused_value_is_refused_in_one_line_that_names_the_option(
    setting: Parameter,
) -> None:
    text = setting.write(refused(setting))
    with pytest.raises(ConfigurationError) as caught:
        parse_cell_line(f"{setting.option}={shlex.quote(text)}")
    said = str(caught.value)
    assert said.startswith("%%h2o")
    assert setting.option in said
    assert len(said.splitlines()) == 1


def test_five_stop_texts_are_refused() -> None:
    with pytest.raises(ParameterError, match="at most 4 texts"):
        parse_cell_line(" ".join(f"--stop {c}" for c in "abcde"))


@pytest.mark.parametrize("value", ["nan", "inf", "-inf", "1e999", "-0.1", "-1", "''"])
def test_no_temperature_that_json_or_a_server_refuses(value: str) -> None:
    with pytest.raises(ParameterError, match="`temperature` must be a number, 0 or ab"):
        parse_cell_line(f"--temperature={value}")


@pytest.mark.parametrize("line", ["--system 'Be brief.", '--model "x', '"Hi'])
def test_an_open_quote_is_explained(line: str) -> None:
    with pytest.raises(ConfigurationError) as caught:
        parse_ask(line if line.startswith("-") else f"--system {line}")
    said = str(caught.value)
    assert said.startswith("%%h2o: cannot read ")
    assert said.endswith(
        "(no closing quotation): put text that contains a quote in quotes of the other "
        "kind"
    )


def test_a_question_on_the_cells_first_line_is_sent_below() -> None:
    with pytest.raises(ConfigurationError) as caught:
        parse_cell_line("--seed 1 Why is the sky blue?")
    assert str(caught.value) == (
        "%%h2o: expected options, got 'Why': put the question on the lines below "
        "(`--model NAME` selects a model, `%h2o help` lists the commands)"
    )


@pytest.mark.parametrize(
    "line", ["what's up", "ask", "-1 plus 2", "--5", "'tis", "“Why”"]
)
def test_text_on_the_cells_first_line_is_sent_below(line: str) -> None:
    with pytest.raises(ConfigurationError) as caught:
        parse_cell_line(line)
    first = line.split(maxsplit=1)[0]
    assert f"expected options, got {first!r}: put the question on" in str(caught.value)


def test_a_dash_that_a_word_processor_made_long_is_told() -> None:
    with pytest.raises(ConfigurationError, match="did you mean '--model'"):
        parse_cell_line("\u2014model falcon-7b")


def test_two_dashes_on_the_cells_first_line_begin_no_question() -> None:
    assert parse_cell_line("--seed 1 --") == AskOptions({"seed": 1})
    with pytest.raises(ConfigurationError, match="put the question on the lines below"):
        parse_cell_line("-- Why?")


# The question on a line


@pytest.mark.parametrize(
    "question",
    [
        "what's up",
        'who said "hi"?',
        "it's 5 o'clock",
        "two  spaces   stay",
        "a - b -- c --model d",
        "- a list item",
        "-1 plus 2 is?",
        "-x*2 + 1",
        "-sin(x)?",
        "--5 is?",
        "---",
        "\u2014dash",
        "don't  do\tthat \\",
        '“Why” is "it"?',
        "'tis",
        '"--model" is what?',
        "a\r\n\n  b\xa0c",
        "$HOME {x} \\n %d",
        "日本語?",
        "",
    ],
)
def test_the_question_stands_as_it_was_typed(question: str) -> None:
    assert parse_ask(question) == (AskOptions(), question)
    assert parse_ask(f"  --seed 1   {question} ") == (
        AskOptions({"seed": 1}),
        question,
    )


@pytest.mark.parametrize(
    ("line", "question"),
    [
        ("-- -5 + 3 is?", "-5 + 3 is?"),
        ("-- --model is an option?", "--model is an option?"),
        ("--seed 1 -- -x", "-x"),
        ("--", ""),
        ("-- don't  \\", "don't  \\"),
        ("--\t- a", "- a"),
    ],
)
def test_two_dashes_end_the_options_of_a_line(line: str, question: str) -> None:
    assert parse_ask(line)[1] == question


def test_quotes_in_options_do_not_reach_into_the_question() -> None:
    options, question = parse_ask("--system 'Be brief.' what's \"up")
    assert options == AskOptions({"system": "Be brief."})
    assert question == "what's \"up"


def test_a_value_behind_its_equals_sign_is_read() -> None:
    options, question = parse_ask("-m=falcon-7b --system='Be brief.' Why?")
    assert options == AskOptions({"model": "falcon-7b", "system": "Be brief."})
    assert question == "Why?"


@pytest.mark.parametrize(
    ("line", "value"),
    [
        (r"C:\models\mine.gguf", r"C:\models\mine.gguf"),
        (r'"line\nline"', r"line\nline"),
        (r"\d+\s", r"\d+\s"),
        ('""', ""),
        ("-", "-"),
        ("-1", "-1"),
        ('"-x"', "-x"),
        ("-x", "-x"),
        ('"--new"', "--new"),
        ("'--'", "--"),
        ("Bob's", "Bob's"),
        ("'don''t'", "dont"),
        ('{"a":1}', '{"a":1}'),
        ("$HOME", "$HOME"),
        ("#1", "#1"),
        ("~/*", "~/*"),
    ],
)
def test_a_value_is_what_was_typed(line: str, value: str) -> None:
    for option in (f"--system {line}", f"-s\t{line}", f"--system={line}"):
        options, question = parse_ask(f"{option} don't \\")
        assert options.settings == {"system": value}
        assert question == "don't \\"
        assert parse_cell_line(option) == options


@pytest.mark.parametrize(
    ("line", "said"),
    [
        ("--model --system x", "expected a value after --model, got --system: if that"),
        ("--system -- Why?", "got --: if that is the value, write `--system=--`"),
        ("--stop -m", "got -m: if that is the value, write `--stop=-m`"),
        ("--tempp 1", "unknown option --tempp: did you mean '--temperature'?"),
        ("--temperature0.5", "--temperature0.5: did you mean '--temperature'?"),
        ("--temperature:0.5", "--temperature:0.5: did you mean '--temperature'?"),
        ("--Model x", "unknown option --Model: did you mean '--model'?"),
        ("--modell x", "unknown option --modell: did you mean '--model'?"),
        ("-model x", "unknown option -model: did you mean '--model'?"),
        ("-temperature 1", "-temperature: did you mean '--temperature'?"),
        ("--nonsense", "unknown option --nonsense: `%%h2o --help` lists all options; "),
        ("--nonsense", "; `%h2o ask -- TEXT` asks what begins with a dash"),
        ("-minus 5", "-minus: a value follows after a space, `-m inus`; `%h2o ask -- "),
        ("-mfalcon-7b", "-mfalcon-7b: a value follows after a space, `-m falcon-7b`; "),
        ("--system “x”", "(“ keeps no words together): write straight ones"),
    ],
)
@pytest.mark.parametrize("parse", [parse_cell_line, parse_ask])
def test_an_option_that_is_none_is_never_sent_as_text(
    parse: Callable[[str], object], line: str, said: str
) -> None:
    with pytest.raises(ConfigurationError) as caught:
        parse(line)
    assert said in str(caught.value)
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize(
    ("words", "text"),
    [
        (["-1", "plus", "2"], ["-1", "plus", "2"]),
        (["--seed", "1", "-x*2", "it's"], ["-x*2", "it's"]),
        (["a", "--", "--seed", "1"], ["a", "--seed", "1"]),
        (["--seed is what?"], ["--seed is what?"]),
        (["C:\\new", '"quoted"', "“so”"], ["C:\\new", '"quoted"', "“so”"]),
    ],
)
def test_words_of_a_shell_are_split_no_further(
    words: list[str], text: list[str]
) -> None:
    assert parse_words(words)[1] == text


def test_a_value_of_a_shell_may_be_anything_but_an_option() -> None:
    given = ["--system", "-x", "--stop", "--two words", "--stop", r"\d"]
    options, rest = parse_words([*given, "Why?"])
    assert options.settings == {"system": "-x", "stop": ("--two words", r"\d")}
    assert rest == ["Why?"]
    with pytest.raises(ConfigurationError, match="expected a value after --system"):
        parse_words(["--system", "--seed", "1"])


def test_help_is_wanted_also_with_a_question() -> None:
    assert parse_ask("--help Why?") == (AskOptions(help=True), "Why?")


# Help


def help_of(setting: Parameter) -> str:
    """Return what the help says of a setting, with single spaces."""
    text = re.sub(r"\s+", " ", help_text())
    start = text.index(f" {setting.option}")
    return text[start : start + 220]


@each_option
def test_the_help_names_every_setting_with_its_default(setting: Parameter) -> None:
    said = help_of(setting)
    assert setting.help in said
    if setting.default not in (None, ""):
        default = f"{setting.write(setting.default)} {setting.unit}".rstrip()
        assert f"{setting.help} Default: {default}." in said
    else:
        assert f"{setting.help} Default" not in said


@each_option
def test_the_help_in_a_notebook_names_every_setting(setting: Parameter) -> None:
    (row,) = [
        row for row in help_rows() if re.search(rf"`{setting.option}[ `]", row[0])
    ]
    assert row[1] == setting.help
    if setting.kind is bool:
        assert f"`--no-{setting.option[2:]}`" in row[0]


def test_the_help_names_the_settings_before_the_generation_parameters() -> None:
    text = help_text()
    options, generation = text.split("\ngeneration parameters:\n")
    for setting in WITH_OPTION:
        part = generation if setting.name in PARAMETERS else options
        assert f"{setting.option} " in part or f"{setting.option}," in part
    assert "If omitted, or given as `none`, the model's own value applies" in generation
    assert "--truncate" not in text
    assert "--return-full-text" not in text
    without = [s for s in SETTINGS.values() if s not in WITH_OPTION]
    assert not any(f"--{setting.name}" in text for setting in without)


def test_the_help_names_the_other_options_and_both_ways_to_ask() -> None:
    text = help_text()
    for words in (
        "usage: %%h2o [options]",
        "%h2o ask [options] QUESTION",
        "--model NAME",  # Python 3.13 writes "-m, --model NAME"
        "--system TEXT",
        "--strict, --no-strict",
        "--no-history",
        "--new ",
        "--stream, --no-stream",
        "-h, --help",
        "`%h2o models` lists them",
    ):
        assert words in text


@pytest.mark.parametrize("columns", ["20", "400"])
def test_the_help_does_not_depend_on_the_terminal(
    monkeypatch: pytest.MonkeyPatch, columns: str
) -> None:
    expected = help_text()
    monkeypatch.setenv("COLUMNS", columns)
    assert help_text() == expected
    assert max(map(len, expected.splitlines())) <= 88


def test_the_help_is_plain_also_where_colour_is_forced(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    # ipykernel sets FORCE_COLOR, and argparse obeys it since Python 3.14.
    monkeypatch.delenv("NO_COLOR", raising=False)
    monkeypatch.setenv("FORCE_COLOR", "1")
    assert "\x1b" not in help_text()


def test_the_help_in_a_notebook_names_each_default_with_its_unit() -> None:
    rows = {row[0]: row[1:] for row in help_rows()}
    assert rows["`--context N`"][1] == "`4096` tokens"
    assert rows["`-m NAME`, `--model NAME`"][1] == "`llama-13b`"
    assert rows["`--seed N`"][1] == ""
    assert rows["`--new`"] == ["Start a new conversation with this question.", ""]


@pytest.mark.parametrize("name", CHAT_PARAMETERS)
def test_a_generation_parameter_has_no_default_but_the_models_own(name: str) -> None:
    rows = {row[0].split(" ")[0].strip("`,"): row[1:] for row in help_rows()}
    assert rows[CHAT_PARAMETERS[name].option] == [CHAT_PARAMETERS[name].help, ""]


@pytest.mark.parametrize(
    "name", ["In", "Out", "_", "__", "_i", "_12", "_i3", "_oh", "exit", "get_ipython"]
)
def test_an_answer_takes_no_name_of_ipythons_own(name: str) -> None:
    with pytest.raises(ConfigurationError, match="that IPython does not use"):
        parse_cell_line(f"--out {name}")
    assert parse_cell_line(f"--out {name}_x").out == f"{name}_x"
