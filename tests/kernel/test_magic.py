"""The magic in a real kernel, against a server whose answers the tests write."""

from __future__ import annotations

import threading

import pytest

from tests.kernel.conftest import Notebook
from tests.stand_in import CUT, StandIn


def test_a_cell_ends_as_one_markdown_output_with_its_facts(
    chat: Notebook, server: StandIn
) -> None:
    server.script = ["# Hi", "\n\n", "There", "."]
    run = chat.run("%%h2o --model falcon-7b --temperature 0.7\nhello", "c1")
    assert run.status == "ok"
    assert run.markdown.startswith("# Hi\n\nThere.\n\n<sub>falcon-7b")
    assert "text/plain" in run.outputs[0]["data"]
    assert run.facts["model"] == "falcon-7b"
    assert run.facts["status"] == "complete"
    assert run.facts["finish_reason"] == "end"
    assert run.facts["parameters"] == {"temperature": 0.7}


def test_text_appears_before_the_answer_has_ended(
    chat: Notebook, server: StandIn
) -> None:
    gate = threading.Event()
    server.script = ["Once", " upon", gate, " a time"]
    request = chat.start("%%h2o\nhello", "c1")
    seen = chat.read(
        request, lambda r: any("Once upon" in str(o["data"]) for o in r.outputs)
    )
    gate.set()
    run = chat.finish(request, seen)
    assert run.markdown.startswith("Once upon a time")


def test_a_follow_up_is_sent_with_the_turns_before_it(
    chat: Notebook, server: StandIn
) -> None:
    chat.run("%%h2o\nfirst", "c1")
    chat.run("%%h2o\nsecond", "c2")
    asked = [b["inputs"] for b in server.asked]
    assert asked == ["first", "second"]
    created = [b["messages"] for b in server.bodies("/conversation") if "model" in b]
    assert [m["content"] for m in created[-1]] == ["first", "Hello world"]
    assert len(server.bodies("/settings")) == 1


def test_running_a_cell_again_replaces_its_turn(
    chat: Notebook, server: StandIn
) -> None:
    chat.run("%%h2o\nfirst", "c1")
    chat.run("%%h2o\nsecond", "c2")
    chat.run("%%h2o\nsecond, but better", "c2")
    created = [
        b.get("messages") for b in server.bodies("/conversation") if "model" in b
    ]
    assert created[-1] == [
        {"role": "user", "content": "first"},
        {"role": "assistant", "content": "Hello world"},
    ]
    assert "2 turns" in chat.run("%h2o status").markdown


def test_interrupt_keeps_the_text_marks_it_and_frees_the_kernel(
    chat: Notebook, server: StandIn
) -> None:
    server.script = ["Half", " an", threading.Event()]
    request = chat.start("%%h2o\nhello", "c1")
    seen = chat.read(
        request, lambda r: any("Half an" in str(o["data"]) for o in r.outputs)
    )
    chat.manager.interrupt_kernel()
    run = chat.finish(request, seen)
    assert run.status == "error"  # so that a Run All ends here
    answer, error = run.outputs
    assert answer["data"]["text/markdown"].startswith("Half an\n\n<sub>■ stopped")
    assert answer["metadata"]["h2o_magic"]["status"] == "stopped"
    assert error["traceback"] == ["Stopped. The partial answer is kept."]
    assert server.stopped.wait(60)
    assert chat.run("1 + 1").status == "ok"


def test_an_interrupt_before_any_text_leaves_one_line(
    chat: Notebook, server: StandIn
) -> None:
    server.script = [threading.Event()]
    request = chat.start("%%h2o\nhello", "c1")
    seen = chat.read(request, lambda r: len(r.of("display_data")) > 0)
    chat.manager.interrupt_kernel()
    run = chat.finish(request, seen)
    (error,) = run.outputs
    assert error["traceback"] == ["Stopped before any text was received."]


def test_after_an_interrupt_the_conversation_goes_on_without_the_half_answer(
    chat: Notebook, server: StandIn
) -> None:
    server.script = ["Half", threading.Event()]
    request = chat.start("%%h2o\nhello", "c1")
    chat.read(request, lambda r: any("Half" in str(o["data"]) for o in r.outputs))
    chat.manager.interrupt_kernel()
    chat.finish(request)
    server.script = ["Whole"]
    server.stopped.clear()
    run = chat.run("%%h2o\nand now?", "c2")
    assert run.markdown.startswith("Whole")
    assert server.asked[-1]["inputs"] == "and now?"


def test_an_answer_that_breaks_off_is_shown_marked_and_an_error(
    chat: Notebook, server: StandIn
) -> None:
    server.script = ["Half", " an", CUT]
    run = chat.run("%%h2o\nhello", "c1")
    assert run.status == "error"
    answer = run.outputs[0]
    assert answer["data"]["text/markdown"].startswith("Half an\n\n<sub>■ failed")
    assert answer["metadata"]["h2o_magic"]["status"] == "failed"
    assert run.failure.startswith("ServerError: ")
    assert "\n" not in run.failure
    assert run.failure.removeprefix("ServerError: ") not in str(answer["data"])  # once


def test_an_error_event_is_one_line_in_the_servers_words(
    chat: Notebook, server: StandIn
) -> None:
    server.script = [
        {"error": "Model is overloaded", "error_type": "overloaded"},
        CUT,
    ]
    run = chat.run("%%h2o\nhello", "c1")
    assert run.status == "error"
    assert run.failure.startswith("ServerError: Model is overloaded")
    assert "\n" not in run.failure
    assert [o for o in run.outputs if "data" in o] == []


@pytest.mark.parametrize(
    ("cell", "words"),
    [
        ("%%h2o --temprature 1\nhi", "did you mean '--temperature'?"),
        ("%%h2o --temperature -1\nhi", "must be a number, 0 or above"),
        ("%%h2o --top-p 1.5\nhi", "must be > 0.0 and <= 1.0"),
        ("%%h2o --temperature 0 --do-sample\nhi", "leave one out"),
        ("%%h2o --truncate 5\nhi", "`h2o_magic.create_completion(..., truncate=...)`"),
        ("%%h2o --return-full-text\nhi", "belongs to the gpt-gm protocol"),
        ("%%h2o\n   \n", "expected a question"),
        ("%%h2o", "expected a question"),
        ("%%h2o llama\nhi", "put the question on the lines below"),
        ("%h2o modles", "did you mean 'models'?"),
        ("%h2o ask", "expected a question"),
        ("%h2o status now", "expected nothing after it"),
    ],
)
def test_a_user_error_is_one_line_and_nothing_is_sent(
    shared_chat: Notebook, shared_server: StandIn, cell: str, words: str
) -> None:
    run = shared_chat.run(cell)
    assert run.status == "error"
    assert run.stderr.startswith("UsageError: ")
    assert words in run.stderr
    assert run.stderr.count("\n") == 1
    assert shared_server.requests == []


@pytest.mark.parametrize(
    ("address", "words"),
    [("ftp://x", "starts with http:// or https://"), ("http://me:pw@x", "user name")],
)
def test_a_bad_server_address_is_refused_in_one_line_and_not_taken(
    notebook: Notebook, address: str, words: str
) -> None:
    notebook.run("%load_ext h2o_magic")
    run = notebook.run(f"%config H2OMagics.server = {address!r}")
    assert words in run.stderr
    assert "pw" not in run.stderr
    assert run.stderr.count("\n") == 1
    value = notebook.run("%config H2OMagics.server").of("execute_result")
    assert value[0]["data"]["text/plain"] == "''"


def test_a_refused_connection_says_what_to_do_in_one_line(chat: Notebook) -> None:
    chat.run("%config H2OMagics.server = 'http://127.0.0.1:9'")
    run = chat.run("%%h2o\nhello", "c1")
    assert run.failure.startswith("ServerError: ")
    assert "127.0.0.1:9" in run.failure
    assert "\n" not in run.failure


@pytest.mark.parametrize("cell", ["%%h2o --help", "%h2o help", "%h2o", "%h2o ask -h"])
def test_help_lists_options_and_subcommands_and_sends_nothing(
    shared_chat: Notebook, shared_server: StandIn, cell: str
) -> None:
    run = shared_chat.run(cell)
    assert "--max-new-tokens" in run.markdown
    assert "%h2o status" in run.markdown
    assert shared_server.requests == []


def test_options_reach_the_request(chat: Notebook, server: StandIn) -> None:
    chat.run(
        "%%h2o -m falcon-40b -s 'Be brief.' --temperature 0.9 --seed 3 "
        "--stop END --no-do-sample\nhi {not a variable} $HOME",
        "c1",
    )
    created = server.bodies("/conversation")
    assert created[-1]["model"] == "h2oai/h2ogpt-gm-oasst1-en-2048-falcon-40b-v1"
    assert created[-1]["messages"] == [{"role": "system", "content": "Be brief."}]
    body = server.asked[-1]
    assert body["inputs"] == "hi {not a variable} $HOME"
    sent = body["parameters"]
    assert (sent["temperature"], sent["seed"], sent["stop"]) == (0.9, 3, ["END"])
    assert sent["do_sample"] is False


def test_settings_hold_for_later_cells(chat: Notebook, server: StandIn) -> None:
    chat.run("%config H2OMagics.model = 'falcon-7b'")
    chat.run("%config H2OMagics.system = 'Rhyme.'")
    chat.run("%%h2o\nhello", "c1")
    created = server.bodies("/conversation")
    assert created[-1]["model"].endswith("falcon-7b-v3")
    assert created[-1]["messages"][0]["content"] == "Rhyme."


def test_a_line_answer_leaves_the_cells_other_outputs_alone(
    chat: Notebook, server: StandIn
) -> None:
    server.script = ["Fine", "."]
    run = chat.run("print('before')\n%h2o ask how's it \"going\"?", "c1")
    before, answer = run.outputs
    assert before["text"] == "before\n"
    assert answer["data"]["text/markdown"].startswith("Fine.")
    assert server.asked[-1]["inputs"] == 'how\'s it "going"?'


@pytest.mark.parametrize(
    ("cell", "asked"),
    [
        ("%h2o ask what is this?", "what is this?"),
        ("%h2o ask what's this?", "what's this?"),
        ("if True:\n    %h2o ask --seed 1 really??", "really??"),
    ],
)
def test_a_question_mark_at_a_lines_end_is_no_call_for_ipythons_help(
    chat: Notebook, server: StandIn, cell: str, asked: str
) -> None:
    assert chat.run(cell).status == "ok"
    assert [b["inputs"] for b in server.asked] == [asked]


def test_the_magics_own_help_and_text_in_strings_are_left_alone(
    chat: Notebook, server: StandIn
) -> None:
    chat.run("%h2o?")
    run = chat.run("text = '''\n%h2o ask why?\n'''\ntext")
    assert run.of("execute_result")[0]["data"]["text/plain"] == r"'\n%h2o ask why?\n'"
    assert server.requests == []


def test_no_stream_shows_the_end_result_only(chat: Notebook, server: StandIn) -> None:
    server.script = ["word "] * 200
    run = chat.run("%%h2o --no-stream\nhello", "c1")
    assert len(run.of("display_data")) == 1
    assert run.of("update_display_data") == []
    assert run.facts["status"] == "complete"


def test_two_questions_in_one_cell_are_two_turns(chat: Notebook) -> None:
    chat.run("%h2o ask one\n%h2o ask two", "c1")
    chat.run("%h2o ask one\n%h2o ask two", "c1")
    assert "2 turns" in chat.run("%h2o status").markdown


def test_reset_begins_a_new_conversation(chat: Notebook, server: StandIn) -> None:
    chat.run("%%h2o\nfirst", "c1")
    assert "Cleared 1 turn:" in chat.run("%h2o reset").markdown
    chat.run("%%h2o\nsecond", "c2")
    created = server.bodies("/conversation")
    assert "messages" not in created[-1] or created[-1]["messages"] == []


def test_an_empty_answer_is_reported_as_such(chat: Notebook, server: StandIn) -> None:
    server.script = []
    run = chat.run("%%h2o\nhello", "c1")
    assert run.status == "ok"
    assert run.markdown.startswith("*(an empty answer)*")


def test_loading_twice_reloading_and_unloading_leave_the_shell_as_found(
    notebook: Notebook,
) -> None:
    probe = (
        "ip = get_ipython()\n"
        "sum('H2O' in type(c).__name__ for c in ip.configurables), "
        "len(ip.events.callbacks['pre_run_cell']), "
        "len(ip.input_transformers_cleanup), 'h2o' in ip.magics_manager.magics['line']"
    )
    before = notebook.run(probe).of("execute_result")[0]["data"]
    notebook.run("%load_ext h2o_magic")
    loaded = notebook.run(probe).of("execute_result")[0]["data"]
    notebook.run("%load_ext h2o_magic")
    notebook.run("%reload_ext h2o_magic")
    assert notebook.run(probe).of("execute_result")[0]["data"] == loaded
    notebook.run("%unload_ext h2o_magic")
    assert notebook.run(probe).of("execute_result")[0]["data"] == before


def test_a_long_answer_is_sent_linearly(chat: Notebook, server: StandIn) -> None:
    paragraph = "All work and no play makes a dull answer. " * 8 + "\n\n"
    words = [word + " " for word in (paragraph * 40).split(" ")]
    server.script = words
    run = chat.run("%%h2o\nhello", "c1")
    size = sum(map(len, words))
    sent = sum(
        len(str(m["content"]["data"].get("text/markdown", "")))
        for m in run.messages
        if m["msg_type"] in ("display_data", "update_display_data")
    )
    assert sent <= 12 * size
    assert len(run.outputs) == 1


def test_at_most_thirty_outputs_are_on_screen_at_any_time(
    chat: Notebook, server: StandIn
) -> None:
    server.script = ["| a | b |\n|---|---|\n", *["| 1 | 2 |\n"] * 4000]
    run = chat.run("%%h2o\nhello", "c1")
    created = len(run.of("display_data"))
    assert created <= 31  # with the one at the end
