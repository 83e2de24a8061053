"""Packages of others: built and installed for a test, and gone after it."""

from __future__ import annotations

import importlib
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

__all__ = ["importable", "install", "write_plugin"]


def install(project: Path, target: Path) -> None:
    """Build a project with what is installed here, and install it into a folder."""
    program = [sys.executable, "-m", "pip", "install", "--quiet", "--no-index"]
    how = ["--no-build-isolation", "--no-deps", "--target", target]
    done = subprocess.run(
        [*program, *how, project.resolve()], capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stderr
    importlib.invalidate_caches()  # the folder may be new


@contextmanager
def importable(folder: Path) -> Iterator[None]:
    """Have Python find the packages in a folder; what it imported goes again."""
    with pytest.MonkeyPatch.context() as patch:
        patch.syspath_prepend(folder)
        try:
            yield
        finally:
            for name, module in tuple(sys.modules.items()):
                if (getattr(module, "__file__", None) or "").startswith(str(folder)):
                    del sys.modules[name]


def write_plugin(
    folder: Path, package: str, entries: str, module: str = "", code: str = ""
) -> None:
    """Write a package into a folder as if it were installed, with entry points."""
    about = folder / f"{package}-1.0.dist-info"
    about.mkdir(parents=True)
    (about / "METADATA").write_text(
        f"Metadata-Version: 2.1\nName: {package}\nVersion: 1.0\n"
    )
    (about / "entry_points.txt").write_text(f"[h2o_magic.backends]\n{entries}\n")
    if module:
        (folder / f"{module}.py").write_text(code)
