"""Answers side by side in a real kernel: what is sent to the front end, and stays."""

from __future__ import annotations

import json
import threading
from collections.abc import Iterator
from typing import Any

import pytest

from tests.backends.scripted import ScriptedServer
from tests.by_question import Steps, answering
from tests.kernel.conftest import Notebook, Run, running_kernel

PARTS = 12
#: Characters of a part: two paragraphs, and where it ends.
PARAGRAPH = "Some words of an answer that goes on. " * 20


@pytest.fixture(scope="module")
def script() -> dict[str, Steps | int]:
    return {m: [f"**{m}** says `x < y`"] for m in "abc"}


@pytest.fixture(scope="module")
def server(script: dict[str, Steps | int]) -> Iterator[ScriptedServer]:
    with answering(script) as running:
        yield running


@pytest.fixture(scope="module")
def kernel(
    server: ScriptedServer, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Notebook]:
    home = str(tmp_path_factory.mktemp("home"))
    with running_kernel(H2O_MAGIC_HOME=home) as made:
        made.run(f"%load_ext h2o_magic\n%config H2OMagics.server = '{server.url}'")
        yield made


def drawn(run: Run) -> list[dict[str, Any]]:
    return run.of("display_data") + run.of("update_display_data")


def test_one_output_has_columns_and_sections(kernel: Notebook) -> None:
    run = kernel.run("%%h2o --model a,b,c\nhi", "c1")
    (output,) = run.outputs
    shown = output["data"]
    for model, head in zip("abc", ("a ✓", "b", "c"), strict=True):
        assert f"### {head}\n\n**{model}** says `x < y`\n\n<sub>" in run.markdown
        assert f"── {head} ──\n\n**{model}** says `x < y`\n\n[" in run.plain
        cell = f"{head}</h4><p><strong>{model}</strong> says <code>x &lt; y</code></p>"
        assert cell in shown["text/html"]
    assert shown["text/html"].count("<sub>") == 4
    assert (
        "The conversation goes on with a. To go on with another, add `--use b`"
        in run.markdown
    )
    assert run.of("clear_output") == []
    assert len({each["transient"]["display_id"] for each in drawn(run)}) == 1


def test_using_another_answer_asks_nothing_again(
    kernel: Notebook, server: ScriptedServer
) -> None:
    kernel.run("%%h2o --model a,b\nwho?", "c2")
    requests = len(server.requests)
    run = kernel.run("%%h2o --model a,b --use b\nwho?", "c2")
    assert len(server.requests) == requests
    assert "### a\n\n**a** says" in run.markdown
    assert "The conversation goes on with b" in run.markdown
    kernel.run("%%h2o --model c\nand now?", "c3")
    (last,) = [r for r in server.requests if b"and now?" in r.body]
    assert "**b** says `x < y`" in [m["content"] for m in last.json["messages"]]
    kernel.run("%%h2o --model a,b --use b\nwho else?", "c2")
    assert len(server.requests) == requests + 3


def test_messages_stay_as_small_however_long_the_answers_are(
    kernel: Notebook, script: dict[str, Steps | int]
) -> None:
    gates = [threading.Event() for _ in range(PARTS)]
    for model in "abc":
        steps: list[str | threading.Event] = []
        for number, gate in enumerate(gates):
            steps += [f"{PARAGRAPH}\n\n{PARAGRAPH}\n\nend {number}\n\n", gate]
        script[model] = [*steps, "over"]
    request = kernel.start("%%h2o --model a,b,c\nlong", "c4")
    run, sizes = Run(""), []
    for number, gate in enumerate(gates):

        def came(more: Run, number: int = number) -> bool:
            last = drawn(more)[-1:]
            return bool(last) and _html(last[0]).count(f"end {number}</p>") == 3

        more = kernel.read(request, came)
        sizes.append(len(json.dumps(drawn(more)[-1])))
        run.messages += more.messages
        gate.set()
    run = kernel.finish(request, run)
    assert max(sizes) <= 1.1 * sizes[1]  # full from the second part on
    assert len(run.markdown) > 3 * PARTS * 2 * len(PARAGRAPH)
    updates = [m for m in run.messages if "display_data" in m["msg_type"]]
    took = (
        updates[-1]["header"]["date"] - updates[0]["header"]["date"]
    ).total_seconds()
    assert len(updates) <= 12 * took + 3


def _html(content: dict[str, Any]) -> str:
    return str(content["data"].get("text/html", ""))
