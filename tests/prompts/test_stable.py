"""What is promised of prompts in another process: they are the same."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).parents[2]
RUN = "from tests.prompts.same_prompts import main; main({})"
HELPER = "def call(function):\n    return function(1)\n"


def test_prompts_and_images_are_the_same_in_another_process_and_folder(
    tmp_path: Path,
) -> None:
    runs = [start(tmp_path / "one", "1", 0), start(tmp_path / "another two", "2", 7)]
    first, second = (json.loads(run.communicate()[0]) for run in runs)
    assert len(first) > 40
    assert first == second


def start(folder: Path, seed: str, cells_before: int) -> subprocess.Popen[str]:
    """Start a process of other hashes, and with folders of its own."""
    (temporary := folder / "tmp").mkdir(parents=True)
    (folder / "helper.py").write_text(HELPER)
    environment = {
        **os.environ,
        "PYTHONHASHSEED": seed,
        "PYTHONPATH": str(ROOT),
        "HOME": str(folder),
        "TMPDIR": str(temporary),
        "MPLCONFIGDIR": str(temporary),
    }
    return subprocess.Popen(
        [sys.executable, "-c", RUN.format(cells_before)],
        cwd=folder,
        env=environment,
        stdout=subprocess.PIPE,
        text=True,
    )
