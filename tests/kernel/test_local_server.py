"""The whole main job: real kernels, the real local server, the real engine."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from h2o_magic.config.models import DEMO_MODEL, MODELS
from tests.kernel.conftest import Notebook, Run, new_kernel, running_kernel
from tests.local import runtime
from tests.server.client import Client, until
from tests.server.tiny_gguf import write_llama


def answer_of(run: Run) -> str:
    """Return the answer without its caption, which has numbers of its own."""
    return run.markdown.partition("<sub>")[0]


def test_the_first_cell_starts_the_server_and_streams_real_tokens(
    notebook: Notebook, home: Path
) -> None:
    notebook.run("%load_ext h2o_magic")
    run = notebook.run("%%h2o\nWhat is h2o_magic?", "c1")
    assert run.status == "ok", run.stderr
    assert run.facts["model"] == "llama-13b"
    assert run.facts["demo"] is True
    assert run.facts["completion_tokens"] > 5
    assert "llama-13b, built-in demo weights · " in run.markdown
    assert "`%h2o pull smollm2-135m` downloads a real model" in run.markdown
    again = notebook.run("%%h2o\nHow do I stop an answer?", "c2")
    assert "llama-13b (demo) · " in again.markdown
    assert "%h2o pull" not in again.markdown.partition("<sub>")[2]
    (path,) = home.glob("server-*.json")
    assert path.stat().st_mode & 0o777 == 0o600


def test_both_architectures_answer(notebook: Notebook) -> None:
    notebook.run("%load_ext h2o_magic")
    for model in ("llama-13b", "falcon-7b"):
        run = notebook.run(f"%%h2o -m {model}\nHow do I stop an answer?", model)
        assert run.status == "ok", run.stderr
        assert run.facts["model"] == model
        assert run.facts["completion_tokens"] > 5


def test_a_follow_up_is_understood_from_the_turn_before_it(notebook: Notebook) -> None:
    notebook.run("%load_ext h2o_magic")
    notebook.run("%%h2o --no-do-sample\nWhat does the temperature do?", "c1")
    run = notebook.run("%%h2o --no-do-sample\nAnd what is its default?", "c2")
    assert "the model's own" in answer_of(run)


def test_a_killed_server_is_replaced_and_the_conversation_goes_on(
    notebook: Notebook, home: Path
) -> None:
    notebook.run("%load_ext h2o_magic")
    notebook.run("%%h2o --no-do-sample\nWhat does the temperature do?", "c1")
    first = runtime(home)
    os.kill(first["pid"], signal.SIGKILL)
    run = notebook.run("%%h2o --no-do-sample\nAnd what is its default?", "c2")
    assert run.status == "ok", run.stderr
    assert "the model's own" in answer_of(run)
    assert runtime(home)["pid"] != first["pid"]


def test_two_kernels_that_begin_at_once_share_one_server(
    notebook: Notebook, home: Path
) -> None:
    with running_kernel() as other:
        for kernel in (notebook, other):
            kernel.run("%load_ext h2o_magic")
        requests = [kernel.start("%%h2o\nhello") for kernel in (notebook, other)]
        runs = [
            kernel.finish(request)
            for kernel, request in zip((notebook, other), requests, strict=True)
        ]
    assert [run.status for run in runs] == ["ok", "ok"]
    assert {run.facts["server"] for run in runs} == {runtime(home)["url"]}


def test_strict_refuses_demo_weights_in_one_line(notebook: Notebook) -> None:
    notebook.run("%load_ext h2o_magic")
    run = notebook.run("%%h2o --strict\nhello", "c1")
    assert run.status == "error"
    assert run.stderr.startswith("UsageError: ")
    assert "%h2o pull llama-13b" in run.stderr
    assert run.stderr.count("\n") == 1


def test_interrupt_frees_the_servers_slot(
    notebook: Notebook, home: Path, tmp_path: Path
) -> None:
    endless = write_llama(tmp_path / "endless.gguf", context=8192, layers=8)
    notebook.run("%load_ext h2o_magic")
    notebook.run("%%h2o\nhello", "c0")
    greedy = "--no-do-sample --repetition-penalty 1 --max-new-tokens 8000"
    request = notebook.start(f"%%h2o -m {endless} {greedy}\nhello", "c1")
    until(lambda: busy_slots(home) == 1)
    notebook.manager.interrupt_kernel()
    notebook.finish(request)
    until(lambda: busy_slots(home) == 0)


def busy_slots(home: Path) -> int:
    state = runtime(home)
    return Client(state["url"], state["token"]).busy_slots()


def test_status_shows_the_server_its_log_and_no_token(
    notebook: Notebook, home: Path
) -> None:
    notebook.run("%load_ext h2o_magic")
    before = notebook.run("%h2o status").markdown
    assert "not running" in before
    notebook.run("%%h2o\nhello", "c1")
    after = notebook.run("%h2o status").markdown
    state = runtime(home)
    assert state["url"] in after
    assert str(state["pid"]) in after
    assert "server.log" in after
    assert "| model | llama-13b, built-in demo weights | default |" in after
    assert "| temperature | 0.4 | recommended for the demo weights |" in after
    assert "| max_new_tokens | 1,024 tokens | the local server |" in after
    assert state["token"] not in after
    assert state["token"] not in (home / "server.log").read_text()


def test_without_the_server_installed_a_cell_says_what_to_install(
    notebook: Notebook,
) -> None:
    notebook.run(
        "import h2o_magic.backends.local.locate as e\ne.is_installed = lambda: False"
    )
    notebook.run("%load_ext h2o_magic")
    run = notebook.run("%%h2o\nhello", "c1")
    assert run.stderr.startswith("UsageError: ")
    words = "the local server needs packages that are not installed: run `pip install "
    assert words in run.stderr
    assert "xllamacpp" in run.stderr
    assert run.stderr.count("\n") == 1
    assert [o for o in run.outputs if "data" in o] == []
    assert words in notebook.run("%h2o status").markdown


def test_models_says_which_weights_would_answer(notebook: Notebook) -> None:
    notebook.run("%load_ext h2o_magic")
    listing = notebook.run("%h2o models").markdown
    for name in MODELS:
        assert (f"`%h2o pull {name}`" in listing) is (name != DEMO_MODEL)
    assert "built-in demo weights" in listing


def test_a_terminal_prints_plainly(home: Path) -> None:
    code = "%%h2o --no-do-sample\nWhat is h2o_magic?"
    done = subprocess.run(
        [
            sys.executable,
            "-m",
            "IPython",
            "--colors=NoColor",
            "--ext=h2o_magic",
            "-c",
            code,
        ],
        capture_output=True,
        text=True,
        timeout=120,
        check=True,
    )
    assert "h2o_magic" in done.stdout
    assert "[llama-13b" in done.stdout
    assert "<sub>" not in done.stdout
    assert "text/markdown" not in done.stdout


@pytest.mark.usefixtures("home")
@pytest.mark.parametrize("back", [False, True], ids=["nothing", "a conversation"])
def test_loading_costs_no_http_client_no_widgets_and_few_modules(
    tmp_path: Path, *, back: bool
) -> None:
    its = str(tmp_path)  # no other test's notebook has this name
    if back:
        with running_kernel(H2O_MAGIC_NOTEBOOK=its) as notebook:
            notebook.run("%load_ext h2o_magic")
            notebook.run("%%h2o --max-new-tokens 5\nWhat is h2o_magic?")
    with new_kernel(H2O_MAGIC_NOTEBOOK=its) as notebook:
        run = notebook.run(
            "import sys\nbefore = set(sys.modules)\n%load_ext h2o_magic\n"
            "sorted(set(sys.modules) - before)"
        )
    assert ("Restored" in str(run.outputs)) == back
    new = eval(run.of("execute_result")[0]["data"]["text/plain"])
    assert len(new) <= 60
    for name in (
        "requests",
        "ipywidgets",
        "xllamacpp",
        "aiohttp",
        "h2o_magic.server",
    ):
        assert name not in new


@pytest.mark.usefixtures("home")
def test_an_answer_of_the_local_server_imports_no_keyring_widgets_or_server() -> None:
    with new_kernel() as notebook:
        notebook.run("import sys\nbefore = set(sys.modules)\n%load_ext h2o_magic")
        notebook.run("%%h2o --max-new-tokens 5\nWhat is h2o_magic?")
        run = notebook.run("sorted(set(sys.modules) - before)")
    new = eval(run.of("execute_result")[0]["data"]["text/plain"])
    assert {"h2o_magic.rendering.answer_text", "requests"} <= set(new)
    assert {
        "keyring",
        "h2o_magic.server",
        "ipywidgets",
    }.isdisjoint(new)
