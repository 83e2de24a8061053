"""A lock between processes and threads, held on a file.

It is a transaction of SQLite's that never writes: Python brings SQLite along, which
locks files in the same way on Linux, macOS and Windows, and the system lets go of the
lock when the process ends, however it ends. The file stays, and stays empty.
"""

from __future__ import annotations

import errno
import os
import sqlite3
import time
from collections.abc import Iterator
from contextlib import closing, contextmanager
from pathlib import Path

__all__ = ["LockTimeoutError", "file_lock"]

_PAUSE = 0.02  # seconds between two tries


class LockTimeoutError(TimeoutError):
    """Somebody else has held the lock all the time that one would wait."""


@contextmanager
def file_lock(path: Path, *, timeout: float) -> Iterator[None]:
    """Hold the lock for the ``with`` block; nobody else holds it meanwhile.

    Parameters
    ----------
    path
        The lock's file, for nothing else; made if it is not there. Another thread that
        opens and closes it by other means would let go of the lock (POSIX).
    timeout
        Seconds to wait for whoever holds it; 0 for one try.

    Raises
    ------
    LockTimeoutError
        If it is held all that time, by another process, another thread or this one.
    OSError
        If the file cannot be written, or is something else than a lock's.
    """
    with closing(_opened(path)) as connection:
        deadline = time.monotonic() + timeout
        while not _is_taken(connection, path):
            if time.monotonic() >= deadline:
                raise LockTimeoutError(
                    errno.ETIMEDOUT, f"held by another for {timeout:g} s", str(path)
                )
            time.sleep(_PAUSE)  # not in SQLite: an interrupt is heard at once
        yield


def _opened(path: Path) -> sqlite3.Connection:
    try:
        connection = sqlite3.connect(path, timeout=0, isolation_level=None)
    except sqlite3.OperationalError as error:
        raise _os_error(path, error) from error
    if not os.access(path, os.W_OK):  # SQLite would share it with all who only read
        connection.close()
        raise PermissionError(errno.EACCES, os.strerror(errno.EACCES), str(path))
    return connection


def _os_error(path: Path, error: sqlite3.Error) -> OSError:
    """Return the system's error where it can be told, since SQLite does not say it."""
    folder = path.parent
    if not folder.exists():
        code = errno.ENOENT
    elif not folder.is_dir():
        code = errno.ENOTDIR
    elif path.is_dir():
        code = errno.EISDIR
    elif not os.access(path if path.exists() else folder, os.W_OK):
        code = errno.EACCES
    else:
        return OSError(errno.EIO, f"no lock: {error}", str(path))
    return OSError(code, os.strerror(code), str(path))


def _is_taken(connection: sqlite3.Connection, path: Path) -> bool:
    """Try once."""
    try:
        connection.execute("PRAGMA journal_mode = MEMORY")  # no file beside it
        connection.execute("BEGIN EXCLUSIVE")
    except sqlite3.OperationalError as error:
        if "locked" in str(error):
            return False
        raise _os_error(path, error) from error
    except sqlite3.DatabaseError as error:
        raise OSError(
            errno.EINVAL, f"{path.name} is no lock's file: remove it", str(path)
        ) from error
    return True
