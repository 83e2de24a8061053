"""Turns in a database file: the only room that knows SQLite.

One file serves all notebooks and kernels of a user. :class:`Database` opens it;
`notebooks`, `turns`, `versions`, `changes` and `undo` are functions that take it first
and are called inside a transaction. `salvage` copies what can still be read when the
file fails. All errors of disk and file come out as :class:`StoreError`.
"""

from __future__ import annotations

from h2o_magic.conversation.store.database import Database
from h2o_magic.errors import StoreError

__all__ = ["Database", "StoreError"]
