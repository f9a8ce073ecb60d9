"""DVC on a full disk: it ends with an error, where by itself it would ask again for ever.

DVC keeps hashes of files in sqlite, through diskcache. That takes whatever sqlite refuses for
another process's lock, and begins again, without a pause and without an end.
"""

import errno
import os
import sqlite3
from collections.abc import Callable
from typing import Any

# The first byte of an extended code of sqlite is the kind of error.
KIND = 0xFF
# How sqlite refuses on a full disk: in words, and where it cannot make its shared memory longer,
# which is the first that it does in a database that is written ahead.
FULL = (sqlite3.SQLITE_FULL, sqlite3.SQLITE_IOERR_SHMSIZE)


def end_where_the_disk_is_full() -> None:
    """Call before DVC opens a project: of what sqlite refuses only locks are waited for."""
    import diskcache

    diskcache.Cache._sql = property(_asking)


def _asking(cache: Any) -> Callable[..., Any]:
    """What diskcache asks its database with; a disk that fails is an OSError that it lets pass."""
    execute = cache._con.execute

    def ask(statement: str, *values: Any) -> Any:
        try:
            return execute(statement, *values)
        except sqlite3.OperationalError as error:
            number = _errno(error)
            if number is None:
                raise
            raise OSError(number, os.strerror(number), cache.directory) from error

    return ask


def _errno(error: sqlite3.OperationalError) -> int | None:
    """What the kernel has said to sqlite; None where nothing is wrong with the disk."""
    code = error.sqlite_errorcode
    if code in FULL:
        return errno.ENOSPC
    return errno.EIO if code & KIND == sqlite3.SQLITE_IOERR else None
