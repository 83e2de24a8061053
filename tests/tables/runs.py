"""Tables asked of servers by address: a session, and what came of a run."""

from __future__ import annotations

from typing import Any

from h2o_magic.conversation.session import Session
from h2o_magic.tables.job import RunOptions
from h2o_magic.tables.mapped import MappedTable
from h2o_magic.tables.runner import prepare_job, run_job
from tests.tables.rows_server import RowsServer


def texts(count: int, kind: str = "review") -> list[dict[str, object]]:
    return [{"text": f"{kind} {number}"} for number in range(count)]


def asked(
    table: list[dict[str, Any]],
    *servers: RowsServer,
    key_env: str = "",
    prompt: str = "Rate: {text}",
    tell: Any = lambda _progress: None,
    keep: bool = False,
    **options: Any,
) -> MappedTable:
    """Ask a table's rows of servers, which a new session connects to first."""
    session = Session()
    try:
        names = [
            session.connect(f"{each.url}/v1", dialect="openai", key_env=key_env).server
            for each in servers
        ]
        session.configure(model="mock")
        shared = tuple(names) if len(names) > 1 else ()
        given = RunOptions(keep=keep, server=shared, **options)
        job = prepare_job(session, table, prompt, options=given)
        return run_job(job, tell)
    finally:
        session.close()


def answers(mapped: MappedTable) -> list[object]:
    table: Any = mapped.table
    return [row["answer"] for row in table]


def errors(mapped: MappedTable) -> list[str]:
    table: Any = mapped.table
    return [row["error"] for row in table if row["error"]]
