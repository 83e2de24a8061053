"""What a question sends of the notebook's values, in a real kernel."""

from __future__ import annotations

import base64
import io
import json
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import PIL.Image
import pytest

from tests.backends.behaviours.row import DONE, chunk, said
from tests.backends.scripted import Answer, Request, ScriptedServer, events, serving
from tests.backends.test_openai_backend import OpenAIScript, asked
from tests.kernel.conftest import Notebook, Run

FRAME = """
import pandas as pd
df = pd.DataFrame({"city": ["Rome", "Oslo", None, "Rome"], "n": [1.5, None, None, 2]})
"""


@pytest.fixture
def server() -> Iterator[ScriptedServer]:
    """An OpenAI-compatible server that does not say what its models see."""
    with serving(OpenAIScript()) as server:
        yield server


@pytest.fixture
def chat(notebook: Notebook, server: ScriptedServer) -> Notebook:
    notebook.run(f"%load_ext h2o_magic\n%h2o connect {server.url} --dialect openai")
    notebook.run("%config H2OMagics.model = 'm'")
    return notebook


def sent(server: ScriptedServer, number: int = -1) -> Any:
    return asked(server)[number]["messages"][-1]["content"]


def table_row(text: str, column: str) -> list[str]:
    line = next(line for line in text.split("\n") if line.startswith(f"| {column} |"))
    return [cell.strip() for cell in line.strip("| ").split("|")]


# Values


def test_a_table_is_described_below_the_question_that_names_it(
    chat: Notebook, server: ScriptedServer
) -> None:
    chat.run(FRAME)
    chat.run("%%h2o\nWhich column of {df} has the most missing values? Say {df}.", "c1")
    question, rest = sent(server).split("\n\n", 1)
    assert question == "Which column of `df` has the most missing values? Say `df`."
    assert rest.startswith("`df`:\n\npandas DataFrame, 4 rows x 2 columns")
    assert table_row(rest, "n")[:3] == ["n", "float64", "2"]
    assert table_row(rest, "city")[2] == "1"
    assert "| Oslo | NaN |" in rest


def test_what_was_typed_is_shown_and_what_was_sent_is_sent_again(
    chat: Notebook, server: ScriptedServer
) -> None:
    chat.run(FRAME)
    chat.run("%%h2o\nDescribe {df}.", "c1")
    first = sent(server)
    assert "Describe {df}." in chat.run("%h2o history").plain
    shown = chat.run("%h2o show 1")
    assert "> Describe {df}." in shown.plain
    assert "<details><summary>Sent with the question</summary>" in shown.markdown
    chat.run("df = None")
    chat.run("%h2o retry")
    assert sent(server) == first
    chat.run("%%h2o\nAnd then?", "c2")
    assert asked(server)[-1]["messages"][0]["content"] == first


def test_the_budget_is_for_each_value(chat: Notebook, server: ScriptedServer) -> None:
    chat.run(
        "import pandas as pd\nwide = pd.DataFrame({f'c{n}': [n] for n in range(300)})"
    )
    chat.run("%%h2o --budget 100\n{wide} {wide:schema}", "c1")
    chat.run("%%h2o --budget 2000 --new\n{wide}", "c2")
    assert len(sent(server, 0)) < 1000 < len(sent(server, 1))


def test_the_users_words_are_never_cut_and_the_values_make_room(
    chat: Notebook, server: ScriptedServer
) -> None:
    chat.run(FRAME + "text = 'word ' * 3000\n%config H2OMagics.context = 1024")
    words = "Compare these two. " * 40
    run = chat.run(f"%%h2o --max-new-tokens 100\n{words}{{df}} {{text}}", "c1")
    assert sent(server).startswith(f"{words}`df` `text`")
    assert "characters left out" in sent(server)
    assert len(sent(server)) < 3 * 1024
    assert "to fit the context" in run.plain
    run = chat.run(f"%%h2o --max-new-tokens 100\n{'word ' * 3000}", "c2")
    assert "takes 1,024 at most: shorten it" in run.stderr
    assert len(asked(server)) == 1


# Names


CALL = "get_ipython()."
NAMES = {
    "def f(text):\n    %h2o ask Say {text}\nf('local')": "local",
    f"def f(text):\n    {CALL}run_line_magic('h2o', 'ask Say {{text}}')\nf('x')": "x",
    f"def f(text):\n    {CALL}run_cell_magic('h2o', '', 'Say {{text}}')\nf('y')": "y",
    "class C:\n    def m(self, text):\n        %h2o ask Say {text}\nC().m('z')": "z",
    "for text in ['loop']:\n    %h2o ask Say {text}": "loop",
    (
        "def f():\n    text = 'outer'\n    def g():\n        %h2o ask Say {text}\n"
        "    g()\nf()"
    ): "outer",
}


def test_a_name_is_the_local_value(chat: Notebook, server: ScriptedServer) -> None:
    for number, (code, local) in enumerate(NAMES.items()):
        chat.run("text = 'global'")
        assert chat.run(code).status == "ok"
        assert sent(server, number) == f"Say {local}"


def test_schema_and_out_are_local_names_too(
    chat: Notebook, server: ScriptedServer
) -> None:
    chat.run(
        "def ask():\n    form = {'type': 'object', 'title': 'mine'}\n"
        "    %h2o ask --schema form Say it\nask()"
    )
    schema = asked(server)[0]["response_format"]["json_schema"]["schema"]
    assert schema == {"type": "object", "title": "mine"}
    chat.run(
        "def ask():\n    reply = None\n    %h2o ask --out reply Hi\n    return reply"
    )
    assert value(chat, "ask()").endswith("Hello")
    assert value(chat, "'reply' in globals()") == "False"


def value(chat: Notebook, expression: str) -> str:
    run = chat.run(f"print({expression})")
    return "".join(stream["text"] for stream in run.of("stream")).strip()


def test_options_take_values(chat: Notebook, server: ScriptedServer) -> None:
    chat.run("MODEL, who, t = 'other', 'a poet', 0.25")
    chat.run(
        '%%h2o --model {MODEL} --system "You are {who}." --temperature {t}\nHi', "c1"
    )
    (body,) = asked(server)
    assert (body["model"], body["temperature"]) == ("other", 0.25)
    assert body["messages"][0] == {"role": "system", "content": "You are a poet."}
    run = chat.run("%h2o ask --model {MODE} Hi")
    assert "`{MODE}` is not a variable" in run.stderr
    assert len(asked(server)) == 1


def test_a_secret_goes_into_no_option(chat: Notebook, server: ScriptedServer) -> None:
    chat.run("api_key = 'hunter2-hunter2'")
    run = chat.run("%h2o ask --system {api_key} Hi")
    assert "api_key" in run.stderr
    assert "hunter2" not in run.stderr
    assert asked(server) == []


# Notes


def test_what_is_no_variable_is_noted(chat: Notebook, server: ScriptedServer) -> None:
    chat.run(FRAME)
    run = chat.run("%%h2o\nSummarize {dff} and {df.describe()}.", "c1")
    assert sent(server) == "Summarize {dff} and {df.describe()}."
    assert "{dff} is not a variable" in run.plain
    assert "{df.describe()} was not evaluated: add --eval, or set evaluate" in run.plain
    assert run.facts["notes"][0] == "`{dff}` is not a variable"


def test_an_expression_is_evaluated_where_that_is_asked_for(
    chat: Notebook, server: ScriptedServer
) -> None:
    chat.run("n = 41")
    chat.run("%%h2o --eval\nIs it {n + 1} or {n:.1f}?", "c1")
    assert sent(server) == "Is it 42 or 41.0?"
    chat.run("%config H2OMagics.evaluate = True")
    chat.run("def f(n):\n    %h2o ask {n * 2}\nf(4)")
    assert sent(server) == "8"


# Preview


def test_a_preview_is_what_is_sent(chat: Notebook, server: ScriptedServer) -> None:
    chat.run(FRAME)
    line = "--temperature 0.5 --max-new-tokens 9"
    run = chat.run(f"%%h2o --preview {line}\nDescribe {{df}} and {{dff}}.", "c1")
    assert asked(server) == []
    chat.run(f"%%h2o {line}\nDescribe {{df}} and {{dff}}.", "c1")
    (body,) = asked(server)
    for message in body.pop("messages"):
        assert message["content"] in run.plain
    start = run.plain.index("the rest of the request, to")
    shown = run.plain[run.plain.index("{", start) : run.plain.rindex("}\n") + 1]
    assert json.loads(shown) == body
    assert "{dff} is not a variable" in run.plain


# Secrets


def test_an_error_shows_no_secret_that_others_put_into_its_text(
    chat: Notebook, server: ScriptedServer
) -> None:
    chat.run("import os; os.environ['LAB_KEY'] = key = 'labkey-1f2e3d4c5b6a'")
    chat.run("shop = {key: 1}")
    in_prompt, in_option = "%%h2o --eval\nWhat is {}?", '%%h2o --eval --system "{}"\nHi'
    for line, field in (
        (in_prompt, "{int(key)}"),
        (in_prompt, "{dict()[key]}"),
        (in_prompt, "{shop['x']}"),
        (in_option, "{shop['x']}"),  # which takes no expression
    ):
        run = chat.run(line.replace("{}", field), "c1")
        assert run.status == "error"
        assert "***" in run.stderr
        assert "1f2e3d4c5b6a" not in str(run.messages)
    assert asked(server) == []


# Images and files

PICTURES = """
import matplotlib; matplotlib.use("Agg")
import matplotlib.pyplot as plt, numpy as np, PIL.Image, IPython.display, io
fig, ax = plt.subplots(); ax.plot([1, 3, 2])
photo = PIL.Image.new("RGB", (3000, 1000), "red")
pixels = np.zeros((40, 60, 3), dtype="uint8")
buffer = io.BytesIO(); photo.resize((30, 10)).save(buffer, "PNG")
import altair
chart = altair.Chart(altair.Data(values=[{"x": 1}])).mark_point().encode(x="x:Q")
shown = IPython.display.Image(buffer.getvalue())
"""


def test_a_picture_goes_along_as_an_image(
    chat: Notebook, server: ScriptedServer
) -> None:
    for name in ("fig", "ax", "photo", "pixels", "shown", "chart"):
        chat.run(PICTURES)
        before = len(asked(server))
        run = chat.run(f"%%h2o --vision\nWhat is in {{{name}}}?", "c1")
        assert run.status == "ok", run.outputs
        text, image = first = sent(server, before)
        assert text["text"].startswith(f"What is in `{name}`?")
        assert text["text"].endswith(f"Images: `{name}`")
        kind, data = image["image_url"]["url"].split(",", 1)
        assert kind in ("data:image/png;base64", "data:image/jpeg;base64")
        assert size_of(base64.b64decode(data)) <= (1568, 1568)
        chat.run("fig = ax = photo = pixels = shown = chart = None")
        chat.run("%h2o retry")  # it remembers that the images were sent
        assert sent(server, before + 1) == first
        chat.run("%%h2o --vision\nAnd now?", "c2")
        assert asked(server)[before + 2]["messages"][0]["content"] == first
        chat.run("%h2o reset")


ASK_IN_PANEL = """
import time, h2o_magic
%config H2OMagics.vision = True
session, panel = h2o_magic.session(), h2o_magic.panel()
panel._controller.receive({{"type": "ask", "view": "v", "text": "What is {{{name}}}?"}})
for _ in range(3000):
    if not session.coming(): break
    time.sleep(0.02)
"""


@pytest.mark.parametrize(
    "name",
    [
        "fig",
        *(pytest.param(name, marks=pytest.mark.nightly) for name in ("ax", "chart")),
        *(pytest.param(name, marks=pytest.mark.nightly) for name in ("photo", "shown")),
        "pixels",
    ],
)
def test_the_panel_and_python_send_the_same_picture(
    chat: Notebook, server: ScriptedServer, name: str
) -> None:
    chat.run(PICTURES)
    chat.run(f"%%h2o --vision\nWhat is {{{name}}}?", "c1")
    run = chat.run(ASK_IN_PANEL.format(name=name))
    assert run.status == "ok", run.outputs
    run = chat.run(f"session.ask('What?', attach=[{name}]).read()")
    assert run.status == "ok", run.outputs
    in_cell, in_panel, in_python = (sent(server, number) for number in range(3))
    assert in_cell == in_panel
    assert in_python[1:] == in_cell[1:]


def test_images_of_earlier_questions_that_are_not_sent_are_noted(
    chat: Notebook, server: ScriptedServer
) -> None:
    chat.run(PICTURES)
    chat.run("%%h2o --vision\nWhat is in {fig}?", "c1")
    note = "images of earlier questions were not sent"
    run = chat.run("%%h2o\nAnd now?", "c2")  # the model has seen one
    assert isinstance(asked(server)[-1]["messages"][0]["content"], list)
    assert note not in run.plain
    run = chat.run("%%h2o --no-vision\nAnd now?", "c2")
    assert isinstance(asked(server)[-1]["messages"][0]["content"], str)
    assert note in run.plain
    chat.run(f"%h2o connect {server.url} --dialect openai")
    run = chat.run("%%h2o\nAnd now?", "c2")
    assert f"{note}: add --vision, or set vision" in run.plain


def size_of(data: bytes) -> tuple[int, int]:
    with PIL.Image.open(io.BytesIO(data)) as image:
        return image.size


def test_a_picture_is_refused_where_nobody_knows_that_it_is_seen(
    chat: Notebook, server: ScriptedServer
) -> None:
    chat.run(PICTURES)
    run = chat.run("%%h2o\nWhat is in {fig}?", "c1")
    assert "m takes images; if it does, add `--vision`, or set" in run.stderr
    run = chat.run("%%h2o --no-vision\nWhat is in {fig}?", "c1")
    assert "m takes text only" in run.stderr
    assert asked(server) == []
    chat.run("%%h2o\nWhat is in {pixels}?", "c1")
    assert "shape (40, 60, 3)" in sent(server)


def test_files_go_along_as_images_and_as_text(
    chat: Notebook, server: ScriptedServer, tmp_path: Path
) -> None:
    chat.run(
        PICTURES + f"folder = {str(tmp_path)!r}\nfig.savefig(f'{{folder}}/a b.png')"
    )
    (tmp_path / "data.csv").write_text("city,size\nRome,3\n")
    line = "--vision --attach '{folder}/a b.png' --attach {folder}/data.csv"
    chat.run(f"%%h2o {line}\nCompare.", "c1")
    text, image = sent(server)
    assert text["text"].startswith("Compare.\n\n`data.csv`:\n\n")
    assert "Rome,3" in text["text"]
    assert text["text"].endswith("Images: `a b.png`")
    assert image["type"] == "image_url"
    run = chat.run("%h2o ask --attach {folder}/dat.csv Hi")
    assert "dat.csv: did you mean 'data.csv'?" in run.stderr


def test_python_attaches_the_same(chat: Notebook, server: ScriptedServer) -> None:
    chat.run(PICTURES)
    run: Run = chat.run(
        "import h2o_magic\n"
        "h2o_magic.session().ask('What?', attach=[fig, photo], vision=True).read()"
    )
    assert run.status == "ok", run.outputs
    assert [part["type"] for part in sent(server)] == ["text", "image_url", "image_url"]


# Code


class Coder(OpenAIScript):
    """Writes code by nothing but the request: the names it says, and the columns."""

    def __call__(self, request: Request) -> Answer:
        if request.path.endswith("/chat/completions"):
            told, question = (each["content"] for each in request.json["messages"])
            (name,) = re.findall(r"question shows: `(\w+)`", told)
            rows = [line.split(" | ") for line in question.split("\n") if "|" in line]
            kinds = {row[1]: row[0].removeprefix("| ") for row in rows if len(row) > 2}
            code = f"by_group = {name}.groupby({kinds['str']!r})[{kinds['float64']!r}]"
            text = f"```python\n{code}.mean().to_dict()\n```"
            self.queued = [events(said(text, model="m"), chunk({}, "stop"), DONE)]
        return super().__call__(request)


def test_code_is_written_for_the_names_and_columns_and_runs(
    chat: Notebook, server: ScriptedServer
) -> None:
    server.script = Coder()
    chat.run(FRAME)
    chat.run("%%h2o --as code --out made\nThe mean for each city of {df}?", "c1")
    run = chat.run("exec(made.code[0])\nby_group")
    assert run.status == "ok", run.outputs
    assert run.plain == "{'Oslo': nan, 'Rome': 1.75}"
