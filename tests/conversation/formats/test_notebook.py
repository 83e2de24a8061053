"""``.ipynb``: a notebook that runs, and any notebook with answered questions."""

from __future__ import annotations

import json
from typing import Any

import nbformat
import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from h2o_magic.chat.facts import Facts
from h2o_magic.chat.turns import Thread, Turn
from h2o_magic.conversation.formats.ipynb import read, write
from h2o_magic.errors import ConfigurationError
from h2o_magic.ipython.options import parse_cell_line
from h2o_magic.rendering.footer import answer_markdown, answer_plain
from tests.conversation.formats.conversations import CONVERSATION, FACTS


def notebook(*turns: Turn, name: str = "main") -> Any:
    return json.loads(write((Thread(name, turns),)))


def source(*turns: Turn, name: str = "main") -> str:
    return "".join(notebook(*turns, name=name)["cells"][1]["source"])


def first_line(turn: Turn, name: str = "main") -> str:
    return source(turn, name=name).partition("\n")[0]


def read_back(book: Any) -> tuple[Thread, ...]:
    nbformat.validate(book)
    return read(json.dumps(book))


# Writing


def test_the_first_cell_loads_the_extension_and_each_turn_has_one_after_it() -> None:
    cells = json.loads(write(CONVERSATION))["cells"]
    assert cells[0]["source"] == ["%load_ext h2o_magic"]
    assert len(cells) == 1 + sum(len(thread.turns) for thread in CONVERSATION)


def test_a_cell_asks_the_question_again() -> None:
    assert source(Turn("A?\nB?", "C.")) == "%%h2o\nA?\nB?"


@pytest.mark.parametrize(
    ("turn", "line"),
    [
        (Turn("A?", model="llama-13b"), "%%h2o"),
        (Turn("A?", model="falcon-7b"), "%%h2o --model falcon-7b"),
        (
            Turn("A?", model="llama-13b", facts={"model_chosen": True}),
            "%%h2o --model llama-13b",
        ),
        (Turn("A?", model="llama-13b", facts={"model_chosen": False}), "%%h2o"),
        (Turn("A?", model="/my models/a.gguf"), '%%h2o --model "/my models/a.gguf"'),
        (Turn("A?", system="Be brief."), '%%h2o --system "Be brief."'),
        (
            Turn("A?", system='Say "no".\nOr \\.'),
            r"""%%h2o --system 'Say "no". Or \.'""",
        ),
        (Turn("A?", system="-s x"), '%%h2o --system="-s x"'),
        (Turn("A?", begins=True), "%%h2o --new"),
        (
            Turn("A?", facts={"parameters": {"temperature": 0.0, "seed": 7}}),
            "%%h2o --temperature 0.0 --seed 7",
        ),
        (
            Turn("A?", facts={"parameters": {"do_sample": False, "top_p": 0.5}}),
            "%%h2o --top-p 0.5 --no-do-sample",
        ),
        (
            Turn("A?", facts={"parameters": {"do_sample": True, "top_p": None}}),
            "%%h2o --do-sample",
        ),
        (  # of an earlier version, or another program
            Turn("A?", facts={"parameters": {"truncate": 9, "return_full_text": True}}),
            "%%h2o",
        ),
        (
            Turn("A?", facts={"parameters": {"stop": ["a b", "\n", "c"]}}),
            '%%h2o --stop "a b" --stop c',
        ),
        (
            Turn("A?", facts={"parameters": {"extra": {"any": ["a b"]}}}),
            """%%h2o --extra '{"any": ["a b"]}'""",
        ),
        (
            Turn("A?", facts={"parameters": {"reasoning_effort": "none"}}),
            "%%h2o --reasoning-effort none",
        ),
        (Turn("A?", facts={"parameters": {"temperature": None}}), "%%h2o"),
        (Turn("A?", facts={"parameters": {"temperature": "hot", "x": 1}}), "%%h2o"),
        (Turn("A?", facts={"parameters": 5}), "%%h2o"),
    ],
)
def test_what_was_set_stands_on_its_first_line(turn: Turn, line: str) -> None:
    assert first_line(turn) == line


def test_a_cell_of_another_thread_names_it() -> None:
    assert first_line(Turn("A?"), name="side line") == '%%h2o --thread "side line"'


def test_the_magic_reads_the_options_back() -> None:
    sent = {"do_sample": False, "seed": 7, "stop": ["a b", "--new"], "top_p": 0.5}
    facts = {"parameters": sent}
    turn = Turn("A?", model="a b.gguf", system='-x "y"', begins=True, facts=facts)
    options = parse_cell_line(first_line(turn, "side line").removeprefix("%%h2o"))
    assert options.new
    assert {name: options.settings[name] for name in sorted(options.settings)} == {
        "do_sample": False,
        "model": "a b.gguf",
        "seed": 7,
        "stop": ("a b", "--new"),
        "system": '-x "y"',
        "thread": "side line",
        "top_p": 0.5,
    }


@given(st.text(min_size=1).filter(str.strip))
@example('it\'s "so" \\')
@example("--new")
def test_the_magic_reads_any_system_text_back(text: str) -> None:
    system = "".join(c for c in text if not "\ud800" <= c <= "\udfff")
    line = first_line(Turn("A?", system=system)).removeprefix("%%h2o")
    read = parse_cell_line(line).settings
    assert read == ({"system": " ".join(system.splitlines())} if system.strip() else {})


def test_an_option_in_quotes_is_a_text_and_no_option() -> None:
    shown = {
        "output_type": "display_data",
        "metadata": {},
        "data": {"text/markdown": "B."},
    }
    for line, begins in (('--stop "--new" --seed 1', False), ("--new", True)):
        book = notebook(Turn("A?", "B."))
        book["cells"][1] |= {"source": f"%%h2o {line}\nA?", "metadata": {}}
        book["cells"][1]["outputs"] = [shown]
        assert [turn.begins for turn in read_back(book)[0].turns] == [begins]


def test_a_cells_options_are_read_as_the_magic_reads_them() -> None:
    book = notebook(Turn("A?", "B."))
    line = r"""--model C:\models\mine.gguf --thread="side line" --system 'say "x"\' """
    book["cells"][1] |= {"source": f"%%h2o {line}\nA?", "metadata": {}}
    del book["cells"][1]["outputs"][0]["metadata"]["h2o_magic_answer"]
    (thread,) = (each for each in read_back(book) if each.turns)
    (turn,) = thread.turns
    assert (turn.model, thread.name) == (r"C:\models\mine.gguf", "side line")
    assert turn.system == 'say "x"\\'


def test_the_output_shows_the_answer_as_the_magic_does() -> None:
    facts = Facts(
        "llama-13b", "open weights", completion_tokens=20, seconds_to_first_token=0.2
    )
    book = notebook(Turn("A?", "```\nB", "stopped", facts=facts.as_metadata()))
    (output,) = book["cells"][1]["outputs"]
    stopped = Facts(
        "llama-13b",
        "open weights",
        status="stopped",
        completion_tokens=20,
        seconds_to_first_token=0.2,
    )
    shown = {kind: "".join(lines) for kind, lines in output["data"].items()}
    assert shown == {
        "text/markdown": answer_markdown("```\nB", stopped),
        "text/plain": answer_plain("```\nB", stopped),
    }
    assert output["metadata"]["h2o_magic"] == facts.as_metadata()


@pytest.mark.parametrize(
    "facts",
    [
        {},
        {"weights": "w"},
    ],
)
def test_without_facts_the_output_is_simply_the_answer(facts: dict[str, Any]) -> None:
    (output,) = notebook(Turn("A?", "B.", facts=facts))["cells"][1]["outputs"]
    assert output["data"]["text/markdown"] == ["B."]


@pytest.mark.parametrize(
    ("server", "place"),
    [
        (None, "this machine"),
        ("http://127.0.0.1:1", "this machine"),
        ("https://models.example.org", "the server"),
        ("http://[", "the server"),
    ],
)
def test_what_stood_in_for_the_model_is_shown_as_it_was(
    server: str | None, place: str
) -> None:
    facts = Facts("smollm2-135m", stands_in_for="llama-13b").as_metadata()
    facts["server"] = server
    (output,) = notebook(Turn("A?", "B.", facts=facts))["cells"][1]["outputs"]
    shown = "".join(output["data"]["text/markdown"])
    assert f"SmolLM2-135M answered: llama-13b is not on {place}" in shown


def test_a_cell_keeps_its_id_where_a_notebook_can_have_it() -> None:
    keys = ["good-Id_1", "good-Id_1", "a#2", None, "x" * 65, "", "good-Id_2"]
    book = notebook(*(Turn("A?", "B.", cell=key) for key in keys))
    ids = [cell["id"] for cell in book["cells"]]
    assert [ids[1], ids[-1]] == ["good-Id_1", "good-Id_2"]
    assert len(set(ids)) == len(ids)
    assert [t.cell for t in read_back(book)[0].turns] == keys


def test_made_ids_are_of_one_conversation_alone() -> None:
    once, again = notebook(Turn("A?", "B.")), notebook(Turn("A?", "B."))
    other = notebook(Turn("A?", "C."))
    ids, same, others = ([c["id"] for c in b["cells"]] for b in (once, again, other))
    assert ids == same
    assert not set(ids) & set(others)


# An exported notebook that people have worked in


def exported() -> Any:
    return notebook(
        Turn("A?", "B.", "stopped", system="S", facts=FACTS, asked_at=5.0, cell="c1"),
        Turn("C?", "D.", begins=True, outdated=True, cell="c2"),
    )


ORIGINAL = read_back(exported())[0].turns


def test_a_changed_question_counts_and_its_old_answer_does_not() -> None:
    book = exported()
    book["cells"][1]["source"] = "%%h2o --system T\nWhat else?"
    (thread,) = read_back(book)
    changed = Turn("What else?", "", "incomplete", cell="c1", system="T")
    assert thread.turns == (changed, ORIGINAL[1])


def test_changed_options_do_not_change_how_it_was_asked() -> None:
    book = exported()
    book["cells"][1]["source"] = "%%h2o --system T --thread x\n\n A?  \n"
    assert read_back(book)[0].turns == ORIGINAL


def test_a_cell_that_was_run_again_has_its_new_answer() -> None:
    book = exported()
    book["cells"][2]["outputs"] = [answered("New.")]
    again = Turn("C?", "New.", model="llama-13b", begins=True, cell="c2", facts=FACTS)
    assert read_back(book)[0].turns == (ORIGINAL[0], again)


def test_a_cell_whose_output_was_cleared_is_passed_over() -> None:
    book = exported()
    book["cells"][1]["outputs"] = []
    assert read_back(book)[0].turns == ORIGINAL[1:]


def test_clearing_all_outputs_leaves_no_answer_in_the_file() -> None:
    book = notebook(Turn("Where?", "In the secret garden."))
    for cell in book["cells"]:
        cell["outputs"] = []
    assert "secret garden" not in json.dumps(book)
    with pytest.raises(ConfigurationError, match="got one whose %%h2o cells have none"):
        read_back(book)


def test_moved_and_removed_cells_are_read_as_they_stand() -> None:
    book = exported()
    book["cells"] = [book["cells"][2], book["cells"][1]]
    assert read_back(book)[0].turns == tuple(reversed(ORIGINAL))
    book["cells"].pop()
    assert read_back(book)[0].turns == ORIGINAL[1:]


# Any notebook


def answered(text: str, facts: Any = None) -> dict[str, Any]:
    facts = FACTS if facts is None else facts
    return {
        "output_type": "display_data",
        "data": {"text/markdown": f"{text}\n\n<sub>llama-13b · open weights</sub>"},
        "metadata": {"h2o_magic": facts} if facts else {},
    }


def piece(text: str) -> dict[str, Any]:
    return {
        "output_type": "display_data",
        "data": {"text/markdown": text},
        "metadata": {},
    }


def ordinary(*cells: tuple[str, list[dict[str, Any]]]) -> Any:
    return {
        "nbformat": 4,
        "nbformat_minor": 5,
        "metadata": {},
        "cells": [
            {
                "cell_type": "code",
                "id": f"id-{number}",
                "metadata": {},
                "execution_count": None,
                "source": text,
                "outputs": outputs,
            }
            for number, (text, outputs) in enumerate(cells)
        ],
    }


def test_the_questions_of_any_notebook_are_read() -> None:
    book = ordinary(
        ("%load_ext h2o_magic", []),
        ("%h2o ask What?", [answered("Not a cell.")]),
        ("print('%%h2o')", [piece("%%h2o")]),
        ("%%h2o\nA?\n", [answered("B.")]),
        ("\n  %%h2o --model=falcon-7b -s 'Be brief.' --new\nC?\nD?", [answered("E.")]),
        ("%%h2o --thread side --temperature 0.3\nF?", [answered("G.")]),
        ("%%h2o\nnot asked yet", []),
        ("%%h2o --help\nno question", [piece("Help.")]),
        ("%%h2o\n \n", [piece("Nothing was asked.")]),
        ("%%h2o2\nother magic", [piece("x")]),
    )
    book["cells"].insert(
        0, {"cell_type": "markdown", "id": "m", "metadata": {}, "source": "%%h2o\nA?"}
    )
    model = FACTS["model"]
    assert read_back(book) == (
        Thread(
            "main",
            (
                Turn("A?", "B.", cell="id-3", model=model, facts=FACTS),
                Turn(
                    "C?\nD?",
                    "E.",
                    cell="id-4",
                    model="falcon-7b",
                    system="Be brief.",
                    begins=True,
                    facts=FACTS,
                ),
            ),
        ),
        Thread("side", (Turn("F?", "G.", cell="id-5", model=model, facts=FACTS),)),
    )


def only_turn(book: Any) -> Turn:
    (thread,) = read_back(book)
    (turn,) = thread.turns
    return turn


def test_the_answers_facts_say_which_thread_and_how_it_ended() -> None:
    facts = {**FACTS, "status": "stopped", "thread": "side"}
    (thread,) = read_back(ordinary(("%%h2o\nA?", [answered("B.", facts)])))
    assert thread.name == "side"
    assert thread.turns[0].status == "stopped"


def test_a_question_outside_the_conversation_is_no_turn_of_it() -> None:
    aside = {**FACTS, "history": False}
    cells = ("%%h2o\nA?", [answered("B.")]), ("%%h2o\nC?", [answered("D.", aside)])
    assert only_turn(ordinary(*cells)).question == "A?"


@pytest.mark.parametrize("status", ["complete", "stopped", "failed", "incomplete"])
@pytest.mark.parametrize("text", ["B.", "", "```\nx", "a\n\n<sub>b</sub>"])
def test_what_the_magic_showed_is_read_even_where_its_facts_were_taken_out(
    text: str, status: Any
) -> None:
    shown = answer_markdown(text, Facts("llama-13b", "w", status=status))
    turn = only_turn(ordinary(("%%h2o\nA?", [piece(shown)])))
    closed = "```\nx\n```" if text.startswith("```") else text
    assert (turn.answer, turn.status) == (closed, status)


@pytest.mark.parametrize("mode", ["collapse", "show", "hide"])
@pytest.mark.parametrize(
    "text", ["<b>x</b> ![a](https://x.org) `<i>`", "$a<b$ [c](data:x)", "", "```\n<x>"]
)
def test_an_answer_that_was_sanitized_is_read_as_the_model_wrote_it(
    text: str, mode: str
) -> None:
    facts = Facts("llama-13b", "w")
    output = answered("", facts.as_metadata())
    output["data"] = {
        "text/markdown": answer_markdown(
            text, facts, reasoning="Hm.\n\n> So", reasoning_mode=mode
        ),
        "text/plain": answer_plain(text, facts),
    }
    assert only_turn(ordinary(("%%h2o\nA?", [output]))).answer == text


@pytest.mark.parametrize("mode", ["collapse", "show"])
def test_reasoning_is_no_part_of_an_answer_without_facts(mode: str) -> None:
    shown = answer_markdown(
        "So.", Facts("m"), reasoning="Hm.\n\n> So", reasoning_mode=mode
    )
    assert only_turn(ordinary(("%%h2o\nA?", [piece(shown)]))).answer == "So."


def test_the_pieces_of_an_answer_that_was_still_coming_are_one_incomplete_answer() -> (
    None
):
    outputs = [piece("One.\n\n"), piece("Two.")]
    turn = only_turn(ordinary(("%%h2o\nA?", outputs)))
    assert (turn.answer, turn.status) == ("One.\n\nTwo.", "incomplete")


@pytest.mark.parametrize(
    "outputs",
    [
        [],
        [piece("<sub>llama-13b …</sub>")],
        [piece(" ")],
        [{"output_type": "stream", "name": "stdout", "text": "x"}],
        [{"output_type": "error", "ename": "E", "evalue": "v", "traceback": []}],
    ],
)
def test_a_question_without_an_answer_is_passed_over(outputs: Any) -> None:
    cells = ("%%h2o\nA?", outputs), ("%%h2o\nC?", [answered("D.")])
    assert only_turn(ordinary(*cells)).question == "C?"


def test_options_that_nobody_can_read_do_not_hide_the_question() -> None:
    book = ordinary(('%%h2o --system "open -m x --model\nA?', [answered("B.")]))
    turn = only_turn(book)
    assert (turn.question, turn.system, turn.model) == ("A?", '"open', "x")


@pytest.mark.parametrize(
    ("cells", "said"),
    [
        (
            [("x = 1", [])],
            (
                "expected a notebook with questions, got one without a cell that "
                "begins with %%h2o"
            ),
        ),
        (
            [("%%h2o\nA?", [])],
            (
                "expected a notebook with answers, got one whose %%h2o cells have "
                "none: run them, save it, and import it again"
            ),
        ),
    ],
)
def test_a_notebook_without_answers_is_refused(cells: Any, said: str) -> None:
    with pytest.raises(ConfigurationError) as caught:
        read_back(ordinary(*cells))
    assert str(caught.value) == said
