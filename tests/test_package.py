"""What is promised about the package as a whole."""

from __future__ import annotations

import re
import subprocess
import sys
import zipfile
from importlib.metadata import version
from pathlib import Path

import pytest
from jupyterlab_server.config import get_federated_extensions

from h2o_magic.prompts import code_signs

ROOT = Path(__file__).parents[1]
LABEXTENSION = ROOT / "h2o_magic" / "labextension"


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


def test_the_wheel_brings_jupyterlab_the_extension(wheel: Path, tmp_path: Path) -> None:
    with zipfile.ZipFile(wheel) as archive:
        archive.extractall(tmp_path)
        names = archive.namelist()
    assert not any(name.startswith("h2o_magic/labextension") for name in names)
    (share,) = tmp_path.glob("*.data/data/share/jupyter/labextensions")
    found = get_federated_extensions([str(share)])["h2o-magic"]
    assert found["version"] == version("h2o-magic")
    assert found["install"]["packageName"] == "h2o-magic"
    installed = share / "h2o-magic"
    assert (installed / found["jupyterlab"]["_build"]["load"]).is_file()
    for path in LABEXTENSION.rglob("*.*"):
        copied = installed / path.relative_to(LABEXTENSION)
        assert copied.read_bytes() == path.read_bytes()


def test_the_extension_is_small_and_loads_only_its_own_modules() -> None:
    modules = {path.name: path for path in LABEXTENSION.glob("static/*.js")}
    assert sum(path.stat().st_size for path in modules.values()) <= 30_000
    for path in modules.values():
        text = path.read_text("utf-8")
        assert max(map(len, text.splitlines())) < 250  # it is read, not built
        for imported in re.findall(r'from "(.*)"|load\("(.*)"\)', text):
            assert "".join(imported).removeprefix("./") in modules


def test_the_page_and_the_kernel_take_the_same_lines_for_code() -> None:
    text = (LABEXTENSION / "static" / "code_signs.js").read_text("utf-8")
    there = " ".join(text.split())
    for pattern in (code_signs._SYNTAX, code_signs._STATEMENT):
        assert " ".join(pattern.pattern.split()) in there
