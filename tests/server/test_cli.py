"""The command `h2o-magic`."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest
from huggingface_hub import constants

from h2o_magic.cli import main


def test_version(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as ended:
        main(["--version"])
    assert ended.value.code == 0
    assert capsys.readouterr().out.startswith("h2o-magic 0.")


@pytest.mark.parametrize("arguments", [[], ["fly"], ["pull"], ["serve", "--port", "x"]])
def test_misuse_is_explained(
    arguments: list[str], capsys: pytest.CaptureFixture[str]
) -> None:
    with pytest.raises(SystemExit) as ended:
        main(arguments)
    assert ended.value.code == 2
    assert "usage: h2o-magic" in capsys.readouterr().err


def test_models_lists_what_answers(
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    monkeypatch.setattr(constants, "HF_HUB_CACHE", str(tmp_path))
    assert main(["models"]) == 0
    lines = capsys.readouterr().out.splitlines()
    assert lines[0].split(maxsplit=1) == ["llama-13b", "built-in demo weights"]


def test_pull_prints_where_the_weights_are(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr("h2o_magic.server.pull.pull", Path)
    assert main(["pull", "somewhere"]) == 0
    assert capsys.readouterr().out == "somewhere\n"


def test_an_unknown_model_is_one_line(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["pull", "lama-13b"]) == 2
    assert capsys.readouterr().err.count("\n") == 1


@pytest.mark.parametrize("package", ["uvicorn", "xllamacpp", "starlette"])
def test_without_the_extra_one_line_says_what_to_install(package: str) -> None:
    code = (
        f"import sys; sys.modules[{package!r}] = None; "
        "from h2o_magic.cli import main; sys.exit(main(['serve']))"
    )
    run = subprocess.run([sys.executable, "-c", code], capture_output=True, check=False)
    assert run.returncode == 2
    assert 'pip install "h2o-magic[local]"' in run.stderr.decode()
    assert run.stderr.count(b"\n") == 1


def test_a_defect_of_our_own_is_not_passed_off_as_a_missing_part(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setitem(sys.modules, "h2o_magic.server.weights", None)
    with pytest.raises(ModuleNotFoundError):
        main(["models"])


def test_importing_the_command_imports_no_server() -> None:
    code = (
        "import sys, h2o_magic.cli; "
        "print([m for m in sys.modules if 'server' in m or 'uvicorn' in m])"
    )
    run = subprocess.run([sys.executable, "-c", code], capture_output=True, check=True)
    assert "h2o_magic.server" not in run.stdout.decode()
    assert "uvicorn" not in run.stdout.decode()
