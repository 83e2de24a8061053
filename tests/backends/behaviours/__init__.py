"""What servers were seen, or are documented, to send, and what must come of it.

A table: each row names a behaviour, who does so and where that is said, what is sent,
and the right value of it. ``tests/backends/test_behaviours.py`` runs every row.
"""

from __future__ import annotations

from tests.backends.behaviours import (
    documents,
    ends,
    failures,
    framing,
    gptgm,
    hosted,
    local_servers,
    reasons,
    refusals,
)
from tests.backends.behaviours.row import Row

ROWS: list[Row] = [
    *framing.ROWS,
    *hosted.ROWS,
    *local_servers.ROWS,
    *documents.ROWS,
    *ends.ROWS,
    *reasons.ROWS,
    *failures.ROWS,
    *refusals.ROWS,
    *gptgm.ROWS,
]
