"""Large tables: what a run holds in memory does not grow with them."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

#: Runs a table whose rows are answered at once, and prints the megabytes it took.
PROGRAM = """
import json, resource, sys
from pathlib import Path
import pyarrow, pyarrow.parquet
from h2o_magic.backends.openai.backend import OpenAIBackend
from h2o_magic.conversation.session import Session
from h2o_magic.tables import runner
from h2o_magic.tables.running.outcome import Outcome, RowAnswer
from h2o_magic.tables.pacing.pace import Pace
from h2o_magic.tables.rows import Target

source, count = Path(sys.argv[1]), int(sys.argv[2])

class AtOnce:
    def __init__(self):
        self.tickets = []
    def submit(self, tickets):
        self.tickets += [number for number, _ in tickets]
    def outcomes(self, timeout):
        some, self.tickets = self.tickets, []
        answer = RowAnswer("an answer of some words")
        return [Outcome(number, answer) for number in some]
    def stop(self):
        pass

def resident():
    return max(
        int(line.split()[1]) / 1024
        for line in open("/proc/self/status")
        if line.startswith("VmHWM")
    )

runner.open_executor = lambda *_, **__: (AtOnce(), Pace(64))
session = Session(OpenAIBackend("http://127.0.0.1:9/v1"))
session.configure(model="mock")
job = runner.prepare_job(session, source, "Rate: {text}")
mapped = runner.run_job(job)
assert (mapped.progress.done, mapped.progress.errors) == (count, 0), mapped
with pyarrow.parquet.ParquetFile(mapped.table) as found:
    assert found.metadata.num_rows == count
    last = list(found.iter_batches(1000, columns=["id", "answer"]))[-1].to_pylist()[-1]
assert last == {"id": count - 1, "answer": "an answer of some words"}
session.close()
print(json.dumps(resident()))
"""

GROUP = 50_000


def megabytes(folder: Path, count: int) -> float:
    """Return the memory of a process that maps a Parquet file with rows of 1 kB."""
    source = folder / f"{count}.parquet"
    make = (
        "import sys, pyarrow, pyarrow.parquet as parquet\n"
        "source, count, group = sys.argv[1], *map(int, sys.argv[2:])\n"
        "schema = pyarrow.schema([('id', 'int64'), ('text', 'string')])\n"
        "with parquet.ParquetWriter(source, schema) as writer:\n"
        "    for start in range(0, count, group):\n"
        "        ids = range(start, min(start + group, count))\n"
        "        texts = [f'{id:08d} ' + 'an old text ' * 83 for id in ids]\n"
        "        columns = {'id': list(ids), 'text': texts}\n"
        "        writer.write_table(pyarrow.table(columns, schema))\n"
    )
    for program, *words in (
        (make, str(source), str(count), str(GROUP)),
        (PROGRAM, str(source), str(count)),
    ):
        done = subprocess.run(
            [sys.executable, "-c", program, *words],
            capture_output=True,
            text=True,
            env={**os.environ, "H2O_MAGIC_HOME": str(folder / "home")},
            check=False,
        )
        assert done.returncode == 0, done.stderr
    return float(json.loads(done.stdout))


@pytest.mark.skipif(sys.platform != "linux", reason="reads /proc")
def test_ten_times_the_rows_of_a_file_take_hardly_more_memory(tmp_path: Path) -> None:
    few, many = megabytes(tmp_path, 2_000), megabytes(tmp_path, 20_000)
    # 18 MB more to read, of which a group of up to 16 MB is written at once.
    assert many - few < 60
    assert many < 300


@pytest.mark.nightly
@pytest.mark.skipif(sys.platform != "linux", reason="reads /proc")
def test_a_million_rows_of_1_kb_from_file_to_file_take_at_most_400_mb(
    tmp_path: Path,
) -> None:
    assert megabytes(tmp_path, 1_000_000) <= 400
