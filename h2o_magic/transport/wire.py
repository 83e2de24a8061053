"""The connections of urllib3, with sockets that a cancellation holds on to."""

from __future__ import annotations

from urllib3 import HTTPConnectionPool, HTTPSConnectionPool
from urllib3.connection import HTTPConnection, HTTPSConnection

from h2o_magic.transport.cancellation import Watched

__all__ = ["WATCHED_POOLS"]


class _Watched(Watched, HTTPConnection):
    pass


class _WatchedTLS(Watched, HTTPSConnection):
    pass


class _Pool(HTTPConnectionPool):
    ConnectionCls = _Watched


class _TLSPool(HTTPSConnectionPool):
    ConnectionCls = _WatchedTLS


#: For ``PoolManager.pool_classes_by_scheme``.
WATCHED_POOLS: dict[str, type[HTTPConnectionPool]] = {
    "http": _Pool,
    "https": _TLSPool,
}
