"""The notebook that answers itself, run with what is in the repository alone."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

import nbformat
import pytest
from nbclient import NotebookClient

from h2o_magic.backends.replay.entry import StoredAnswer
from h2o_magic.backends.replay.folder import AnswerFolder
from h2o_magic.backends.replay.maintenance import answers
from h2o_magic.cli import main
from tests.kernel.test_showroom import (
    NOTEBOOKS,
    Cells,
    check_cell,
    code_of,
    markdown_of,
    texts_of,
)

NOTEBOOK = NOTEBOOKS / "06_replay.ipynb"
ANSWERS = NOTEBOOKS / "answers"


@pytest.fixture(scope="module")
def clone(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A clone elsewhere, in which the notebook was run, and saved."""
    clone = tmp_path_factory.mktemp("a clone")
    shutil.copytree(ANSWERS, clone / "answers")
    notebook = nbformat.read(NOTEBOOK, as_version=4)
    where = {"metadata": {"path": str(clone)}}
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("H2O_MAGIC_HOME", str(clone / "home"))
        patch.setenv("H2O_MAGIC_REPLAY", "only")
        NotebookClient(notebook, timeout=300, resources=where).execute()
    nbformat.write(notebook, clone / NOTEBOOK.name)
    return clone


@pytest.fixture
def cells(clone: Path) -> Cells:
    return code_of(nbformat.read(clone / NOTEBOOK.name, as_version=4))


def test_every_answer_is_the_stored_one(cells: Cells) -> None:
    stored = dict(answers(AnswerFolder(ANSWERS)))
    asking = [cell for cell in cells.values() if cell.source.startswith("%%h2o")]
    assert len(asking) == 4
    for cell in asking:
        (output,) = cell.outputs
        facts = output.metadata["h2o_magic"]
        answer = stored[facts["replay_key"]]
        assert isinstance(answer, StoredAnswer)
        shown = answer.text
        if cell.id == "value":
            shown = f"```json\n{json.dumps(json.loads(answer.text), indent=2)}\n```"
        notes = ["outside the conversation"] if not facts["history"] else []
        notes += [f"replayed, first answered {answer.day}"]
        tokens = answer.usage.completion_tokens if answer.usage else None
        footer = " · ".join(["SmolLM2-135M", *notes, f"{tokens} tokens"])
        assert markdown_of(cell) == [f"{shown}\n\n<sub>{footer}</sub>"]


def test_all_that_it_shows_can_be_read(cells: Cells) -> None:
    for cell in cells.values():
        check_cell(cell)
    assert "Person(name='Maria', age=34)" in texts_of(cells["person"])
    assert "Tokyo.\nfirst answered: 20" in texts_of(cells["python"])
    assert "capital of Japan?”, now “…is the capital of Spain?”" in texts_of(
        cells["miss"]
    )
    assert "no problems" in texts_of(cells["folder"])


def test_nobody_was_asked_and_nothing_was_stored(clone: Path) -> None:
    assert not list((clone / "home").glob("server*"))
    before, after = (
        {path.relative_to(folder): path.read_bytes() for path in _files(folder)}
        for folder in (ANSWERS, clone / "answers")
    )
    assert after == before


def test_its_folder_is_sound_and_holds_no_more_than_it_uses(
    clone: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    folder, book = str(ANSWERS), str(clone / NOTEBOOK.name)
    assert main(["replay", "verify", folder]) == 0
    assert main(["replay", "prune", "--dry-run", folder, book]) == 0
    verified, pruned = capsys.readouterr().out.splitlines()
    assert verified == "5 answers, 3 facts about servers: no problems"
    assert pruned.startswith("would remove 0 answers (0 bytes); kept 4 answers, 1 that")


def _files(folder: Path) -> list[Path]:
    return [path for path in folder.rglob("*") if path.is_file()]
