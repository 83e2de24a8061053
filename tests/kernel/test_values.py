"""What goes into a cell and what comes out of it, in a real kernel."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import threading
import time
from pathlib import Path

import pytest

from tests.kernel.conftest import TIMEOUT, Notebook, Run, running_kernel
from tests.stand_in import CUT, StandIn


def value(chat: Notebook, expression: str) -> str:
    """Return what an expression is worth in the kernel."""
    run = chat.run(f"print(({expression}))")
    assert run.status == "ok", run.outputs
    return "".join(s["text"] for s in run.of("stream")).rstrip("\n")


def asked(server: StandIn) -> str:
    return str(server.asked[-1]["inputs"])


# Names in braces


def test_a_name_in_braces_is_its_value(chat: Notebook, server: StandIn) -> None:
    chat.run("rows = [3, 4]\nclass Box: size = 7\nbox = Box()")
    chat.run("%%h2o\nAdd {rows[0]} and {box.size}.", "c1")
    assert asked(server) == "Add 3 and 7."


def test_all_other_braces_come_through_as_they_are(
    chat: Notebook, server: StandIn
) -> None:
    prompts = [
        '{"rows": {"a": 1}}',
        "{unknown} {rows!r} {rows:>3} {rows + 1} { rows } {len} {exit}",
        "`{rows}` and\n```\n{rows}\n```",
        "${rows_} \\frac{a}{b}",
    ]
    chat.run("rows = [3, 4]")
    for prompt in prompts:
        chat.run(f"%%h2o\n{prompt}", "c1")
    assert [str(body["inputs"]) for body in server.asked] == prompts


def test_raw_leaves_a_name_as_it_stands(chat: Notebook, server: StandIn) -> None:
    chat.run("rows = [3, 4]")
    chat.run("%%h2o --raw\n{rows} {{rows}}", "c1")
    assert asked(server) == "{rows} {{rows}}"


def test_earlier_inputs_outputs_and_errors_can_be_named(
    chat: Notebook, server: StandIn
) -> None:
    chat.run("6 * 7")
    number = int(value(chat, "max(Out)"))
    chat.run("1 / 0")
    prompt = f"{{Out[{number}]}}|{{In[{number}]}}|{{Err[{number + 2}]}}"
    chat.run(f"%%h2o\n{prompt}", "c1")
    question, error = asked(server).split("\n\n", 1)
    assert question == f"42|6 * 7|`Err[{number + 2}]`"
    assert error.startswith(f"`Err[{number + 2}]`:\n\n")
    assert "ZeroDivisionError" in error


def test_a_secret_is_refused_and_nothing_is_sent(
    chat: Notebook, server: StandIn
) -> None:
    chat.run("import os\nenv = os.environ")
    run = chat.run("%%h2o\nWhat is in {env}?", "c1")
    assert run.status == "error"
    assert "env" in run.stderr
    assert server.asked == []


def test_a_secret_that_a_cell_set_goes_out_by_no_way(
    chat: Notebook, server: StandIn
) -> None:
    chat.run(
        "api_key = 'hunter2-hunter2'\nnote = 'use hunter2-hunter2'\n"
        "def log_in(key='hunter2-hunter2'): pass"
    )
    for prompt in ("{In[2]}", "{In}", "{log_in}", "{note}"):
        run = chat.run(f"%%h2o\n{prompt}", "c1")
        assert "was not put into the prompt" in run.stderr, prompt
        assert "hunter2" not in run.stderr
    assert server.asked == []


def test_paths_in_the_current_folder_are_no_secrets(
    chat: Notebook, server: StandIn, tmp_path: Path
) -> None:
    (tmp_path / "shop.py").write_text("def price(item):\n    return item['price']\n")
    chat.run(f"%cd -q {tmp_path}\nimport os, sys\nos.environ['PWD'] = os.getcwd()")
    chat.run("from pathlib import Path\npath = Path.cwd() / 'data.csv'")
    chat.run("sys.path.insert(0, os.getcwd())\nimport shop\nshop.price({})")
    run = chat.run("%%h2o\nRead {path}: {Err[4]}", "c1")
    assert run.status == "ok", run.stderr
    assert f"Read {tmp_path}/data.csv: `Err[4]`" in asked(server)
    assert 'File "shop.py", line 2' in asked(server)
    assert chat.run("%h2o fix").status == "ok"
    assert 'File "shop.py", line 2' in asked(server)


# Preview


def test_a_preview_shows_all_that_would_be_sent_and_sends_nothing(
    chat: Notebook, server: StandIn
) -> None:
    chat.run("%%h2o\nfirst", "c1")
    chat.run("rows = [3, 4]")
    run = chat.run('%%h2o --preview --system "Be brief." --seed 7\nAdd {rows}.', "c2")
    for words in ("Be brief.", "first", "Hello world", "3", "nothing was sent"):
        assert words in run.markdown
    assert "an estimate" in run.plain
    assert '"max_new_tokens": 1024' in run.plain  # what gpt-gm is always sent
    assert f"the rest of the request, to {server.url}" in run.plain
    assert [b["inputs"] for b in server.asked] == ["first"]
    assert "1 turn," in chat.run("%h2o status").plain


def test_a_preview_shows_what_the_same_cell_would_then_send(
    chat: Notebook, server: StandIn
) -> None:
    for number, question in enumerate(("tea", "coffee", "juice")):
        chat.run(f"%%h2o\n{question}", f"c{number}")
    for options, cell, hidden in (
        ("--new", "c9", ("tea", "coffee", "juice")),
        ("", "c1", ("coffee", "juice")),
    ):
        shown = chat.run(f"%%h2o --preview {options}\nmilk", cell).plain
        chat.run(f"%%h2o {options} --out answer\nmilk", cell)
        sent = value(chat, "repr([m['content'] for m in answer.messages])")
        assert [w for w in hidden if w in shown or w in sent] == []
        assert ("tea" in shown) == ("tea" in sent)
        chat.run("%h2o undo")


# Answers as values


def test_an_answer_is_kept_as_a_text_that_knows_itself(
    chat: Notebook, server: StandIn
) -> None:
    server.script = ["Use:\n", "```python\nprint(1)\n```"]
    chat.run("%%h2o --out answer --seed 7\nhello", "c1")
    assert value(chat, "answer[:4]") == "Use:"
    assert value(chat, "answer.code[0].language, answer.complete, answer.model") == (
        "('python', True, 'llama-13b')"
    )
    assert value(chat, "answer.messages[-1]['content']") == "hello"


def test_out_and_the_underscore_hold_it_unless_it_is_quiet(
    chat: Notebook, server: StandIn
) -> None:
    chat.run("'before'")
    chat.run("%%h2o --quiet\nhello", "c1")
    assert value(chat, "_") == "before"
    run = chat.run("%%h2o\nhello", "c1")
    assert len(run.outputs) == 1  # it is not shown twice
    assert value(chat, "_") == "Hello world"
    assert value(chat, "In[max(Out)].splitlines()[0][:6]") == "get_ip"
    assert value(chat, "Out[max(Out)]") == "Hello world"


def test_a_stopped_answer_is_kept_as_a_value_too(
    chat: Notebook, server: StandIn
) -> None:
    server.script = ["Half", threading.Event()]
    request = chat.start("%%h2o --out answer\nhello", "c1")
    seen = chat.read(
        request, lambda r: any("Half" in str(o["data"]) for o in r.outputs)
    )
    chat.manager.interrupt_kernel()
    chat.finish(request, seen)
    assert value(chat, "answer, answer.complete, answer.finish_reason") == (
        "('Half', False, 'stopped')"
    )
    assert value(chat, "answer.error") == (
        "stopped by the user: the answer is incomplete"
    )


def test_an_answer_that_was_stopped_before_its_text_says_so(
    chat: Notebook, server: StandIn
) -> None:
    server.script = [threading.Event()]
    request = chat.start("%%h2o --out answer\nhello", "c1")
    seen = chat.read(request, lambda r: bool(r.of("display_data")))
    while not server.asked:
        time.sleep(0.01)
    chat.manager.interrupt_kernel()
    chat.finish(request, seen)
    assert (
        value(chat, "answer.error")
        == "stopped by the user before any text was received"
    )


def test_an_answer_that_broke_off_says_why(chat: Notebook, server: StandIn) -> None:
    server.script = ["Half", CUT]
    chat.run("%%h2o --out answer\nhello", "c1")
    assert value(chat, "answer, answer.complete") == "('Half', False)"
    assert value(chat, "bool(answer.error)") == "True"


@pytest.mark.parametrize("name", ["2x", "a.b", "class", "a b"])
def test_what_is_no_variable_is_refused(shared_chat: Notebook, name: str) -> None:
    run = shared_chat.run(f"%%h2o --out '{name}'\nhello", "c1")
    assert "expected a variable name" in run.stderr


# Formats


def test_json_is_parsed_shown_and_checked(
    chat: Notebook, server: StandIn, tmp_path: Path
) -> None:
    schema = {"type": "object", "properties": {"age": {"type": "integer"}}}
    file = tmp_path / "person.json"
    file.write_text(json.dumps(schema))
    server.script = ['Sure: {"age": ', "36}"]
    run = chat.run(f"%%h2o --as json --schema '{file}' --out who\nhow old?", "c1")
    assert run.status == "ok", run.stderr
    assert '"age": 36' in run.markdown
    assert value(chat, "who['age'] + 1") == "37"
    assert value(chat, "who_answer, who_answer.model") == (
        "('Sure: {\"age\": 36}', 'llama-13b')"
    )
    server.script = ['{"age": "old"}']
    run = chat.run(f"%%h2o --as json --schema '{file}' --out who\nhow old?", "c1")
    assert run.status == "error"
    assert "age" in run.stderr
    assert value(chat, "who") == '{"age": "old"}'
    assert value(chat, "who.error == who_answer.error != ''") == "True"
    assert value(chat, "who_answer is who is _") == "True"


PERSON = """
from __future__ import annotations
import datetime as dt
from dataclasses import dataclass

@dataclass
class Town:
    name: str

@dataclass
class Person:
    name: str
    born: dt.date
    towns: list[Town]
"""


def test_an_answer_with_a_type_is_an_object_of_it(
    chat: Notebook, server: StandIn
) -> None:
    chat.run(PERSON)
    server.script = [
        '{"name": "Ada", "born": "1815-12-10", ',
        '"towns": [{"name": "A"}]}',
    ]
    run = chat.run("%%h2o --schema Person --out ada\nWho?", "c1")
    assert run.status == "ok", run.stderr
    made = "Person('Ada', dt.date(1815, 12, 10), [Town('A')])"
    assert value(chat, f"ada == {made}, _ is ada, Out[max(Out)] is ada") == (
        "(True, True, True)"
    )
    assert value(chat, "ada_answer.json()['born'], ada_answer.complete") == (
        "('1815-12-10', True)"
    )
    chat.run("people = list[Person]")
    server.script = ["[", "]"]
    chat.run("%%h2o --schema people --out ada\nWho?", "c1")
    assert value(chat, "ada, ada_answer") == "([], '[]')"


def test_what_its_type_refuses_is_the_text_with_the_error(
    chat: Notebook, server: StandIn
) -> None:
    chat.run(PERSON)
    server.script = ['{"name": "Ada", "born": "1815-13-10", "towns": []}']
    run = chat.run("%%h2o --schema Person --out ada\nWho?", "c1")
    assert run.status == "error"
    assert "born: expected" in run.stderr
    assert value(chat, "ada is ada_answer, ada[:7], 'born' in ada.error") == (
        "(True, '{\"name\"', True)"
    )


@pytest.mark.parametrize("options", ["--schema Person", "--as json", "--as table"])
def test_a_variable_of_the_user_is_not_overwritten_by_the_text(
    chat: Notebook, server: StandIn, options: str
) -> None:
    chat.run(f"{PERSON}\nada_answer = 42")
    run = chat.run(f"%%h2o {options} --out ada\nWho?", "c1")
    assert "expected ada_answer to be free" in run.stderr
    assert server.asked == []
    assert value(chat, "ada_answer, 'ada' in dir()") == "(42, False)"
    chat.run("%%h2o --out ada\nWho?", "c1")
    assert value(chat, "ada, ada_answer") == "('Hello world', 42)"


# Magics return what they show


@pytest.mark.parametrize(
    "how",
    [
        "x = %h2o ask hi",
        "x = %h2o ask what is this?",
        "x = %h2o retry",
        "x = %h2o fix",
    ],
)
def test_an_assigned_answer_is_shown_once_and_returned(
    chat: Notebook, server: StandIn, how: str
) -> None:
    chat.run("1 / 0")
    chat.run("%h2o ask first")
    run = chat.run(how, "c2")
    shown = [o for o in run.outputs if "Hello world" in str(o["data"])]
    assert len(shown) == 1
    assert run.of("execute_result") == []
    assert value(chat, "x, x.complete, x is _") == "('Hello world', True, True)"


LINE = "get_ipython().run_line_magic('h2o', 'ask hi')"


@pytest.mark.parametrize(
    ("code", "results"),
    [
        ("%h2o ask hi", []),
        ("%h2o ask hi;", []),
        ("%%h2o\nhi", []),
        (LINE, []),
        ("%time %h2o ask hi", []),
        (f"for _ in [1]:\n    {LINE}", []),
        (f"try:\n    {LINE}\nfinally:\n    pass", []),
        (f"def ask():\n    {LINE}\nask()", []),
        (f'f"<{{{LINE}}}>"', ["'<Hello world>'"]),
        (f"len({LINE})", ["11"]),
        (f"[{LINE} for _ in [1]]", ["['Hello world']"]),
        (f"list(map(lambda _: {LINE}, [1]))", ["['Hello world']"]),
        (f"{LINE} == 'Hello world'", ["True"]),
        ("get_ipython().run_cell_magic('h2o', '', 'hi').upper()", ["'HELLO WORLD'"]),
    ],
)
def test_only_what_is_used_is_returned_and_nothing_is_shown_twice(
    shared_chat: Notebook, code: str, results: list[str]
) -> None:
    run = shared_chat.run(code, "c1")
    assert run.status == "ok", run.outputs
    shown = [
        o
        for o in run.outputs
        if "Hello world" in str(o.get("data", {}).get("text/markdown"))
    ]
    assert len(shown) == 1
    assert [r["data"]["text/plain"] for r in run.of("execute_result")] == results


def test_a_returned_answer_is_what_out_would_hold(
    chat: Notebook, server: StandIn
) -> None:
    chat.run(PERSON)
    server.script = ['{"name": "A"}']
    chat.run("town = %h2o ask --schema Town --out kept which")
    assert value(chat, "town is kept, town") == "(True, Town(name='A'))"


def test_a_schema_may_be_a_variable(chat: Notebook, server: StandIn) -> None:
    chat.run("from dataclasses import dataclass\n@dataclass\nclass P:\n    age: int")
    server.script = ['{"age": 3}']
    run = chat.run("%%h2o --schema P\nhow old?", "c1")
    assert '"age": 3' in run.markdown
    system = server.bodies("/conversation")[-1]
    assert "JSON schema" in json.dumps(system)


def test_a_table_is_a_data_frame(chat: Notebook, server: StandIn) -> None:
    pytest.importorskip("pandas")
    server.script = ['[{"name": "a|b", "n": 1}, {"name": "c", "n": 2}]']
    run = chat.run("%%h2o --as table --out df\ntable", "c1")
    assert "| name | n |" in run.markdown
    assert value(chat, "int(df.n.sum()), list(df.columns)") == "(3, ['name', 'n'])"


def test_text_is_plain(chat: Notebook, server: StandIn) -> None:
    server.script = ["**not bold**"]
    run = chat.run("%%h2o --as text\nhello", "c1")
    (output,) = run.outputs
    assert set(output["data"]) == {"text/plain"}


def test_code_comes_into_the_next_cell_and_is_not_run(
    chat: Notebook, server: StandIn
) -> None:
    server.script = ["So:\n```python\nleft = 1\n```\nThat is it."]
    request = chat.start("%%h2o --as code\nhello", "c1")
    run = chat.finish(request)
    assert "That is it." in run.markdown
    assert value(chat, "'left' in globals()") == "False"


def coded(chat: Notebook, server: StandIn, *script: str) -> tuple[Run, list[str]]:
    """Ask for code, and return the run with the cells that it offers."""
    server.script = script
    request = chat.start("%%h2o --as code --out answer\nhello", "c1")
    run = chat.read(request, lambda r: {"execution_state": "idle"} in r.of("status"))
    while True:
        reply = chat.client.get_shell_msg(timeout=TIMEOUT)
        if reply["parent_header"].get("msg_id") == request:
            break
    return run, [p["text"] for p in reply["content"]["payload"]]


def test_replayed_code_comes_into_no_second_cell(
    chat: Notebook, server: StandIn
) -> None:
    chat.run("%config H2OMagics.replay = 'on'")
    runs = [coded(chat, server, "So:\n```python\na = 1\n```") for _ in range(3)]
    assert [cells for _, cells in runs] == [["a = 1"], [], []]
    assert runs[1][0].markdown == runs[2][0].markdown
    assert "replayed" in runs[2][0].markdown


def test_only_python_comes_into_the_next_cell(chat: Notebook, server: StandIn) -> None:
    run, cells = coded(
        chat,
        server,
        "Set it:\n```python\na = 1\n```\nThen\n```bash\nrm -rf /\n```\n"
        "and\n```py\nb = 2\n```\nwhich gives\n```\n3\n```\n",
    )
    assert cells == ["a = 1\n\nb = 2"]
    assert "a = 1" not in run.markdown
    assert "b = 2" not in run.markdown
    assert "```bash\nrm -rf /\n```" in run.markdown
    assert "*The code is in the cell below; it has not been run.*" in run.markdown
    assert value(chat, "[b.language for b in answer.code]") == (
        "['python', 'bash', 'py', '']"
    )


@pytest.mark.parametrize(
    ("text", "why"),
    [
        ("a = 1", "the answer contains no code."),
        ("```bash\nls\n```", "no code marked as Python."),
    ],
)
def test_where_no_code_is_offered_a_line_says_why(
    chat: Notebook, server: StandIn, text: str, why: str
) -> None:
    run, cells = coded(chat, server, text)
    assert cells == []
    assert text in run.markdown
    assert "No cell was added: " in run.markdown
    assert why in run.markdown
    assert why in run.plain


def test_code_that_was_cut_is_not_offered(chat: Notebook, server: StandIn) -> None:
    server.details = {"finish_reason": "length"}
    run, cells = coded(chat, server, "So:\n```python\nprint(")
    assert cells == []
    assert "print(" in run.markdown
    assert "reached its maximum length (`--max-new-tokens N` raises it)" in run.markdown


def test_an_empty_table_is_said_to_be_empty(chat: Notebook, server: StandIn) -> None:
    pytest.importorskip("pandas")
    server.script = ["[]"]
    run = chat.run("%%h2o --as table --out df\ntable", "c1")
    assert run.markdown.startswith("(an empty table)")
    assert value(chat, "df.shape") == "(0, 0)"


def test_a_row_that_is_too_long_is_an_error(chat: Notebook, server: StandIn) -> None:
    server.script = ["| a | b |\n|---|---|\n| 1 | 2 | 3 |"]
    run = chat.run("%%h2o --as table\ntable", "c1")
    assert "expected 2 values in row 1, got 3" in run.stderr


def test_html_is_in_a_frame_that_can_run_nothing(
    chat: Notebook, server: StandIn
) -> None:
    server.script = ["<b>hi</b><script>alert(1)</script>"]
    run = chat.run("%%h2o --as html\nhello", "c1")
    (output,) = run.outputs
    html = output["data"]["text/html"]
    assert "<iframe" in html
    assert "allow-scripts" not in html
    assert "<script>" not in html


def test_an_unknown_format_is_refused_with_the_nearest(chat: Notebook) -> None:
    run = chat.run("%%h2o --as jsn\nhello", "c1")
    assert "did you mean 'json'" in run.stderr


def test_reasoning_is_kept_apart(chat: Notebook, server: StandIn) -> None:
    server.script = ["<thi", "nk>hm, hm", "</think>", "Yes."]
    run = chat.run("%%h2o --out answer\nhello", "c1")
    assert value(chat, "answer") == "Yes."
    assert value(chat, "answer.reasoning") == "hm, hm"
    assert "<details>" in run.markdown
    assert "hm, hm" in run.markdown
    run = chat.run("%%h2o --reasoning hide\nhello", "c1")
    assert "hm" not in run.markdown
    assert "Yes." in run.markdown
    for form, kind in (("text", "text/plain"), ("html", "text/html")):
        run = chat.run(f"%%h2o --as {form} --reasoning show\nhello", "c1")
        (output,) = run.outputs
        assert "hm, hm" in output["data"][kind]
        assert "Yes." in output["data"][kind]


def test_reasoning_is_shown_in_a_terminal(home: Path, server: StandIn) -> None:
    server.script = ["<think>hm, hm</think>", "Yes."]
    command = [sys.executable, "-m", "IPython", "--colors=NoColor", "--ext=h2o_magic"]
    done = subprocess.run(
        [*command, "-c", "%%h2o --reasoning show\nhello"],
        env={**os.environ, "H2O_MAGIC_SERVER": server.url},
        capture_output=True,
        text=True,
        timeout=TIMEOUT,
        check=True,
    )
    assert done.stdout.startswith("Yes.\n\n> Reasoning:\n> hm, hm\n\n[llama-13b")


def test_variables_of_startup_files_can_be_named(
    home: Path, server: StandIn, tmp_path: Path
) -> None:
    startup = tmp_path / "ipython" / "profile_default" / "startup"
    startup.mkdir(parents=True)
    (startup / "00.py").write_text("rate = 3\n")
    with running_kernel(IPYTHONDIR=str(startup.parents[1])) as kernel:
        kernel.run("%load_ext h2o_magic")
        kernel.run(f"%config H2OMagics.server = '{server.url}'")
        kernel.run("%%h2o\n{rate} {exit} {get_ipython}", "c1")
    assert asked(server) == "3 {exit} {get_ipython}"


def test_a_cell_whose_value_cannot_be_displayed_can_be_fixed(
    chat: Notebook, server: StandIn
) -> None:
    chat.run("1 / 0")
    chat.run("class Broken:\n    def __repr__(self):\n        raise ValueError('torn')")
    chat.run("Broken()")
    chat.run("%h2o fix")
    assert "ValueError: torn" in asked(server)
