"""The notebook that classifies reviews, run with a real model."""

from __future__ import annotations

import re
from pathlib import Path

import nbformat
import pytest
from nbclient import NotebookClient

from tests.kernel.test_showroom import (
    NOTEBOOKS,
    Cells,
    check_cell,
    code_of,
    texts_of,
)
from tests.local import ended_at_exit

REVIEWS = (NOTEBOOKS / "data" / "reviews.csv").read_text("utf-8").splitlines()


def run_with(rows: int, folder: Path, hub: Path) -> Cells:
    """Run the notebook with so many reviews, and return its cells."""
    (folder / "data").mkdir()
    few = "\n".join([*REVIEWS[: rows + 1], ""])
    (folder / "data" / "reviews.csv").write_text(few, "utf-8")
    notebook = nbformat.read(NOTEBOOKS / "07_tables.ipynb", as_version=4)
    where = {"metadata": {"path": str(folder)}}
    with pytest.MonkeyPatch.context() as patch, ended_at_exit(folder / "home"):
        patch.setenv("H2O_MAGIC_HOME", str(folder / "home"))
        patch.setenv("HF_HUB_CACHE", str(hub))
        NotebookClient(notebook, timeout=1800, resources=where).execute()
    return code_of(notebook)


def check(cells: Cells, rows: int) -> None:
    for cell in cells.values():
        check_cell(cell)
    assert f"{rows} rows" in texts_of(cells["preview"])
    assert re.search(r"positive|negative", texts_of(cells["table"]))
    assert f"requests: 0 · known: {rows}" in texts_of(cells["asked"])
    score = texts_of(cells["score"])
    assert re.search(rf"accuracy\S* [01]\.\d+.* {rows} rows", score)
    assert "valid JSON 100.0%" in score
    assert "McNemar p = " in texts_of(cells["compare"])


def test_a_few_reviews_are_classified_and_scored(
    tmp_path: Path, hub_with_a_model: Path
) -> None:
    check(run_with(2, tmp_path, hub_with_a_model), 2)


@pytest.mark.nightly
def test_all_reviews_are_classified_and_scored(
    tmp_path: Path, hub_with_a_model: Path
) -> None:
    cells = run_with(200, tmp_path, hub_with_a_model)
    check(cells, 200)
    found = re.search(r"accuracy\S* (0\.\d+)", texts_of(cells["score"]))
    assert found
    assert float(found[1]) > 0.6  # one answer for all has 0.5
