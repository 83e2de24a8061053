"""What is promised about the package as a whole."""

from __future__ import annotations

import re
import subprocess
import sys
import zipfile
from importlib.metadata import version
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]


def test_the_changelogs_top_entry_is_the_installed_version() -> None:
    changelog = (ROOT / "CHANGELOG.md").read_text("utf-8")
    top = re.search(r"^## (\S+) - (\S+)$", changelog, re.MULTILINE)
    assert top is not None
    assert top[1] == version("h2o-magic")


def test_the_readme_holds_the_two_commands() -> None:
    readme = (ROOT / "README.md").read_text("utf-8").splitlines()
    assert any(
        line.startswith("python3 -m venv")
        and line.endswith("jupyter lab notebooks/01_quickstart.ipynb")
        for line in readme
    )
    tests = [line for line in readme if line.endswith("&& .venv/bin/pytest")]
    assert len(tests) == 1  # the check script runs this line


@pytest.fixture(scope="module")
def wheel(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The wheel, built from this checkout without a build environment of its own."""
    folder = tmp_path_factory.mktemp("wheel")
    subprocess.run(
        [sys.executable, "-m", "hatchling", "build", "-t", "wheel", "-d", str(folder)],
        cwd=ROOT,
        check=True,
        capture_output=True,
    )
    (built,) = folder.glob("*.whl")
    return built


def test_the_wheel_is_small_and_holds_the_demo_weights_and_types(wheel: Path) -> None:
    assert wheel.stat().st_size <= 8_000_000
    with zipfile.ZipFile(wheel) as archive:
        names = archive.namelist()
    assert "h2o_magic/py.typed" in names
    assert "h2o_magic/weights/data/demo-llama.gguf" in names
    assert "h2o_magic/weights/data/demo-falcon.gguf" in names
    assert not any(name.startswith(("tests", "training")) for name in names)
