"""What all tests share."""

from __future__ import annotations

import os
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest
from hypothesis import HealthCheck, settings

from tests.local import ended_at_exit
from tests.real_model import pull_into
from tests.stand_in import StandIn, stand_in

# Weights that a developer has pulled must never answer in a test. huggingface_hub reads
# this when it is imported, and so do the servers that tests start.
_hub = tempfile.TemporaryDirectory(prefix="hub-", ignore_cleanup_errors=True)
os.environ["HF_HUB_CACHE"] = _hub.name

# A process that compiles the package itself takes a second longer to begin, and tests
# start hundreds.
os.environ.pop("PYTHONDONTWRITEBYTECODE", None)
sys.dont_write_bytecode = False

# An engine's threads wait for each other by spinning: beside other tests two of them
# take three times as long as one.
os.environ["OMP_THREAD_LIMIT"] = "1"

# jsonschema would build 38 parsers of addresses, two seconds in each process, for a
# format that no test asks for.
sys.modules["rfc3987_syntax"] = None  # type: ignore[assignment]

# `pytest --hypothesis-profile=nightly` looks ten times as long. Machines are busy:
# properties are checked by what holds, not by how fast.
for _profile, _examples in (("quick", 20), ("nightly", 200)):
    settings.register_profile(
        _profile,
        max_examples=_examples,
        deadline=None,
        suppress_health_check=[HealthCheck.too_slow],
    )
settings.load_profile("quick")


def pytest_xdist_auto_num_workers() -> int:
    """Return one worker more than there are cores: tests of kernels mostly wait."""
    return (os.cpu_count() or 1) + 1


def pytest_unconfigure() -> None:
    """Remove the hub's cache of this process, whatever tests have put there."""
    _hub.cleanup()


@pytest.fixture
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """A place of its own for the local server's files; a server there is ended."""
    folder = tmp_path / "home"
    monkeypatch.setenv("H2O_MAGIC_HOME", str(folder))
    with ended_at_exit(folder):
        yield folder


@pytest.fixture(scope="session")
def hub(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A hub cache for all processes of a run; a real model may come to be in it."""
    base = tmp_path_factory.getbasetemp()
    shared = base.parent if "PYTEST_XDIST_WORKER" in os.environ else base
    return shared / "hub-with-a-real-model"


@pytest.fixture(scope="session")
def hub_with_a_model(hub: Path) -> Path:
    """The hub cache that all processes share, with SmolLM2 in it."""
    pull_into(hub)
    return hub


@pytest.fixture
def real_home(
    home: Path, hub_with_a_model: Path, monkeypatch: pytest.MonkeyPatch
) -> Path:
    """A `home` whose local server has a real model."""
    monkeypatch.setenv("HF_HUB_CACHE", str(hub_with_a_model))
    return home


@pytest.fixture
def server() -> Iterator[StandIn]:
    """A gpt-gm server whose answers the test writes."""
    with stand_in() as state:
        yield state
