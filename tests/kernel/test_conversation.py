"""``%h2o`` about the conversation, in a real kernel, with a scripted server."""

from __future__ import annotations

import re
import threading
from pathlib import Path

import pytest
from markdown_it import MarkdownIt

from tests.kernel.conftest import Notebook, running_kernel
from tests.stand_in import CUT, StandIn


def answer(chat: Notebook, server: StandIn, text: str, cell: str, line: str) -> str:
    """Run a cell that is answered with `text`, and return what it shows."""
    server.script = [text]
    return chat.run(line, cell).markdown


def sent(server: StandIn) -> list[str]:
    """The messages with which the last conversation on the server was made."""
    created = [b for b in server.bodies("/conversation") if "model" in b]
    return [m["content"] for m in created[-1].get("messages") or []]


def rows(markdown: str) -> list[list[str]]:
    lines = [line for line in markdown.splitlines() if line.startswith("| ")][2:]
    return [line[2:-2].split(" | ") for line in lines]


#: The tags of a table, and of the paragraphs around it.
TABLE_TAGS = "table thead tbody tr th td p"


def unescaped(markdown: str) -> str:
    text = re.sub(r"</?(span|code)>", "", markdown)
    return re.sub(r"\\([!-/:-@\[-`{-~])", r"\1", text).replace("&lt;", "<")


def history(chat: Notebook, options: str = "") -> list[list[str]]:
    return rows(unescaped(chat.run(f"%h2o history {options}").markdown))


def test_an_empty_conversation_has_friendly_words(chat: Notebook) -> None:
    assert chat.run("%h2o history").markdown == "Thread main has no turns yet."
    assert "Nothing to clear" in chat.run("%h2o reset").markdown
    assert "Nothing to undo" in chat.run("%h2o undo").markdown
    assert "Nothing to redo" in chat.run("%h2o redo").markdown
    run = chat.run("%h2o retry")
    assert run.status == "error"
    assert "ask something first" in run.stderr


def test_two_threads_see_only_what_is_their_own(
    chat: Notebook, server: StandIn
) -> None:
    answer(chat, server, "Paris.", "c1", "%%h2o\ncapital of France?")
    shown = answer(chat, server, "A haiku.", "c2", "%%h2o --thread poems\nwrite one")
    assert "thread poems" in shown
    assert sent(server) == []  # nothing of the first thread
    answer(chat, server, "Lyon.", "c3", "%%h2o\nand the next in size?")
    answer(chat, server, "Another.", "c4", "%%h2o --thread poems\none more")
    threads = rows(unescaped(chat.run("%h2o threads").markdown))
    assert [(name, turns) for name, turns, *_ in threads] == [
        ("main ✓", "2"),
        ("poems", "2"),
    ]
    assert [row[1] for row in history(chat)] == [
        "capital of France?",
        "and the next in size?",
    ]
    # On a server that forgot, each thread is told its own turns only.
    chat.run(
        f"%config H2OMagics.server = ''\n%config H2OMagics.server = '{server.url}'"
    )
    answer(chat, server, "Third.", "c5", "%%h2o --thread poems\na third")
    assert sent(server) == ["write one", "A haiku.", "one more", "Another."]


def test_going_to_a_thread_and_forking_one(chat: Notebook, server: StandIn) -> None:
    for number in (1, 2, 3):
        answer(chat, server, f"Answer {number}.", f"c{number}", f"%%h2o\nq{number}")
    assert chat.run("%h2o thread").markdown == "The current thread is main: 3 turns."
    said = unescaped(chat.run("%h2o fork 'plan b' --at 2").markdown)
    assert said == ("Copied 2 turns of main. Switched to thread plan b.")
    answer(chat, server, "Other.", "c4", "%%h2o\nand instead?")
    assert sent(server) == ["q1", "Answer 1.", "q2", "Answer 2."]
    assert [row[1] for row in history(chat)] == ["q1", "q2", "and instead?"]
    assert "3 turns" in chat.run("%h2o thread main").markdown
    assert [row[1] for row in history(chat)] == ["q1", "q2", "q3"]
    assert "to a new thread blank" in chat.run("%h2o thread blank").markdown
    value = chat.run("%config H2OMagics.thread").of("execute_result")
    assert value[0]["data"]["text/plain"] == "'blank'"


def test_a_reset_is_taken_back_and_made_again(chat: Notebook, server: StandIn) -> None:
    answer(chat, server, "One.", "c1", "%%h2o\nfirst")
    said = chat.run("%h2o reset").markdown
    assert said == "Cleared 1 turn: main starts over. `%h2o undo` reverts this."
    assert "no turns yet" in chat.run("%h2o history").markdown
    assert chat.run("%h2o undo").markdown == "Restored 1 turn of main."
    answer(chat, server, "Two.", "c2", "%%h2o\nsecond")
    assert sent(server) == ["first", "One."]
    chat.run("%h2o undo")
    assert [row[1] for row in history(chat)] == ["first"]
    chat.run("%h2o redo")
    assert [row[1] for row in history(chat)] == ["first", "second"]


def test_what_is_erased_is_gone_from_the_disk(
    chat: Notebook, server: StandIn, home: Path
) -> None:
    answer(chat, server, "xyzzy-answer", "c1", "%%h2o\nxyzzy-question")
    assert "cannot be undone" in chat.run("%h2o reset --erase").markdown
    assert "Nothing to undo" in chat.run("%h2o undo").markdown
    files = [path for path in home.rglob("*") if path.is_file()]
    assert all(b"xyzzy" not in path.read_bytes() for path in files)


def test_a_dropped_turn_is_not_sent_until_it_is_back(
    chat: Notebook, server: StandIn
) -> None:
    for number in (1, 2):
        answer(chat, server, f"Answer {number}.", f"c{number}", f"%%h2o\nq{number}")
    assert "Removed turn 1 from main: “q1”." in unescaped(
        chat.run("%h2o drop 1").markdown
    )
    answer(chat, server, "Answer 3.", "c3", "%%h2o\nq3")
    assert sent(server) == ["q2", "Answer 2."]
    chat.run("%h2o undo\n%h2o undo")
    assert [row[1] for row in history(chat)] == ["q1", "q2"]


def test_retry_asks_the_last_question_again_in_its_place(
    chat: Notebook, server: StandIn
) -> None:
    answer(chat, server, "One.", "c1", "%%h2o\nfirst")
    answer(chat, server, "Two.", "c2", "%%h2o --seed 7\nsecond")
    shown = answer(chat, server, "Zwei.", "c3", "%h2o retry --temperature 0.9")
    assert shown.startswith("Zwei.")
    body = server.asked[-1]
    assert body["inputs"] == "second"
    assert body["parameters"]["temperature"] == 0.9
    assert sent(server) == ["first", "One."]
    assert [row[1:3] for row in history(chat)] == [
        ["first", "One."],
        ["second", "Zwei."],
    ]
    assert "Restored the previous answer" in chat.run("%h2o undo").markdown
    assert history(chat)[-1][2] == "Two."


def test_the_history_marks_what_a_run_out_of_order_left(
    chat: Notebook, server: StandIn
) -> None:
    answer(chat, server, "One.", "c1", "%%h2o\nfirst")
    answer(chat, server, "Two.", "c2", "%%h2o\nsecond")
    answer(chat, server, "Three.", "c3", "%%h2o --new\nthird")
    assert "1" in answer(chat, server, "Uno.", "c1", "%%h2o\nfirst again")
    listed = history(chat)
    assert [row[1] for row in listed] == ["first again", "second", "third"]
    assert [row[5] for row in listed] == [
        "",
        "asked before an earlier answer changed",
        "new, asked before an earlier answer changed",
    ]


def test_the_history_marks_answers_that_are_not_whole(
    chat: Notebook, server: StandIn
) -> None:
    server.script = ["Half", " an", CUT]
    chat.run("%%h2o\nbroken", "c1")
    assert server.stopped.wait(60)
    server.stopped.clear()  # which the client asked for when the line was cut
    server.script = ["Half", threading.Event()]
    request = chat.start("%%h2o\nstopped", "c2")
    seen = chat.read(request, lambda r: any("Half" in str(o) for o in r.outputs))
    chat.manager.interrupt_kernel()
    chat.finish(request, seen)
    assert [row[5] for row in history(chat)] == ["failed", "stopped"]
    assert "■ failed" in chat.run("%h2o show 1").markdown
    assert "■ stopped" in chat.run("%h2o show 2").markdown


def test_text_of_the_user_and_the_model_never_acts_in_a_table(
    chat: Notebook, server: StandIn
) -> None:
    answer(
        chat, server, "<img src=x> $y$ |", "c1", "%%h2o\n**a** | `b` <script>\n[c](d)"
    )
    markdown = chat.run("%h2o history").markdown
    page = MarkdownIt("commonmark").enable("table").render(markdown)
    acts = set(re.findall(r"<(\w+)", page)) - set(TABLE_TAGS.split())
    assert acts <= {"span"}
    assert "**a** | `b` &lt;script&gt; [c](d)" in page
    (output,) = chat.run("%h2o history").outputs
    assert "**a** | `b` <script> [c](d)" in output["data"]["text/plain"]


def test_show_and_the_full_history_show_answers_as_they_are(
    chat: Notebook, server: StandIn
) -> None:
    answer(chat, server, "# One\n\n- a", "c1", "%%h2o\nfirst\n  line")
    answer(chat, server, "*Two*", "c2", "%%h2o\nsecond")
    markdown = chat.run("%h2o show 1").markdown
    assert (
        "\n\n> first<br>&nbsp;&nbsp;line\n\n# One\n\n- a\n\n<sub>llama-13b" in markdown
    )
    run = chat.run("%h2o history --full")
    first, second = (o["data"]["text/markdown"] for o in run.outputs)
    assert (first, "*Two*" in second) == (markdown, True)
    run = chat.run("%h2o show 3")
    assert run.status == "error"
    assert run.stderr.count("\n") == 1


def test_the_history_goes_as_far_back_as_it_is_asked(
    chat: Notebook, server: StandIn
) -> None:
    asks = "\n".join(f"%h2o ask q{number}" for number in range(1, 54))
    server.script = ["Yes."]
    chat.run(asks, "c1")
    run = chat.run("%h2o history")
    assert run.markdown.startswith(
        "… and 3 earlier turns: `%h2o history --last 53`\n\n| "
    )
    assert len(rows(run.markdown)) == 50
    assert len(history(chat, "--last 53")) == 53
    assert [row[1] for row in history(chat, "--last 2")] == ["q52", "q53"]


def test_no_history_asks_outside_the_conversation(
    chat: Notebook, server: StandIn
) -> None:
    answer(chat, server, "One.", "c1", "%%h2o\nfirst")
    shown = answer(chat, server, "Aside.", "c2", "%%h2o --no-history\naside")
    assert "outside the conversation" in shown
    assert sent(server) == []
    assert [row[1] for row in history(chat)] == ["first"]


def test_new_begins_a_conversation_and_later_turns_are_of_it(
    chat: Notebook, server: StandIn
) -> None:
    answer(chat, server, "One.", "c1", "%%h2o\nfirst")
    answer(chat, server, "Two.", "c2", "%%h2o --new\nsecond")
    assert sent(server) == []
    chat.run(
        f"%config H2OMagics.server = ''\n%config H2OMagics.server = '{server.url}'"
    )
    shown = answer(chat, server, "Three.", "c3", "%%h2o\nthird")
    assert sent(server) == ["second", "Two."]
    assert "sent" not in shown
    assert [row[5] for row in history(chat)] == ["", "new", ""]


def test_the_footer_says_how_much_of_the_conversation_was_sent(
    chat: Notebook, server: StandIn
) -> None:
    for number in (1, 2, 3):
        answer(chat, server, f"Answer {number}.", f"c{number}", f"%%h2o\nq{number}")
    shown = answer(chat, server, "Four.", "c4", "%%h2o --max-turns 1\nq4")
    assert "sent 1 of 3 turns" in shown
    assert sent(server) == ["q3", "Answer 3."]
    assert "sent 1 of 3 turns" in chat.run("%h2o show 4").markdown
    chat.run("%config H2OMagics.max_turns = 0")
    assert "sent 0 of 4 turns" in answer(chat, server, "Five.", "c5", "%%h2o\nq5")
    assert sent(server) == []


def test_a_conversation_goes_through_a_file_into_a_fresh_kernel(
    chat: Notebook, server: StandIn, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    answer(chat, server, "# One\n\n$x$ | *y*", "c1", "%%h2o\nfirst")
    answer(chat, server, "Two.", "c2", "%%h2o\nsecond")
    chat.run(f"import os; os.chdir({str(tmp_path)!r})")
    said = unescaped(chat.run("%h2o export 'my chat.json'").markdown)
    assert re.fullmatch(
        r"Exported 2 turns of main to my chat\.json, \d+ (bytes|KB)\.", said
    )
    assert (tmp_path / "my chat.json").exists()
    before = chat.run("%h2o history").markdown
    again = chat.run("%h2o export 'my chat.json'")
    assert "--overwrite" in again.stderr
    assert again.stderr.count("\n") == 1
    assert chat.run("%h2o export 'my chat.json' --overwrite").status == "ok"

    monkeypatch.setenv("H2O_MAGIC_HOME", str(tmp_path / "elsewhere"))
    with running_kernel() as fresh:
        fresh.run(f"%load_ext h2o_magic\n%config H2OMagics.server = '{server.url}'")
        fresh.run(f"import os; os.chdir({str(tmp_path)!r})")
        said = unescaped(fresh.run("%h2o import 'my chat.json'").markdown)
        assert said == (
            "Imported from my chat.json: 2 turns in main. `%h2o undo` reverts this."
        )
        assert fresh.run("%h2o history").markdown == before
        answer(fresh, server, "Three.", "d1", "%%h2o\nthird")
        assert sent(server) == ["first", "# One\n\n$x$ | *y*", "second", "Two."]
        said = unescaped(fresh.run("%h2o import 'my chat.json'").markdown)
        assert said == (
            "Imported from my chat.json: 2 turns in main-2. "
            "Switch to it: `%h2o thread main-2`."
        )


def test_status_shows_settings_conversation_and_where_it_is_kept(
    chat: Notebook, server: StandIn, home: Path
) -> None:
    answer(chat, server, "One.", "c1", "%%h2o\nfirst")
    chat.run("%config H2OMagics.max_turns = 3")
    chat.run("%h2o thread ideas\n%h2o thread main")
    listed = {
        row[0]: row[1:] for row in rows(unescaped(chat.run("%h2o status").markdown))
    }
    assert listed["server"] == [f"`{server.url}`", "%config"]
    assert listed["max_turns"] == ["3 turns", "%config"]
    assert listed["strict"] == ["off", "default"]
    assert "temperature" not in listed  # nobody set it, so it is the server's
    assert listed["thread"][0] == "main"
    assert listed["conversation"][0] == "1 turn, 1 of them complete"
    assert Path(listed["saved in"][0]).is_relative_to(home)
    assert Path(listed["saved in"][0]).exists()


#: Lines that are typed wrongly, and what the one line of their error says.
WRONG = [
    ("threads x", "expected nothing after it, got 'x'"),
    ("thread -x", "unknown option -x"),
    ("fork", "expected NEW"),
    ("fork main", "main"),
    ("fork new --at 7", "7"),
    ("reset --alll", "did you mean '--all'?"),
    ("reset --thread mian", "did you mean 'main'?"),
    ("drop 7", "7"),
    ("show x", "expected a whole number from 1"),
    ("history --last 0", "expected a whole number from 1"),
    ("undo --treads x", "did you mean '--thread'?"),
    ("retry what?", "expected options, got 'what?'"),
    ("retry --temprature 1", "did you mean '--temperature'?"),
    ("export chat.doc", ".json"),
    ("import nothing.json", "nothing.json cannot be read"),
]


def test_a_users_error_is_one_line_and_changes_nothing(
    chat: Notebook, server: StandIn
) -> None:
    answer(chat, server, "One.", "c1", "%%h2o\nfirst")
    before = chat.run("%h2o history").markdown
    for line, words in WRONG:
        run = chat.run(f"%h2o {line}")
        assert run.status == "error", line
        assert run.stderr.startswith("UsageError: "), line
        assert words in run.stderr
        assert run.stderr.count("\n") == 1
        assert run.of("display_data") == []
    assert chat.run("%h2o history").markdown == before
    assert len(server.asked) == 1
