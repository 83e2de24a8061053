import os
from pathlib import Path

import pytest

from h2o_magic.conversation.model_choice import whole_path


@pytest.mark.parametrize(
    "name", ["~no-such-user/m.gguf", "x" * 300 + ".gguf", "a\0b.gguf", "owner/m.gguf"]
)
def test_a_model_that_is_no_file_here_is_sent_as_it_is(name: str) -> None:
    assert whole_path(name) == name


def test_a_file_of_weights_is_sent_as_a_whole_path(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "m.gguf").touch()
    assert whole_path("./m.gguf") == os.path.realpath(tmp_path / "m.gguf")
