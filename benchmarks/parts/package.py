"""The size of the wheel, and what an installation adds to one of JupyterLab."""

from __future__ import annotations

import math
import zipfile
from collections.abc import Iterator
from pathlib import Path
from tempfile import TemporaryDirectory

from benchmarks.apparatus.environments import (
    InstallationError,
    built_wheel,
    environment,
)
from benchmarks.bars import Bar
from benchmarks.parts import Options

__all__ = ["measure"]

_MOST_MEGABYTES = 8
_MOST_PACKAGES = 9
_MODELS = 2


def measure(options: Options) -> Iterator[Bar]:  # noqa: ARG001 - as every part's
    """Yield the wheel's size, its models, and the packages that pip would add."""
    with TemporaryDirectory() as folder:
        wheel = built_wheel(Path(folder))
        with zipfile.ZipFile(wheel) as archive:
            infos = archive.infolist()
        models = {
            Path(info.filename).name: info.compress_size
            for info in infos
            if info.filename.endswith(".gguf")
        }
        size = wheel.stat().st_size / 1e6
        note = ", ".join(f"{name} {of / 1e6:.1f} MB" for name, of in models.items())
        yield Bar("wheel", size, "MB", most=_MOST_MEGABYTES, note=note)
        yield Bar("demo models in it", len(models), "models", least=_MODELS)
        yield _added(wheel)


def _added(wheel: Path) -> Bar:
    name = "pip install h2o-magic beside JupyterLab"
    try:
        with environment("jupyterlab") as lab:
            added = lab.missing(str(wheel))
    except InstallationError as error:
        note = f"not measured: pip cannot install JupyterLab here ({error})"
        return Bar(name, math.nan, "packages", most=_MOST_PACKAGES, note=note)
    note = ", ".join(sorted(added))
    return Bar(name, len(added), "packages", most=_MOST_PACKAGES, note=note)
