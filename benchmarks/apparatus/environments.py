"""Environments of other packages, Python's and node's, and kernels in them."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
from collections.abc import Iterator
from contextlib import AbstractContextManager, contextmanager
from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryDirectory

from benchmarks.apparatus.kernel import Kernel, running_kernel

__all__ = [
    "Environment",
    "InstallationError",
    "built_wheel",
    "environment",
    "made",
    "node_packages",
]

_ROOT = Path(__file__).parents[2]


class InstallationError(Exception):
    """What pip or npm says last when it cannot install something."""


@dataclass(frozen=True)
class Environment:
    """One of these: its folder."""

    folder: Path

    @property
    def python(self) -> Path:
        """Its interpreter."""
        return self.folder.joinpath(
            *(("Scripts", "python.exe") if os.name == "nt" else ("bin", "python"))
        )

    def install(self, *requirements: str) -> None:
        """Install what pip takes as requirements; raise InstallationError."""
        print(f"installing {', '.join(requirements)}", file=sys.stderr, flush=True)
        self._pip("install", "--quiet", *requirements)

    def version(self, package: str) -> str:
        """Return which release of a package is installed in it."""
        program = f"import importlib.metadata as m; print(m.version({package!r}))"
        done = subprocess.run(
            [self.python, "-c", program], check=True, capture_output=True, text=True
        )
        return done.stdout.strip()

    def missing(self, requirement: str) -> list[str]:
        """Return the names of the packages that installing it would add."""
        said = self._pip(
            "install", "--quiet", "--dry-run", "--report", "-", requirement
        )
        return [package["metadata"]["name"] for package in json.loads(said)["install"]]

    def kernel(self, **environ: str) -> AbstractContextManager[Kernel]:
        """Start a kernel in it, which needs ipykernel; nothing of a checkout is seen.

        Its folder is the environment's.
        """
        environ = {"PYTHONPATH": "", "NO_PROXY": "127.0.0.1"} | environ
        return running_kernel(self.python, self.folder, **environ)

    def _pip(self, *arguments: str) -> str:
        done = subprocess.run(
            [self.python, "-m", "pip", "--disable-pip-version-check", *arguments],
            cwd=self.folder,
            check=False,
            capture_output=True,
            text=True,
        )
        _check(done)
        return done.stdout


@contextmanager
def environment(*requirements: str) -> Iterator[Environment]:
    """Make an environment in which this is installed; it goes with the context.

    Raises
    ------
    InstallationError
        If pip cannot install it.
    """
    with TemporaryDirectory(ignore_cleanup_errors=True) as name:
        yield made(Path(name).resolve() / "environment", *requirements)


def made(folder: Path, *requirements: str) -> Environment:
    """Make an environment in a folder, or add to the one there.

    Raises
    ------
    InstallationError
        If pip cannot install what is required.
    """
    subprocess.run([sys.executable, "-m", "venv", folder], check=True)
    environment = Environment(folder)
    environment.install(*requirements)
    return environment


def node_packages(folder: Path, *packages: str) -> dict[str, str]:
    """Install packages for node into a folder, and return the release of each.

    Raises
    ------
    InstallationError
        If there is no npm, or it cannot install them.
    """
    npm = shutil.which("npm")
    if npm is None:
        raise InstallationError("no npm on the PATH")
    print(f"installing {', '.join(packages)}", file=sys.stderr, flush=True)
    command = [npm, "install", "--no-audit", "--no-fund", "--prefix", str(folder)]
    done = subprocess.run(
        [*command, *packages], check=False, capture_output=True, text=True
    )
    _check(done)
    return {
        package: json.loads(
            (folder / "node_modules" / package / "package.json").read_text()
        )["version"]
        for package in packages
    }


def _check(done: subprocess.CompletedProcess[str]) -> None:
    if done.returncode:
        lines = done.stderr.strip().splitlines() or ["it says nothing"]
        raise InstallationError(lines[-1])


def built_wheel(folder: Path) -> Path:
    """Build the checkout's wheel into a folder, and return its path."""
    subprocess.run(
        [sys.executable, "-m", "hatchling", "build", "-t", "wheel", "-d", str(folder)],
        cwd=_ROOT,
        check=True,
        capture_output=True,
    )
    (wheel,) = folder.glob("*.whl")
    return wheel
