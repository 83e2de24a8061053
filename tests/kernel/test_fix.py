"""``%h2o fix`` in a real kernel, against a server whose answers the tests write."""

from __future__ import annotations

import threading
from pathlib import Path
from typing import Any

import pytest

from tests.kernel.conftest import TIMEOUT, Notebook, Run
from tests.stand_in import CUT, StandIn

FIXED = "You divided by zero.\n\n```python\nprint(1 / 1)\n```\n"


def fix(notebook: Notebook, line: str = "%h2o fix") -> tuple[Run, list[dict[str, Any]]]:
    """Run the line, and return the run with the payloads of its reply."""
    request = notebook.start(line)
    more = notebook.read(
        request, lambda run: {"execution_state": "idle"} in run.of("status")
    )
    while True:
        reply = notebook.client.get_shell_msg(timeout=TIMEOUT)
        if reply["parent_header"].get("msg_id") == request:
            break
    return Run(reply["content"]["status"], more.messages), reply["content"].get(
        "payload", []
    )


def shown(run: Run) -> str:
    """Return everything that is shown, as Markdown where it is."""
    return "\n".join(
        str(o.get("data", {}).get("text/markdown", o.get("text", o.get("traceback"))))
        for o in run.outputs
    )


def question(server: StandIn) -> str:
    return str(server.asked[-1]["inputs"])


def test_the_corrected_cell_is_offered_and_not_run(
    chat: Notebook, server: StandIn
) -> None:
    server.script = [FIXED]
    chat.run("rate = 0\nprint(1 / rate)")
    run, payload = fix(chat)
    assert run.status == "ok"
    assert payload == [
        {"source": "set_next_input", "text": "print(1 / 1)", "replace": False}
    ]
    assert "You divided by zero" in shown(run)
    assert shown(run).startswith("About `In[2]`: `ZeroDivisionError: division by zero`")
    assert "has not been run" in shown(run)
    asked = question(server)
    assert "rate = 0\nprint(1 / rate)" in asked
    assert "The cell, line 2" in asked
    assert "`rate` (int):" in asked
    assert run.stderr == ""


def test_a_synonym_and_options(chat: Notebook, server: StandIn) -> None:
    server.script = [FIXED]
    chat.run("1 / 0")
    run, payload = fix(chat, "%h2o error --model falcon-7b --no-history")
    assert run.status == "ok"
    assert len(payload) == 1
    assert server.bodies("/conversation")[-1]["model"].endswith("falcon-7b-v3")
    assert "0 turns" in chat.run("%h2o status").markdown


def test_one_can_ask_on(chat: Notebook, server: StandIn) -> None:
    server.script = [FIXED]
    chat.run("1 / 0")
    fix(chat)
    chat.run("%%h2o\nwhy is that?", "c9")
    assert server.asked[-1]["inputs"] == "why is that?"
    assert "2 turns" in chat.run("%h2o status").markdown


def test_a_syntax_error(chat: Notebook, server: StandIn) -> None:
    server.script = ["A colon is missing.\n\n```\nfor x in []:\n    pass\n```"]
    chat.run("for x in []\n    pass")
    _, payload = fix(chat)
    assert [p["text"] for p in payload] == ["for x in []:\n    pass"]
    assert "SyntaxError" in question(server)
    assert "for x in []\n" in question(server)


def test_an_error_in_an_imported_module(
    chat: Notebook, server: StandIn, tmp_path: Path
) -> None:
    (tmp_path / "shop.py").write_text("def price(item):\n    return item['price']\n")
    chat.run(f"import sys; sys.path.insert(0, {str(tmp_path)!r})")
    chat.run("import shop\nitem = {'name': 'tea'}\nshop.price(item)")
    fix(chat)
    asked = question(server)
    assert "return item['price']" in asked
    assert "KeyError: 'price'" in asked
    assert "{'name': 'tea'}" in asked


def test_a_chain_of_exceptions(chat: Notebook, server: StandIn) -> None:
    chat.run("try:\n    int('x')\nexcept ValueError:\n    {}['missing']")
    fix(chat)
    assert "ValueError: invalid literal" in question(server)
    assert "KeyError: 'missing'" in question(server)


def test_without_an_error_nothing_is_asked(chat: Notebook, server: StandIn) -> None:
    run, payload = fix(chat)
    assert run.status == "ok"
    assert shown(run).startswith("No error to explain")
    assert (payload, server.asked) == ([], [])


def test_cells_that_succeed_since_are_passed_over(
    chat: Notebook, server: StandIn
) -> None:
    chat.run("1 / 0")
    chat.run("fine = 1")
    fix(chat)
    assert "1 / 0" in question(server)


def test_an_interrupted_cell_is_no_error(chat: Notebook, server: StandIn) -> None:
    request = chat.start("print('on', flush=True)\nimport time\ntime.sleep(60)")
    seen = chat.read(request, lambda r: bool(r.of("stream")))
    chat.manager.interrupt_kernel()
    chat.finish(request, seen)
    run, _ = fix(chat)
    assert shown(run).startswith("No error to explain")


def test_refusals_of_this_package_are_no_error(chat: Notebook) -> None:
    chat.run("%h2o nonsense")
    chat.run("%%h2o --nonsense\nhello", "c1")
    run, _ = fix(chat)
    assert shown(run).startswith("No error to explain")


def test_a_huge_traceback_is_cut(chat: Notebook, server: StandIn) -> None:
    chat.run("raise ValueError('x' * 1_000_000)")
    fix(chat)
    assert len(question(server)) < 20_000
    assert "characters left out" in question(server)


def test_a_secret_in_a_variable_is_not_sent(chat: Notebook, server: StandIn) -> None:
    chat.run(
        "password = 'correct-horse-battery'\n"
        "def log_in(word):\n    raise ValueError(f'{word} is wrong')\n"
        "log_in(password)"
    )
    fix(chat)
    assert server.asked
    assert "correct-horse-battery" not in str(server.requests)


def test_braces_of_the_cell_stay_as_they_are(chat: Notebook, server: StandIn) -> None:
    chat.run("name = 'Ada'\nprint(f'{name}' + 1)")
    fix(chat)
    assert "print(f'{name}' + 1)" in question(server)


@pytest.mark.parametrize("text", ["Only words.", "```bash\nls\n```"])
def test_an_answer_without_code_offers_nothing(
    chat: Notebook, server: StandIn, text: str
) -> None:
    server.script = [text]
    chat.run("1 / 0")
    run, payload = fix(chat)
    assert payload == []
    assert "the answer contains no code" in shown(run)


def test_an_answer_that_was_cut_offers_nothing(chat: Notebook, server: StandIn) -> None:
    server.script = ["So:\n\n```python\nprint("]
    server.details = {"finish_reason": "length"}
    chat.run("1 / 0")
    run, payload = fix(chat)
    assert payload == []
    assert "reached its maximum length" in shown(run)


def test_a_stopped_answer_offers_nothing(chat: Notebook, server: StandIn) -> None:
    server.script = ["So:\n\n```python\nprint(1)\n```\n", threading.Event()]
    chat.run("1 / 0")
    request = chat.start("%h2o fix", "c1")
    seen = chat.read(request, lambda r: any("print(1)" in str(o) for o in r.outputs))
    chat.manager.interrupt_kernel()
    run = chat.finish(request, seen)
    assert "No corrected cell is offered" in shown(run)
    # The stopped answer is no error of the user's: the last one is still that.
    server.stopped.clear()
    server.script = [FIXED]
    _, payload = fix(chat)
    assert len(payload) == 1


def test_an_answer_that_breaks_off_offers_nothing(
    chat: Notebook, server: StandIn
) -> None:
    server.script = ["```python\nprint(1)\n```", CUT]
    chat.run("1 / 0")
    run, payload = fix(chat)
    assert run.status == "error"
    assert [p for p in payload if p["source"] == "set_next_input"] == []


@pytest.mark.parametrize("line", ["%h2o fix --as json", "%h2o fix this please"])
def test_what_does_not_fit_is_refused(
    chat: Notebook, server: StandIn, line: str
) -> None:
    chat.run("1 / 0")
    run, _ = fix(chat, line)
    assert run.stderr.startswith("UsageError: %h2o fix:")
    assert server.asked == []
