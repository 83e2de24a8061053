import json
from pathlib import Path

import pytest

from h2o_magic.conversation.store.origins import cell_sources, could_ask


def test_the_cells_of_a_notebook_are_known_by_their_ids(tmp_path: Path) -> None:
    file = tmp_path / "chat.ipynb"
    cells = [
        {"id": "a", "source": ["%%h2o\n", "Why?"]},
        {"id": "b", "source": "1 + 1"},
        {"id": "c"},
        {"id": 3},
        {},
    ]
    file.write_text(json.dumps({"cells": cells}))
    assert cell_sources(file) == {"a": "%%h2o\nWhy?", "b": "1 + 1", "c": ""}


@pytest.mark.parametrize(
    "text",
    [
        "",
        "# a paired script",
        "[]",
        "{}",
        '{"cells": 3}',
        '{"cells": [3]}',
        '{"cells": [{"id": ["a"]}]}',
        '{"cells": [{"id": 3}, {"id": null}]}',
        '{"cells": [{"source": "nbformat 4.4"}]}',
        '{"cells": []}',
        "[" * 200_000,
        '{"cells": [{"id": "a", "source": 3}]}',
        "\x00\xff",
    ],
)
def test_a_file_that_does_not_tell_is_no_error(tmp_path: Path, text: str) -> None:
    file = tmp_path / "chat.ipynb"
    file.write_text(text, encoding="utf-8")
    assert cell_sources(file) is None


def test_a_file_that_is_not_there_is_no_error(tmp_path: Path) -> None:
    assert cell_sources(tmp_path / "gone.ipynb") is None
    assert cell_sources(tmp_path) is None


@pytest.mark.parametrize(
    ("source", "question"),
    [
        ("%%h2o --model x\nWhy {df}?", "Why\n\n| a |\n\n?"),
        ("%%h2o\n{df}\nWhich is {the} best?", "1 2 3\nWhich is 5 best?"),
        ("%%h2o\nWhy {not}?", "Why {not}?"),
        ("x = session.ask('Why?')", "Why?"),
        ("%h2o ask Why?", "Why?"),
    ],
)
def test_a_cell_that_asked_is_known_by_its_question(source: str, question: str) -> None:
    assert could_ask(source, question)


@pytest.mark.parametrize(
    ("source", "question"),
    [
        ("", "Why?"),
        ("%%h2o\nHow?", "Why?"),
        ("%%h2o {a}\nHow?", "Why?"),
        ("%%h2o\n{df}", "Why?"),
        ("%%h2o\nHow {is} it?", "it? How"),
    ],
)
def test_another_cell_is_not(source: str, question: str) -> None:
    assert not could_ask(source, question)
