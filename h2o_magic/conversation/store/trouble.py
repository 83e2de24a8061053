"""What can go wrong with the file, in words: the one place where errors are mapped."""

from __future__ import annotations

import sqlite3

from h2o_magic.errors import StoreError

_WRITABLE = (
    "make the file and its folder writable, or set H2O_MAGIC_HOME to another folder, "
    "and restart the kernel"
)
_AWAY = "move the file away and restart the kernel to begin a new one"

# SQLite's own words (sqlite3ErrStr), since Python 3.10 does not give the error's code.
_KNOWN = (
    ("full", "the disk is full", "make room and restart the kernel"),
    ("malformed", "the file is damaged", _AWAY),
    ("not a database", "the file is damaged, or no conversation store", _AWAY),
    (
        "lock",
        "another program keeps the file locked",
        "end that program and restart the kernel",
    ),
    ("readonly", "the file cannot be written", _WRITABLE),
    ("unable to open", "the file cannot be opened", _WRITABLE),
)

# The other classes (IntegrityError, InterfaceError, ProgrammingError, ...) say that a
# program uses SQLite wrongly, and are no trouble with the file.
_OF_THE_FILE = (sqlite3.OperationalError, sqlite3.DatabaseError)


def store_error(error: BaseException) -> StoreError | None:
    """Return the StoreError that an error of SQLite or the system means, if any."""
    if isinstance(error, StoreError):
        return error
    if isinstance(error, OSError):
        return StoreError(error.strerror or type(error).__name__, _WRITABLE)
    if type(error) not in _OF_THE_FILE:
        return None
    said = str(error)
    for sign, what, remedy in _KNOWN:
        if sign in said:
            return StoreError(what, remedy)
    return StoreError(said, "check the disk, and restart the kernel")
