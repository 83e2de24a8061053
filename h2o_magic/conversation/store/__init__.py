"""Turns in a database file: the only part that knows SQLite.

One file serves all notebooks and kernels of a user. :class:`Database` opens it;
`notebooks`, `turns` and `changes` are the queries, each a function that takes the
database first and is called inside a transaction. `salvage` takes over what can still
be read when the file fails, and `keeper` then goes on in memory. :class:`StoreError` is
the only error that comes out, for all trouble with disk and file.
"""

from __future__ import annotations

from h2o_magic.conversation.store.database import Database
from h2o_magic.errors import StoreError

__all__ = ["Database", "StoreError"]
