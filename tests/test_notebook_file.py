import json
from pathlib import Path

import pytest

from h2o_magic.notebook_file import cell_ids


def test_the_cells_of_a_notebook_are_known_by_their_ids(tmp_path: Path) -> None:
    file = tmp_path / "chat.ipynb"
    file.write_text(json.dumps({"cells": [{"id": "a"}, {"id": "b"}, {"id": 3}, {}]}))
    assert cell_ids(file) == {"a", "b"}


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
        "\x00\xff",
    ],
)
def test_a_file_that_does_not_tell_is_no_error(tmp_path: Path, text: str) -> None:
    file = tmp_path / "chat.ipynb"
    file.write_text(text, encoding="utf-8")
    assert cell_ids(file) is None


def test_a_file_that_is_not_there_is_no_error(tmp_path: Path) -> None:
    assert cell_ids(tmp_path / "gone.ipynb") is None
    assert cell_ids(tmp_path) is None
