"""Real weights in a real kernel: fetched, answering, removed."""

from __future__ import annotations

import json
import threading
from collections.abc import Iterator
from pathlib import Path

import pytest

from h2o_magic.catalogue import MODELS
from h2o_magic.server.weights import find_weights
from tests.kernel.conftest import Notebook, running_kernel
from tests.server.client import until
from tests.server.hub import Hub, running_hub

MODEL = MODELS["danube3-500m"]
FILE = "h2o-danube3-500m-chat-Q4_K_M.gguf"
WEIGHTS = "h2o-danube3-500m-chat Q4_K_M"
ASK = f"%%h2o -m {MODEL.name} --no-do-sample\nWhat is h2o_magic?"


@pytest.fixture
def hub() -> Iterator[Hub]:
    """A hub that has the demo weights under a real model's name."""
    weights = find_weights("llama-13b")
    assert weights is not None
    with running_hub() as hub:
        hub.add(
            MODEL.source.repository, {FILE: weights.path.read_bytes()}, "apache-2.0"
        )
        yield hub


@pytest.fixture
def lab(hub: Hub, home: Path, tmp_path: Path) -> Iterator[Notebook]:
    environment = {"HF_ENDPOINT": hub.url, "HF_HUB_CACHE": str(tmp_path / "hub")}
    with running_kernel(**environment) as kernel:
        kernel.run("%load_ext h2o_magic")
        yield kernel


def test_after_a_pull_the_same_cell_answers_from_the_real_weights(
    lab: Notebook, tmp_path: Path
) -> None:
    assert lab.run(ASK, "c1").facts["demo"] is True
    pulled = lab.run(f"%h2o pull {MODEL.name}")
    assert pulled.status == "ok", pulled.stderr
    again = lab.run(ASK, "c1")
    assert (again.facts["demo"], again.facts["weights"]) == (False, WEIGHTS)
    assert f"[{MODEL.name} · " in again.plain
    removed = lab.run(f"%h2o rm {MODEL.name}")
    assert removed.plain == f"{MODEL.name}: removed, 2.4 MB are free again."
    assert lab.run(ASK, "c1").facts["demo"] is True


def test_a_pull_is_one_output_without_a_widget(lab: Notebook) -> None:
    pulled = lab.run(f"%h2o pull {MODEL.name}")
    (output,) = pulled.outputs
    assert set(output["data"]) == {"text/markdown", "text/plain"}
    assert "licence: apache-2.0" in pulled.plain
    assert pulled.plain.endswith("The next answer comes from it.")
    sent = [m["msg_type"] for m in pulled.messages if "display" in m["msg_type"]]
    assert len(sent) <= 20
    assert not [m for m in pulled.messages if m["msg_type"].startswith("comm")]
    assert "widget" not in json.dumps(pulled.outputs)


def test_a_stopped_pull_goes_on_where_it_stopped(
    lab: Notebook, hub: Hub, tmp_path: Path
) -> None:
    remote = hub.repositories[MODEL.source.repository]
    remote.cuts, remote.hold = [1_000_000], threading.Event()
    request = lab.start(f"%h2o pull {MODEL.name}")
    until(lambda: any(_sizes(tmp_path)))
    lab.manager.interrupt_kernel()
    stopped = lab.finish(request)
    assert stopped.status == "error"
    said = f"The partial download is kept: `%h2o pull {MODEL.name}` resumes it."
    assert said in json.dumps(stopped.outputs)
    remote.hold.set()
    remote.hold = None
    (here,) = _sizes(tmp_path)
    done = lab.run(f"%h2o pull {MODEL.name}")
    assert "are here from an earlier download, which goes on" in done.plain
    assert hub.ranges()[-1] == f"bytes={here}-"
    assert done.plain.endswith("The next answer comes from it.")


def _sizes(folder: Path) -> list[int]:
    return [path.stat().st_size for path in folder.glob("hub/**/*.incomplete")]
