"""Tab completion of ``h2o`` cells and lines, through a shell's own completer."""

from __future__ import annotations

import json
import socket
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import pytest
from IPython.core.completer import provisionalcompleter
from IPython.core.interactiveshell import InteractiveShell

# Else a completion's thread may import requests while pytest's filters of warnings
# change under it.
import h2o_magic.backends.gptgm  # noqa: F401
from h2o_magic.backends import registry
from h2o_magic.backends.servers.credentials import KeySource
from h2o_magic.backends.servers.known import KnownServer, KnownServers
from h2o_magic.config import paths
from h2o_magic.config.definitions import SETTINGS
from h2o_magic.config.models import MODELS
from h2o_magic.ipython import sessions
from h2o_magic.ipython.commands import SUBCOMMANDS
from h2o_magic.ipython.commands.usage import parse
from h2o_magic.ipython.completion import values
from h2o_magic.ipython.completion.cursor import Offer, fitting, split
from h2o_magic.ipython.extension import load, unload
from h2o_magic.ipython.options import help_rows
from tests.backends.scripted import Answer, Request, answer, document, serving
from tests.shells import ipython
from tests.stand_in import StandIn

ALL_MODELS = list(MODELS)


@pytest.fixture(params=[True, False], ids=["jedi", "no-jedi"])
def shell(request: pytest.FixtureRequest, home: Path) -> Iterator[InteractiveShell]:
    with ipython() as shell:
        shell.Completer.use_jedi = request.param
        load(shell)
        yield shell
        unload(shell)


def completions(shell: InteractiveShell, text: str) -> list[tuple[str, str]]:
    """Return what replaces what where ``|`` marks the cursor."""
    before, _, after = text.partition("|")
    with provisionalcompleter():
        found = shell.Completer.completions(before + after, len(before))
        return [((before + after)[c.start : c.end], c.text) for c in found]


def texts(shell: InteractiveShell, text: str) -> list[str]:
    return [new for _, new in completions(shell, text)]


# Options


def test_an_option_is_completed_in_its_middle(shell: InteractiveShell) -> None:
    assert completions(shell, "%%h2o --mo|\nhi") == [("--mo", "--model")]


def test_every_option_that_help_lists_is_offered(shell: InteractiveShell) -> None:
    offered = set(texts(shell, "%%h2o --|"))
    listed = {
        name.split()[0]
        for names, *_ in help_rows()
        for name in names.replace("`", "").split(", ")
    }
    assert offered == {name for name in listed if name.startswith("--")}


def test_short_options_are_offered_behind_a_dash(shell: InteractiveShell) -> None:
    assert {"-m", "-s", "--model"} <= set(texts(shell, "%%h2o -|"))


def test_options_are_offered_in_the_order_of_the_help(shell: InteractiveShell) -> None:
    assert texts(shell, "%%h2o |\nhi")[:2] == ["--model", "--system"]


@pytest.mark.parametrize(
    "line", ["%%h2o --model |", "%%h2o --model=|", "%%h2o --strict -m |"]
)
def test_models_are_offered_behind_their_option(
    shell: InteractiveShell, line: str
) -> None:
    assert texts(shell, line) == ALL_MODELS


def test_what_stands_before_the_equals_sign_stays(shell: InteractiveShell) -> None:
    assert completions(shell, "%%h2o --model=falcon-4|") == [("falcon-4", "falcon-40b")]


def test_what_stands_behind_the_cursor_stays(shell: InteractiveShell) -> None:
    found = completions(shell, "%%h2o --model fal| --strict\nhi")
    assert found == [("fal", "falcon-7b"), ("fal", "falcon-40b")]


@pytest.mark.parametrize("setting", [s for s in SETTINGS.values() if s.choices])
def test_a_settings_choices_are_offered(shell: InteractiveShell, setting: Any) -> None:
    assert texts(shell, f"%%h2o {setting.option} |") == list(setting.choices)


def test_a_parameter_can_be_left_to_the_model(shell: InteractiveShell) -> None:
    assert texts(shell, "%%h2o --temperature |") == ["none"]


def test_the_default_of_a_setting_is_offered(shell: InteractiveShell) -> None:
    assert texts(shell, "%%h2o --context |") == ["4096"]


@pytest.mark.parametrize(
    "line", ["%%h2o --system |", "%%h2o --out |", "%%h2o nonsense|", "%%h2o --nix=|"]
)
def test_where_nothing_is_known_nothing_is_offered(
    shell: InteractiveShell, line: str
) -> None:
    assert texts(shell, line) == []


# Models, from the server


def use(shell: InteractiveShell, server: str) -> None:
    sessions.get_state(shell).settings.set("server", server)


@pytest.fixture
def asked(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """Begin with no list of models, and end with none."""
    values._models.clear()
    yield
    values._models.clear()


@pytest.mark.usefixtures("asked")
def test_the_servers_models_are_asked_for_once(
    shell: InteractiveShell, server: StandIn, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(values, "WAIT", 30)
    use(shell, server.url)
    texts(shell, "%%h2o --model |")
    count = len(server.requests)
    assert texts(shell, "%%h2o --model |")
    assert server.requests
    assert len(server.requests) == count
    use(shell, "")


class Listing(BaseHTTPRequestHandler):
    """A server of which only the list of models is wanted."""

    def log_message(self, *_: object) -> None:
        pass

    def do_GET(self) -> None:
        models = [{"id": name} for name in ("house-model", "falcon-7b")]
        body = json.dumps({"object": "list", "data": models}).encode()
        self.send_response(200 if self.path == "/v1/models" else 404)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)


@pytest.mark.usefixtures("asked")
def test_the_servers_own_models_are_offered_and_the_chosen_one(
    shell: InteractiveShell, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(values, "WAIT", 30)
    with ThreadingHTTPServer(("127.0.0.1", 0), Listing) as listing:
        thread = threading.Thread(target=listing.serve_forever, args=(0.05,))
        thread.start()
        use(shell, f"http://127.0.0.1:{listing.server_address[1]}")
        found = texts(shell, "%%h2o --model |")
        listing.shutdown()
        thread.join()
    assert found == ["house-model", "falcon-7b", "llama-13b"]
    use(shell, "")


@pytest.mark.usefixtures("asked")
def test_a_server_that_is_silent_is_waited_for_in_the_background(
    shell: InteractiveShell,
) -> None:
    with socket.create_server(("127.0.0.1", 0)) as silent:
        address = f"http://127.0.0.1:{silent.getsockname()[1]}"
        use(shell, address)
        assert texts(shell, "%%h2o --model |") == ALL_MODELS
        assert address in values._asking  # still waiting, but not here
        waiting = _askers()
        assert texts(shell, "%%h2o --model |") == ALL_MODELS
        assert _askers() == waiting  # and not once more
    for thread in _askers():
        thread.join()
    use(shell, "")


def _askers() -> set[threading.Thread]:
    return {t for t in threading.enumerate() if t.name == "h2o_magic-completion"}


@pytest.mark.usefixtures("asked")
def test_no_server_is_started(shell: InteractiveShell, home: Path) -> None:
    assert texts(shell, "%%h2o --model |") == ALL_MODELS
    assert not list(home.glob("server-*"))


def test_work_that_fails_finds_nothing() -> None:
    def fail() -> list[str]:
        raise ZeroDivisionError

    assert values.in_time(fail) == []


# Threads


def test_threads_are_offered_and_those_with_spaces_quoted(
    shell: InteractiveShell,
) -> None:
    session = sessions.get_state(shell).session
    session.thread = "plot ideas"
    assert texts(shell, "%%h2o --thread |") == ['"plot ideas"']
    assert completions(shell, "%h2o thread 'pl|") == [("'pl", "'plot ideas'")]
    assert completions(shell, "%h2o thread 'pl|'") == [("'pl", "'plot ideas")]
    assert texts(shell, "%h2o history --thread pl|") == ['"plot ideas"']
    session.thread = "main"


def test_a_completion_makes_no_session(shell: InteractiveShell) -> None:
    sessions._states.pop(shell)
    assert texts(shell, "%%h2o --thread |") == ["main"]
    assert sessions.get_state(shell).existing_session is None


# Subcommands


def test_every_subcommand_is_offered(shell: InteractiveShell) -> None:
    assert texts(shell, "%h2o |") == list(SUBCOMMANDS)


@pytest.mark.parametrize("line", ["%h2o his|", "   %h2o his|", "x = %h2o his|"])
def test_a_subcommand_is_completed_wherever_the_line_stands(
    shell: InteractiveShell, line: str
) -> None:
    assert completions(shell, f"import os\n{line}\nos") == [("his", "history")]


def test_a_subcommand_has_its_own_options(shell: InteractiveShell) -> None:
    assert texts(shell, "%h2o reset --|") == ["--thread", "--all", "--erase"]
    assert texts(shell, "%h2o history --l|") == ["--last"]


def test_options_of_a_question_are_offered_to_those_that_ask(
    shell: InteractiveShell,
) -> None:
    assert texts(shell, "%h2o ask --te|") == ["--temperature"]
    assert texts(shell, "%h2o retry --model fal|") == ["falcon-7b", "falcon-40b"]


def test_a_question_on_a_line_is_prose(shell: InteractiveShell) -> None:
    shell.user_ns["import_rate"] = 1
    assert texts(shell, "%h2o ask how do I im|") == []
    assert texts(shell, "%h2o ask what is {impor|") == ["import_rate"]


def test_model_knows_the_models_that_can_answer(shell: InteractiveShell) -> None:
    assert "demo" in texts(shell, "%h2o model de|")


def test_pull_knows_the_models_that_can_be_pulled(shell: InteractiveShell) -> None:
    assert texts(shell, "%h2o pull d|") == ["danube3-500m", "danube3-4b"]


def test_an_unknown_subcommand_has_nothing(shell: InteractiveShell) -> None:
    assert texts(shell, "%h2o nix |") == []


# Servers and aliases


def test_known_servers_are_offered(shell: InteractiveShell) -> None:
    known = KnownServers(paths.servers_file())
    known.keep(KnownServer("lab", "http://lab", "openai"))
    known.keep(KnownServer("laptop", "http://laptop", "gpt-gm"))
    assert texts(shell, "%h2o connect |") == [
        *("lab", "laptop", "local"),
        *("--name", "--dialect", "--key-env", "--key-ring", "--key-prompt"),
        *("--forget", "--scan"),
    ]
    assert completions(shell, "%h2o connect lap|") == [("lap", "laptop")]
    assert texts(shell, "%h2o connect lab --fo|") == ["--forget"]


def test_dialects_and_variables_with_keys_are_offered(
    shell: InteractiveShell, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert texts(shell, "%h2o connect http://a --dialect |") == [
        "auto",
        *registry.names(),
    ]
    monkeypatch.setenv("H2OTEST_API_KEY", "geheim")
    monkeypatch.setenv("H2OTEST_LAB_KEY", "geheim")
    monkeypatch.setenv("H2OTEST_COLOUR", "green")
    monkeypatch.setenv("H2OTEST_PWD", "/home")
    assert texts(shell, "%h2o connect lab --key-env H2OTEST|") == [
        "H2OTEST_API_KEY",
        "H2OTEST_LAB_KEY",
    ]
    assert texts(shell, "%h2o connect lab --name |") == []


def test_aliases_are_offered_where_a_model_is(shell: InteractiveShell) -> None:
    sessions.get_state(shell).user.aliases.set("fast", "falcon-7b")
    assert completions(shell, "%%h2o --model fas|\nhi") == [("fas", "fast")]
    assert completions(shell, "%h2o alias f|") == [("f", "fast=")]
    assert texts(shell, "%h2o alias quick=falcon|") == [
        "quick=falcon-7b",
        "quick=falcon-40b",
    ]
    assert "fast=fast" not in texts(shell, "%h2o alias fast=|")


def test_presets_are_offered_where_one_is_named(shell: InteractiveShell) -> None:
    sessions.get_state(shell).user.presets.save("mine", {"seed": 1})
    assert texts(shell, "%h2o preset pre|") == ["precise"]
    assert texts(shell, "%h2o preset --remove mi|") == ["mine"]
    assert texts(shell, "%h2o preset --save mi|") == []


@pytest.mark.usefixtures("asked")
def test_a_known_servers_models_are_offered_with_its_key(
    shell: InteractiveShell, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(values, "WAIT", 30)
    monkeypatch.setenv("LAB_KEY", "geheim")
    listed = document({"data": [{"id": "qwen"}]})

    def script(request: Request) -> Answer:
        key = request.headers.get("authorization") == "Bearer geheim"
        return listed if key and request.path == "/v1/models" else answer(status=401)

    with serving(script) as server:
        source = KeySource("env", "LAB_KEY")
        entry = KnownServer("lab", server.url, "openai", source)
        KnownServers(paths.servers_file()).keep(entry)
        use(shell, "lab")
        assert texts(shell, "%%h2o --model |") == ["qwen", "llama-13b"]
        assert server.calls() == ["GET /v1/models"]
        use(shell, "")


# Files


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    folder = tmp_path / "work"
    folder.mkdir()
    monkeypatch.chdir(folder)
    return folder


def test_files_are_offered_that_the_subcommand_reads(
    shell: InteractiveShell, folder: Path
) -> None:
    for name in ("chat.json", "chat.md", "chat.png", ".chat.json"):
        (folder / name).touch()
    assert texts(shell, "%h2o import ch|") == ["chat.json"]
    assert texts(shell, "%h2o export ch|") == ["chat.json", "chat.md"]


def test_modes_and_folders_of_answers_are_offered(
    shell: InteractiveShell, folder: Path
) -> None:
    for name in ("answers", "my own", "only mine", ".git"):
        (folder / name).mkdir()
    (folder / "answers.json").touch()
    modes = ["off", "on", "only", "refresh"]
    found = texts(shell, "%%h2o --replay |")
    assert found == [*modes, "answers/", '"my own/']
    assert texts(shell, "%%h2o --replay on|") == ["on", "only"]
    assert texts(shell, '%%h2o --replay "only an|') == ['"only answers/']
    assert texts(shell, "%%h2o --repl|") == ["--replay", "--replay-speed"]


def test_paths_with_spaces_are_quoted(shell: InteractiveShell, folder: Path) -> None:
    (folder / "my chats").mkdir()
    (folder / "my chats" / "one two.json").touch()
    assert texts(shell, "%h2o import my|") == ['"my chats/']
    found = completions(shell, '%h2o import "my chats/on|')
    assert found == [('"my chats/on', '"my chats/one two.json"')]


@pytest.mark.parametrize(
    "name",
    [
        "it's.json",
        'in"ch.json',
        'it\'s "so".json',
        "a\\b c.json",
        "-x.json",
        "“a”.json",
    ],
)
@pytest.mark.parametrize("typed", ["", "'", '"', "--thread x ", "--thread='a b' "])
def test_a_completed_name_is_read_as_that_name(
    shell: InteractiveShell, folder: Path, name: str, typed: str
) -> None:
    (folder / name).touch()
    completed, *_ = completions(shell, f"%h2o import {typed}|")
    before = f"%h2o import {typed}".removesuffix(completed[0])
    line = before.removeprefix("%h2o import ") + completed[1]
    assert parse("import", "FILE [--thread NAME]", line)["FILE"] == name


def test_a_name_that_the_open_quotes_cannot_hold_is_not_offered(
    shell: InteractiveShell, folder: Path
) -> None:
    (folder / "it's.json").touch()
    assert texts(shell, "%h2o import '|'") == []
    assert texts(shell, '%h2o import "|"') == ["\"it's.json"]


def test_a_backslash_before_the_cursor_stands_for_itself(
    shell: InteractiveShell,
) -> None:
    line = r"%%h2o --attach C:\new\a.pdf --system 'C:\ ' --mod|"
    assert texts(shell, line) == ["--model"]


def test_text_that_begins_with_dashes_is_prose(shell: InteractiveShell) -> None:
    for question in ("-1 ", "-- ", "-- --mo"):
        assert texts(shell, f"%h2o ask {question}|") == []


def test_a_schema_is_a_variable_or_a_file(
    shell: InteractiveShell, folder: Path
) -> None:
    (folder / "person.json").touch()
    (folder / "person.txt").touch()
    shell.user_ns["person_schema"] = {}
    assert texts(shell, "%%h2o --schema per|") == ["person_schema", "person.json"]


# Names in braces


class Careful:
    """Counts whether looking at it ran its code."""

    def __init__(self) -> None:
        self.read = 0
        self.plain = {"deep": 1}

    @property
    def costly(self) -> int:
        self.read += 1
        return self.read

    def __getattr__(self, name: str) -> int:
        self.read += 1
        return self.read

    def __getitem__(self, key: object) -> int:
        self.read += 1
        return self.read


def test_variables_are_offered_in_braces(shell: InteractiveShell) -> None:
    shell.user_ns["temperatures"] = [1]
    assert completions(shell, "%%h2o\nWhy {temp|?") == [("temp", "temperatures")]


def test_names_of_ipythons_own_are_not(shell: InteractiveShell) -> None:
    assert {"exit", "quit", "In", "_"} & set(texts(shell, "%%h2o\n{|")) == set()
    assert texts(shell, "%%h2o\n{Ou|") == ["Out"]


def test_attributes_with_data_come_before_methods(shell: InteractiveShell) -> None:
    shell.user_ns["path"] = Path("a")
    found = texts(shell, "%%h2o\n{path.|")
    assert "parent" in found
    assert found.index("suffix") < found.index("exists")
    assert not any(name.startswith("_") for name in found)
    assert texts(shell, "%%h2o\n{path.__c|") == []  # no prompt reads it


def test_looking_at_a_value_runs_none_of_its_code(shell: InteractiveShell) -> None:
    careful = shell.user_ns["careful"] = Careful()
    assert "costly" in texts(shell, "%%h2o\n{careful.|")
    assert texts(shell, "%%h2o\n{careful.costly.|") == []
    assert texts(shell, "%%h2o\n{careful.nix.|") == []
    assert texts(shell, "%%h2o\n{careful[0].|") == []
    assert texts(shell, "%%h2o\n{careful[|") == []
    assert texts(shell, "%%h2o\n{careful.plain['|") == ["'deep']"]
    assert careful.read == 0


def test_a_dir_of_the_users_own_is_not_run(shell: InteractiveShell) -> None:
    class Slow:
        runs = 0

        def __init__(self) -> None:
            self.size = 3

        def __dir__(self) -> list[str]:
            Slow.runs += 1
            raise RuntimeError

    shell.user_ns["slow"] = Slow()
    assert texts(shell, "%%h2o\n{slow.|") == ["runs", "size"]
    assert texts(shell, "%%h2o\n{slow.s|") == ["size"]
    assert Slow.runs == 0


def test_names_of_startup_files_are_the_users(shell: InteractiveShell) -> None:
    shell.user_ns["rate"] = shell.user_ns_hidden["rate"] = 3
    assert texts(shell, "%%h2o\n{rat|") == ["rate"]
    assert texts(shell, "%%h2o\n{get_ipy|") == []


def test_keys_are_offered_as_they_are_written(shell: InteractiveShell) -> None:
    shell.user_ns["d"] = {"one": 1, "it's": 2, 3: 4, None: 5, "new\nline": 6}
    assert texts(shell, "%%h2o\n{d[|") == ["'one']", '"it\'s"]', "3]"]
    assert completions(shell, "%%h2o\n{d['o|") == [("'o", "'one']")]
    assert completions(shell, "%%h2o\n{d['o|']} x") == [("'o", "'one")]
    assert completions(shell, "%%h2o\n{d[|]}") == [
        ("", "'one'"),
        ("", '"it\'s"'),
        ("", "3"),
    ]


def test_lists_have_indexes_and_what_is_in_them(shell: InteractiveShell) -> None:
    shell.user_ns["rows"] = [{"a": 1}, {"b": {"c": 2}}]
    assert texts(shell, "%%h2o\n{rows[|") == ["0]", "1]"]
    assert texts(shell, "%%h2o\n{rows[1]['|") == ["'b']"]
    assert texts(shell, "%%h2o\n{rows[-1]['b']['|") == ["'c']"]


@pytest.mark.parametrize("library", ["pandas", "polars"])
def test_columns_of_a_table_are_offered(shell: InteractiveShell, library: str) -> None:
    frames = pytest.importorskip(library)
    shell.user_ns["df"] = frames.DataFrame({"age": [1], "full name": ["x"]})
    assert texts(shell, "%%h2o\n{df['|") == ["'age']", "'full name']"]
    assert "columns" in texts(shell, "%%h2o\n{df.|")


@pytest.mark.parametrize(
    "text",
    [
        "%%h2o\n```python\nx = {na|\n```\nafter",
        "%%h2o\n~~~\n{na|",
        "%%h2o\nthe set `{na|` here",
        "%%h2o\n{{na|",
        "%%h2o --raw\n{na|",
        "%%h2o\nna|",
        "%%h2o\n{a b na|",
    ],
)
def test_nothing_is_offered_where_a_name_would_not_be_put_in(
    shell: InteractiveShell, text: str
) -> None:
    shell.user_ns["name"] = 1
    assert texts(shell, text) == []


def test_names_are_offered_behind_code(shell: InteractiveShell) -> None:
    shell.user_ns["surname"] = 1
    assert texts(shell, "%%h2o\n```\n{}\n```\nand `x` {surn|") == ["surname"]


@pytest.mark.parametrize("sign", ["😀", "é", "e\u0301", "👩‍👩‍👧", "字"])
def test_positions_count_characters(shell: InteractiveShell, sign: str) -> None:
    shell.user_ns["surname"] = 1
    found = completions(shell, f"%%h2o --as json\n{sign} x\n{sign} {{sur|}} {sign}")
    assert found == [("sur", "surname")]
    assert texts(shell, f"%%h2o --system {sign} --mod|") == ["--model"]


def test_many_names_are_cut(shell: InteractiveShell) -> None:
    shell.user_ns.update({f"variable_{n:05}": n for n in range(10_000)})
    found = texts(shell, "%%h2o\n{|")
    assert 0 < len(found) <= 500
    assert texts(shell, "%%h2o\n{variable_0999|")[0] == "variable_09990"


# Everything else


@pytest.mark.parametrize("text", ["impor|", "x = sho|", "%tim|", "%%bas|", "%h2|"])
def test_other_completions_are_as_they_were(shell: InteractiveShell, text: str) -> None:
    shell.user_ns["shown"] = 1
    before = completions(shell, text)
    unload(shell)
    without = completions(shell, text)
    load(shell)
    assert [c for c in before if "h2o" not in c[1]] == [
        c for c in without if "h2o" not in c[1]
    ]
    assert before


def test_python_above_a_line_is_completed_as_ever(shell: InteractiveShell) -> None:
    shell.user_ns["shown"] = 1
    assert "shown" in texts(shell, "x = show|\n%h2o status")


def test_nothing_of_it_is_left_after_unloading(shell: InteractiveShell) -> None:
    before = len(shell.Completer.custom_matchers)
    unload(shell)
    assert len(shell.Completer.custom_matchers) == before - 1
    load(shell)


# Words


@pytest.mark.parametrize(
    ("line", "words", "fragment"),
    [
        ("", (), ""),
        ("a b", ("a",), "b"),
        ("a b ", ("a", "b"), ""),
        ("'a b' c", ("a b",), "c"),
        ("x 'a b", ("x",), "'a b"),
        ('--thread="a b" ', ("--thread=a b",), ""),
    ],
)
def test_a_line_is_split_as_it_will_be_read(
    line: str, words: tuple[str, ...], fragment: str
) -> None:
    assert split(line) == (words, fragment)


def test_values_match_in_any_case() -> None:
    offer = Offer("falcon-7b", "model")
    assert fitting("FAL", [offer]) == [offer]
