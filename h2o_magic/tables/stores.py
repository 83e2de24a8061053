"""Which store has the answers of a run: the ledger, or a folder of stored answers."""

from __future__ import annotations

from h2o_magic.config import paths
from h2o_magic.tables.job import Job
from h2o_magic.tables.ledger import AnswerStore, Ledger


def open_store(job: Job) -> AnswerStore:
    """Return where the job's answers are looked for, and kept."""
    return Ledger(paths.ledger_file() if job.options.keep else None)
