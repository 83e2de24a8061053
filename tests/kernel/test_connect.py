"""Going to a server in a real kernel, with a key that nobody sees."""

from __future__ import annotations

import json
from pathlib import Path

import nbformat
import pytest
from nbclient import NotebookClient

from tests.backends.scripted import Answer, Request, answer, document, serving
from tests.kernel.conftest import TIMEOUT, Notebook

KEY = "geheim-0123456789abcdef"


def script(request: Request) -> Answer:
    """Answer as an OpenAI-compatible server that wants a key."""
    if not request.path.startswith("/v1/"):
        return document({"detail": "Not Found"}, status=404)
    if request.headers.get("authorization") != f"Bearer {KEY}":
        return document({"error": "Unauthorized"}, status=401)
    if request.path == "/v1/models":
        return document({"data": [{"id": "qwen", "owned_by": "vllm"}]})
    delta = {"index": 0, "delta": {"content": "Yes."}, "finish_reason": "stop"}
    chunk = json.dumps({"model": "qwen", "choices": [delta]})
    events = f"data: {chunk}\n\ndata: [DONE]\n\n".encode()
    return answer(events, content_type="text/event-stream")


def test_a_key_that_is_typed_in_is_in_no_message(notebook: Notebook) -> None:
    notebook.run("%load_ext h2o_magic")
    with serving(script) as server:
        code = f"%h2o connect {server.url} --name lab --key-prompt"
        content = {"code": code, "silent": False, "store_history": True}
        content |= {"user_expressions": {}, "allow_stdin": True}
        message = notebook.client.session.msg("execute_request", content)
        notebook.client.shell_channel.send(message)
        asked = notebook.client.get_stdin_msg(timeout=TIMEOUT)
        assert asked["content"] == {
            "prompt": f"Key for {server.url}: ",
            "password": True,
        }
        notebook.client.input(KEY)
        connected = notebook.finish(message["header"]["msg_id"])
        assert connected.plain.startswith(f"Connected to lab ({server.url}): OpenAI-")
        assert connected.plain.endswith("Model: qwen.")
        answered = notebook.run("%%h2o\nHi", "c1")
        assert answered.plain.startswith("Yes.")
        shown = [connected, answered]
        shown += [
            notebook.run(f"%h2o {name}") for name in ("status", "connect", "models")
        ]
        again = notebook.run("%h2o connect local\n%h2o connect lab")
        assert again.status == "ok"
        assert all(run.status == "ok" for run in shown)
        assert KEY not in str([run.messages for run in [*shown, again]])


def test_where_nobody_can_be_asked_one_line_says_so(notebook: Notebook) -> None:
    notebook.run("%load_ext h2o_magic")
    with serving(script) as server:
        run = notebook.run(f"%h2o connect {server.url} --key-prompt")
        assert run.status == "error"
        assert "cannot ask for the key" in run.stderr
        assert len(run.stderr.strip().splitlines()) == 1
        assert server.requests == []


def test_a_notebook_that_is_run_and_saved_holds_no_key(
    home: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("LAB_KEY", KEY)
    with serving(script) as server:
        cells = [
            "%load_ext h2o_magic",
            f"%h2o connect {server.url} --name lab --key-env LAB_KEY",
            "%%h2o\nHi",
            "%h2o status",
            "%config H2OMagics",
        ]
        notebook = nbformat.v4.new_notebook(  # type: ignore[no-untyped-call]
            cells=[nbformat.v4.new_code_cell(cell) for cell in cells]  # type: ignore[no-untyped-call]
        )
        NotebookClient(notebook, timeout=TIMEOUT).execute()
        saved = nbformat.writes(notebook)  # type: ignore[no-untyped-call]
    assert "LAB_KEY in the environment" in saved
    assert KEY not in saved
    files = [p for p in home.rglob("*") if p.is_file()]
    assert {"servers.json", "model-lists.json"} <= {p.name for p in files}
    assert all(KEY.encode() not in p.read_bytes() for p in files)
