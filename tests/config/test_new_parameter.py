"""A new generation parameter is one row: what all else makes of it.

A process of its own reads the module of parameters with one row more, before anything
else of the package is imported.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from tests.docs.pages import ROOT

ROW = """    Parameter(
        "made_up",
        float,
        "Made up for a test.",
        "must be a number from 0 to 9",
        openai="made_up_field",
        servers={"vllm": "vllm_made_up", "ollama": ""},
        engine="made_up_in_the_engine",
        least=0,
        most=9,
    ),
"""

ONE_MORE = """
import importlib.util, pathlib, sys

name = "h2o_magic.config.parameters"
spec = importlib.util.find_spec(name)
text = pathlib.Path(spec.origin).read_text("utf-8")
start = "_TABLE = (\\n"
assert text.count(start) == 1
module = sys.modules[name] = importlib.util.module_from_spec(spec)
exec(compile(text.replace(start, start + ROW), spec.origin, "exec"), vars(module))
"""

LOOK = """
import contextlib, io, json, runpy
from h2o_magic.backends.base import ChatRequest
from h2o_magic.backends.openai.request import make_body
from h2o_magic.chat_panel import fields
from h2o_magic.errors import H2OMagicError
from h2o_magic.conversation.formats.ipynb_cell import write_source
from h2o_magic.chat.messages import user
from h2o_magic.conversation.session import Session
from h2o_magic.config.parameters import checked
from h2o_magic.server.gptgm.sampling import parse_sampling
from h2o_magic.config.settings import Settings
from h2o_magic.chat.turns import Turn
from IPython.core.interactiveshell import InteractiveShell
from IPython.utils.capture import capture_output

seen = {}

def refused(do):
    try:
        do()
    except H2OMagicError as error:
        return str(error)

shell = InteractiveShell.instance()
shell.run_line_magic("load_ext", "h2o_magic")
with capture_output() as out:
    shell.run_cell("%%h2o --help")
seen["help"] = out.stdout + "".join(o._repr_mime_("text/plain") for o in out.outputs)
with capture_output() as out:
    shell.run_line_magic("config", "H2OMagics")
seen["config"] = out.stdout

with contextlib.closing(Session()) as session:
    session.configure(made_up=3)
    session.save_preset("mine")
    seen["preset"] = session.presets()["mine"]["made_up"]
    field = fields.field(fields.SETTINGS["made_up"])
    values = {v["name"]: v["text"] for v in fields.values(session.settings, None)}
    seen["panel"] = [field["title"], field["kind"], values["made_up"]]
    seen["python"] = refused(lambda: session.ask("Hi", made_up=10))
seen["variable"] = Settings({"H2O_MAGIC_MADE_UP": "4"})["made_up"]
turn = Turn("Hi", facts={"parameters": {"made_up": 3.0}})
seen["export"] = write_source(turn, "main")

request = ChatRequest("m", (user("Hi"),), parameters=checked({"made_up": 3}))
for flavour in ("standard", "vllm", "h2o_magic"):
    seen[flavour] = dict(make_body(request, flavour, "http://x").document)
seen["ollama"] = refused(lambda: make_body(request, "ollama", "http://x"))

seen["engine"] = parse_sampling({"made_up": 3}).engine_options
tables = runpy.run_path(DOCS)["tables"]()
seen["docs"] = [table for page in tables.values() for table in page]
print("SEEN", json.dumps(seen))
"""


@pytest.fixture(scope="module", name="seen")
def _seen(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Any]:
    home = tmp_path_factory.mktemp("home")
    docs = str(ROOT / "docs" / "make_tables.py")
    code = f"ROW = {ROW!r}\nDOCS = {docs!r}\n{ONE_MORE}{LOOK}"
    done = subprocess.run(
        [sys.executable, "-c", code],
        env={**os.environ, "H2O_MAGIC_HOME": str(home), "IPYTHONDIR": str(home)},
        cwd=Path(__file__).parents[2],
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    (line,) = [x for x in done.stdout.splitlines() if x.startswith("SEEN ")]
    seen: dict[str, Any] = json.loads(line.removeprefix("SEEN "))
    return seen


def test_it_is_in_the_help_of_cells_and_in_config(seen: dict[str, Any]) -> None:
    assert "--made-up" in seen["help"]
    assert "Made up for a test." in seen["help"]
    assert "H2OMagics.made_up=<Float>" in seen["config"]
    assert "H2O_MAGIC_MADE_UP" in seen["config"]


def test_it_is_a_setting_of_environment_presets_and_panel(seen: dict[str, Any]) -> None:
    assert seen["variable"] == 4.0
    assert seen["preset"] == 3.0
    assert seen["panel"] == ["Made up", "slider", "3.0"]
    assert seen["export"] == "%%h2o --made-up 3.0\nHi"


def test_a_bad_value_is_refused_here(seen: dict[str, Any]) -> None:
    assert seen["python"] == "`made_up` must be a number from 0 to 9, got 10"


def test_it_is_sent_by_the_name_that_a_server_has_for_it(seen: dict[str, Any]) -> None:
    assert seen["standard"]["made_up_field"] == 3.0
    assert seen["vllm"]["vllm_made_up"] == 3.0
    assert seen["h2o_magic"]["made_up_field"] == 3.0
    assert seen["ollama"].startswith("`made_up` cannot be sent to http://x: ollama")


def test_the_old_protocol_knows_nothing_of_it(seen: dict[str, Any]) -> None:
    assert "made_up_in_the_engine" not in seen["engine"]


def test_it_is_in_the_documentations_tables(seen: dict[str, Any]) -> None:
    options, takers, _ = seen["docs"]
    row = "| `--made-up` | a number from 0 to 9 | Made up for a test. |"
    assert row in options.splitlines()
    assert "| `--made-up` | all but Ollama | no |" in takers.splitlines()
