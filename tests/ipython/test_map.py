"""A table asked from a cell, and from Python, in a real shell with a real server."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from IPython.core.interactiveshell import ExecutionResult, InteractiveShell

import h2o_magic
from h2o_magic.conversation.notifications import (
    AnswerEnded,
    AnswerGrew,
    AnswerStarted,
    Notification,
)
from h2o_magic.errors import ConfigurationError
from h2o_magic.tables.mapped import MappedTable
from h2o_magic.tables.preview import Preview
from tests.shells import ipython
from tests.tables.rows_server import RowsServer, rows_server

RATING = {
    "type": "object",
    "properties": {"rating": {"type": "integer"}, "why": {"type": "string"}},
    "required": ["rating", "why"],
}


@pytest.fixture(scope="module")
def server() -> Iterator[RowsServer]:
    with rows_server() as running:
        yield running


@pytest.fixture
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("H2O_MAGIC_HOME", str(tmp_path / "home"))
    monkeypatch.chdir(tmp_path)
    return tmp_path


@pytest.fixture
def shell(server: RowsServer, home: Path) -> Iterator[InteractiveShell]:
    server.configure(delay=0, key="", count=0)
    with ipython() as shell:
        shell.run_line_magic("load_ext", "h2o_magic")
        session = h2o_magic.session()
        session.configure(server=f"{server.url}/v1", model="mock")
        shell.user_ns |= {"reviews": reviews(30), "Rating": RATING}
        yield shell
        shell.run_line_magic("unload_ext", "h2o_magic")


def reviews(count: int) -> list[dict[str, Any]]:
    return [{"id": n, "text": f"review {n}"} for n in range(count)]


def cell(shell: InteractiveShell, line: str, prompt: str = "Rate: {text}") -> None:
    result: ExecutionResult = shell.run_cell(f"%%h2o map {line}\n{prompt}")
    result.raise_error()


def refusal(shell: InteractiveShell, line: str, prompt: str = "Rate: {text}") -> str:
    result = shell.run_cell(f"%%h2o map {line}\n{prompt}")
    assert result.error_in_exec is not None
    return str(result.error_in_exec)


def questions(server: RowsServer) -> set[str]:
    return set(server.stats()["questions"])


def test_a_cell_stores_the_answers_and_shows_the_first_rows(
    shell: InteractiveShell, capsys: pytest.CaptureFixture[str]
) -> None:
    cell(shell, "reviews --out rated --schema Rating")
    rated = shell.user_ns["rated"]
    assert isinstance(rated, MappedTable)
    assert shell.user_ns["_"] is rated
    assert [row["rating"] for row in rated.table] == [  # type: ignore[attr-defined]
        len(f"Rate: {row['text']}") % 5 + 1 for row in reviews(30)
    ]
    shown = capsys.readouterr().out
    assert shown.startswith("30 rows in ")
    assert "review 4" in shown
    assert "review 5" not in shown
    assert "id" not in shown.split("\n")[2].split()
    assert "…and 25 more rows in rated.table" in shown


def test_the_result_is_markdown_that_github_shows_too(shell: InteractiveShell) -> None:
    shell.user_ns["odd"] = [{"text": "a | b\n<b>c</b> $x$"}, {"text": "FAIL `now`"}]
    cell(shell, "odd --out rated", "{text}")
    markdown = shell.user_ns["rated"]._repr_markdown_()
    assert "| text | answer | error |" in markdown
    assert r"a \| b &lt;b>c&lt;/b>" in markdown
    assert "1 row has an error; `rated.again(failed=True)` asks it again:" in markdown
    assert "- 1: this row cannot be answered" in markdown


def test_a_column_counts_before_a_variable_and_others_are_filled_in(
    shell: InteractiveShell, server: RowsServer
) -> None:
    shell.user_ns |= {"text": "wrong", "style": "short"}
    cell(shell, "reviews --first 1", "{text}, {style}")
    assert questions(server) == {"review 0, short"}


def test_the_variables_of_a_calling_function_are_seen(
    shell: InteractiveShell, server: RowsServer
) -> None:
    shell.run_cell(
        "def ask():\n"
        "    mine, style = reviews[:1], 'local'\n"
        "    get_ipython().run_cell_magic('h2o', 'map mine', '{text} {style}')\n"
        "ask()"
    ).raise_error()
    assert questions(server) == {"review 0 local"}


TABLES = {
    "an attribute": ("data.rows", "from data"),
    "a key": ("tables['mine']", "from tables"),
    "a path": ("rows.jsonl", "from a file"),
    "a quoted path": ("'my rows.jsonl'", "from a file"),
    "a variable with a path": ("path", "from a file"),
}


@pytest.mark.parametrize(("line", "text"), TABLES.values(), ids=TABLES)
def test_a_table_is_named_as_in_python_or_by_its_path(
    shell: InteractiveShell, server: RowsServer, home: Path, line: str, text: str
) -> None:
    for name in ("rows.jsonl", "my rows.jsonl"):
        (home / name).write_text(json.dumps({"text": "from a file"}) + "\n")
    shell.run_cell("class data: rows = [{'text': 'from data'}]")
    shell.user_ns |= {"tables": {"mine": [{"text": "from tables"}]}}
    shell.user_ns["path"] = home / "rows.jsonl"
    cell(shell, line, "{text}")
    assert questions(server) == {text}


def test_a_mistyped_table_is_told_from_those_that_there_are(
    shell: InteractiveShell,
) -> None:
    assert "did you mean 'reviews'?" in refusal(shell, "revews")


def test_a_call_is_not_evaluated_and_says_what_to_write(
    shell: InteractiveShell,
) -> None:
    said = refusal(shell, "reviews.head(3)")
    assert "calls are not evaluated here" in said
    assert "`--first N`" in said


def test_a_mistyped_map_is_told(shell: InteractiveShell) -> None:
    result = shell.run_cell("%%h2o mpa reviews\n{text}")
    assert "did you mean 'map'?" in str(result.error_in_exec)


REFUSED = {
    "--attach x.png": "into a column",
    "--new": "asked alone",
    "--thread other": "%h2o thread NAME",
    "--stream": "leave it out",
    "--as table": "`--schema` gives",
    "--fresh": "--forget",
    "--max-turns 3": "asked alone",
    "--first 0": "`first` must be a whole number of 1 or more, got 0",
    "--width many": "invalid int value: 'many'",
    "--width 0": "`width` must be a whole number of 1 or more, got 0",
    "--out reviews": "expected another name than that of the table, got 'reviews'",
    "--budget 5": "expected a price with the budget",
    "--price cheap": "0.15/0.60, got 'cheap'",
    "--price 1/2 --budget none": "an amount above 0",
    "more": "expected one table, got 'reviews' and 'more'",
    "--frist 3": "did you mean '--first'?",
    "--out 1a": "expected a variable name",
}


@pytest.mark.parametrize(("options", "said"), REFUSED.items(), ids=REFUSED)
def test_what_means_nothing_for_rows_is_refused_and_says_what_to_do(
    shell: InteractiveShell, server: RowsServer, options: str, said: str
) -> None:
    assert said in refusal(shell, f"reviews {options}")
    assert server.stats()["requests"] == 0


def test_a_cell_names_the_servers_that_it_asks(
    shell: InteractiveShell, server: RowsServer
) -> None:
    assert "nowhere" in refusal(shell, "reviews --server nowhere,elsewhere")
    assert server.stats()["requests"] == 0
    h2o_magic.session().connect(f"{server.url}/v1", name="rows", dialect="openai")
    h2o_magic.session().configure(server="http://127.0.0.1:9/v1")
    cell(shell, "reviews --first 3 --server rows,rows --model mock")
    assert server.stats()["requests"] == 3


@pytest.mark.parametrize("line", ["--help", "reviews -h"])
def test_help_lists_the_options_and_asks_nothing(
    shell: InteractiveShell,
    server: RowsServer,
    capsys: pytest.CaptureFixture[str],
    line: str,
) -> None:
    cell(shell, line)
    shown = capsys.readouterr().out
    assert "--budget AMOUNT" in shown
    assert "--temperature" in shown
    assert "--attach" not in shown
    assert server.stats()["requests"] == 0


def test_options_take_effect(shell: InteractiveShell, server: RowsServer) -> None:
    same = [{"text": "same"}] * 3
    shell.user_ns["same"] = same
    cell(shell, "same --each --quiet --no-history --raw --out rated", "{text} {same}")
    assert server.stats()["questions"] == {"same {same}": 3}
    assert shell.user_ns["_"] is not shell.user_ns["rated"]
    assert h2o_magic.session().turns() == ()
    cell(shell, "reviews --first 2 --no-keep", "Not kept: {text}")
    cell(shell, "reviews --first 2", "Not kept: {text}")
    assert server.stats()["questions"]["Not kept: review 0"] == 2
    shell.user_ns["bad"] = [{"text": f"FAIL {n}"} for n in range(9)] + reviews(1)
    assert "more than 3 errors" in refusal(shell, "bad --max-errors 3 --width 1")
    assert server.stats()["most"] == 1 or server.stats()["requests"] < 20


def test_a_file_goes_to_a_file_which_the_next_run_replaces(
    shell: InteractiveShell, home: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (home / "in.csv").write_text("text\none\ntwo\n")
    cell(shell, "in.csv", "{text}")
    written = home / "in-answers.csv"
    answered = "text,answer,error\none,Answer to: one,\ntwo,Answer to: two,\n"
    assert written.read_text() == answered
    assert "2 rows in in-answers.csv" in capsys.readouterr().out
    cell(shell, "in.csv --first 1", "{text}")
    assert written.read_text() == "text,answer,error\none,Answer to: one,\n"
    written.write_text("mine")
    assert "exists" in refusal(shell, "in.csv", "{text}")
    assert written.read_text() == "mine"
    cell(shell, "in.csv --overwrite", "{text}")
    assert written.read_text() == answered
    cell(shell, "in.csv --to out.jsonl --quiet", "{text}")
    lines = (home / "out.jsonl").read_text().splitlines()
    assert [json.loads(line)["answer"] for line in lines] == [
        "Answer to: one",
        "Answer to: two",
    ]


def test_a_run_that_cannot_go_on_says_why_once_and_keeps_its_table(
    shell: InteractiveShell, server: RowsServer, capsys: pytest.CaptureFixture[str]
) -> None:
    server.configure(key="secret")
    said = refusal(shell, "reviews --out rated")
    assert "Incorrect API key" in said or "key" in said
    assert "\n" not in said
    assert said not in capsys.readouterr().out
    assert len(shell.user_ns["rated"].table) >= 1
    (turn,) = h2o_magic.session().turns()
    assert turn.status == "failed"


def test_a_row_with_a_secret_is_not_sent(
    shell: InteractiveShell, server: RowsServer, capsys: pytest.CaptureFixture[str]
) -> None:
    key = "sk-proj-" + "a1B2c3D4e5F6" * 4
    shell.user_ns["mails"] = [{"text": f"my key is {key}"}, {"text": "hello"}]
    cell(shell, "mails --out rated", "{text}")
    first, second = shell.user_ns["rated"].table
    assert "OpenAI-style key" in first["error"]
    assert key not in first["error"] + capsys.readouterr().out
    assert second["error"] is None
    assert questions(server) == {"hello"}


def test_a_preview_shows_prompts_and_asks_a_few_rows_whose_answers_are_kept(
    shell: InteractiveShell, server: RowsServer, capsys: pytest.CaptureFixture[str]
) -> None:
    shell.user_ns["long"] = reviews(200) + reviews(50)
    cell(shell, "long --first 10", "Of {text}")
    capsys.readouterr()
    cell(shell, "long --preview --price 1/2 --out found", "Of {text}")
    assert isinstance(shell.user_ns["found"], Preview)
    shown = capsys.readouterr().out
    assert [f"Of review {n}\n" in shown for n in range(4)] == [True] * 3 + [False]
    assert (
        "250 rows · 200 different · 10 known · 20 asked for this preview · 170 to ask"
        in shown
    )
    assert "Their answers are kept, so the run does not ask" in shown
    assert "cost" in shown
    assert server.stats()["requests"] == 30
    cell(shell, "long", "Of {text}")
    assert server.stats()["requests"] == 200


def test_an_estimate_is_near_what_a_run_costs(
    shell: InteractiveShell, server: RowsServer
) -> None:
    server.configure(count=1)
    sizes = [10 * (n * 37 % 101) ** 2 // 100 + 5 for n in range(600)]
    shell.user_ns["long"] = [{"text": "x" * s + str(n)} for n, s in enumerate(sizes)]
    found = shell.run_cell("h2o_magic.map(long, '{text}', preview=True)").result
    if found is None:
        shell.run_cell("import h2o_magic")
        found = shell.run_cell("h2o_magic.map(long, '{text}', preview=True)").result
    assert isinstance(found, Preview)
    cell(shell, "long --out done", "{text}")
    progress = shell.user_ns["done"].progress
    assert found.read is not None
    assert found.written is not None
    assert found.read.value == pytest.approx(progress.prompt_tokens, rel=0.2)
    assert found.written.value == pytest.approx(progress.completion_tokens, rel=0.2)
    assert found.read.least <= progress.prompt_tokens <= found.read.most


def test_a_budget_is_not_exceeded(shell: InteractiveShell, server: RowsServer) -> None:
    shell.user_ns["long"] = reviews(500)
    # A row has 20 tokens read and 5 written: 0.03.
    cell(shell, "long --price 1000/2000 --budget 3 --out rated")
    progress = shell.user_ns["rated"].progress
    assert progress.state == "stopped"
    assert progress.reason.startswith("the budget of 3.00 is used: ")
    assert 2.5 < progress.cost <= 3
    assert server.stats()["requests"] <= 100
    errors = {row["error"] for row in shell.user_ns["rated"].table}
    assert any("not asked" in str(error) for error in errors)


def test_a_run_is_one_turn_with_five_rows_which_undo_takes_back(
    shell: InteractiveShell,
) -> None:
    heard: list[Notification] = []
    session = h2o_magic.session()
    session.listen(heard.append)
    cell(shell, "reviews --out rated")
    (turn,) = session.turns()
    assert turn.question == "Rate: {text}\n\nFor each row of `reviews`."
    assert "review 4" in turn.answer
    assert "review 5" not in turn.answer
    assert (turn.status, turn.facts["rows"]["done"]) == ("complete", 30)
    kinds = [type(each) for each in heard if type(each).__name__ != "SettingChanged"]
    assert (kinds[0], kinds[-1]) == (AnswerStarted, AnswerEnded)
    assert set(kinds[1:-1]) <= {AnswerGrew}
    result = shell.run_cell("%h2o retry")
    assert "run its cell again" in str(result.error_in_exec)
    session.undo()
    assert session.turns() == ()


def test_python_sees_the_callers_variables_and_returns_the_table(
    shell: InteractiveShell, server: RowsServer
) -> None:
    shell.run_cell(
        "import h2o_magic\n"
        "def ask(style):\n"
        "    return h2o_magic.map(reviews, '{text} {style}', first=2, schema=Rating)\n"
        "rated = ask('brief')"
    ).raise_error()
    assert questions(server) == {"review 0 brief", "review 1 brief"}
    assert shell.user_ns["rated"].table[0]["rating"] == len("review 0 brief") % 5 + 1
    (turn,) = h2o_magic.session().turns()
    assert turn.question.endswith("\n\nFor each row of `reviews`.")


def test_a_plain_program_needs_no_shell_and_is_told_the_counts(
    server: RowsServer,
    home: Path,
    capsys: pytest.CaptureFixture[str],
) -> None:
    server.configure()
    session = h2o_magic.session()
    session.configure(server=f"{server.url}/v1", model="mock")
    style, told = "plainly", list[int]()
    mapped = h2o_magic.map(
        reviews(3), "{text} {style}", progress=lambda p: told.append(p.done)
    )
    assert isinstance(mapped, MappedTable)
    assert questions(server) == {f"review {n} {style}" for n in range(3)}
    assert told[-1] == 3
    with pytest.raises(ConfigurationError, match="progress as a function"):
        h2o_magic.map(reviews(3), "{text}", progress=False)
    assert capsys.readouterr() == ("", "")
    h2o_magic.map(reviews(3), "{text} {style}")
    out, err = capsys.readouterr()
    assert out == ""
    assert re.fullmatch(r"3 rows in .* · 3 known\n", err)
    session.close()


SLIPS = {
    "frist": (2, "unknown argument 'frist': did you mean 'first'?"),
    "previw": (True, "did you mean 'preview'?"),
    "temprature": (0, "did you mean 'temperature'?"),
    "format": ("json", "`format` does not apply to a table: `--schema` gives"),
    "server": ("nowhere", "unknown server 'nowhere'"),
    "first": ("3", "`first` must be a whole number of 1 or more, got '3'"),
}


@pytest.mark.parametrize(("name", "case"), SLIPS.items(), ids=SLIPS)
def test_a_mistyped_argument_is_told(
    shell: InteractiveShell, server: RowsServer, name: str, case: tuple[object, str]
) -> None:
    value, said = case
    with pytest.raises(ConfigurationError, match=re.escape(said)):
        h2o_magic.map(reviews(3), "{text}", **{name: value})  # type: ignore[arg-type]
    with pytest.raises(ConfigurationError, match="expected a server's name or address"):
        h2o_magic.map(reviews(3), "{text}", server=3)  # type: ignore[arg-type]
    assert server.stats()["requests"] == 0


@pytest.mark.parametrize(
    "line", ["%%h2o map reviews", "%%h2o map reviews --schema Rating"]
)
def test_a_cell_without_a_prompt_asks_nothing(
    shell: InteractiveShell,
    server: RowsServer,
    capsys: pytest.CaptureFixture[str],
    line: str,
) -> None:
    shell.run_cell(line)
    assert "expected a prompt with a column in braces" in capsys.readouterr().err
    shell.run_cell("%%h2o map --help")
    assert "--budget AMOUNT" in capsys.readouterr().out
    assert server.stats()["requests"] == 0


def test_a_mistyped_column_is_refused_before_anything_is_asked(
    shell: InteractiveShell, server: RowsServer
) -> None:
    assert "`{txet}` is neither a column nor a variable: did you mean 'text'?" in (
        refusal(shell, "reviews", "Mix {txet} with {text}")
    )
    assert server.stats()["requests"] == 0
    cell(shell, "reviews --raw --first 1", "Mix {txet} with {text}")
    assert server.stats()["requests"] == 1


@pytest.mark.parametrize(
    ("prompt", "said"),
    [
        ("{missing}: {text}", "`{missing}` is neither a column nor a variable: "),
        ("Row {row}. {text}", "`{row}` is neither a column nor a variable: "),
        ("{text.upper()} {text}", "`{text.upper()}`: expressions with a column"),
        ("{text} {text[:9]}", "add a column with this value (`--raw` leaves it"),
        ("{text} has {len(text)} characters", "write `{text}`, or add a column"),
    ],
)
def test_what_would_be_sent_in_braces_is_refused_before_anything_is_asked(
    shell: InteractiveShell, server: RowsServer, prompt: str, said: str
) -> None:
    assert said in refusal(shell, "reviews", prompt)
    with pytest.raises(ConfigurationError, match=r"^`{"):
        h2o_magic.map(shell.user_ns["reviews"], prompt)
    assert server.stats()["requests"] == 0
    shell.user_ns["missing"] = "here"
    h2o_magic.map(shell.user_ns["reviews"], prompt, first=1, raw=True)
    (question,) = server.stats()["questions"]
    assert question.count("{") == 1


@pytest.mark.parametrize(
    "braces",
    ['{"stars": 1}', "{stars: 1}", "{{name}}", r"$\frac{a}{b}$", "`{name}`", "{}"],
)
def test_code_and_json_in_braces_are_sent_as_they_are(
    shell: InteractiveShell, server: RowsServer, braces: str
) -> None:
    cell(shell, "reviews --first 1", f"Like {braces}: {{text}}")
    (question,) = server.stats()["questions"]
    assert question.startswith(f"Like {braces}: ")


def test_a_table_is_asked_of_one_model(
    shell: InteractiveShell, server: RowsServer
) -> None:
    assert "one model for a table" in refusal(shell, "reviews --model a,b", "{text}")
    assert server.stats()["requests"] == 0
