import errno
import sqlite3
import subprocess
import sys
from pathlib import Path

import pytest

from pipelines.dvc_child import _failure
from pipelines.runs.full_disk import _errno
from tests.architecture import ROOT

# The kernel's own limit on the size of a file stands for the disk: a real failed write, which
# sqlite reports as one of a disk that fails.
FILLS_UP = """
import resource, sys
from diskcache import Cache
from pipelines.runs.full_disk import end_where_the_disk_is_full
end_where_the_disk_is_full()
with Cache(sys.argv[1]) as before:
    before["a"] = "1"
was = resource.getrlimit(resource.RLIMIT_FSIZE)
cache = Cache(sys.argv[1])
resource.setrlimit(resource.RLIMIT_FSIZE, (0, was[1]))
try:
    cache.set("b", "2", retry=True)
except OSError as error:
    print("refused", error.errno)
resource.setrlimit(resource.RLIMIT_FSIZE, was)
cache.set("b", "2", retry=True)
print(cache["a"], cache["b"])
"""


def test_what_dvc_cannot_write_is_an_error_of_the_disk_and_goes_on_when_there_is_room(
    tmp_path: Path,
) -> None:
    done = subprocess.run(
        [sys.executable, "-c", FILLS_UP, str(tmp_path)],
        cwd=ROOT,
        capture_output=True,
        text=True,
        timeout=60,
    )

    assert done.stdout.splitlines() == [f"refused {errno.EIO}", "1 2"], done.stderr


def refused(code: int) -> sqlite3.OperationalError:
    error = sqlite3.OperationalError("as sqlite says it")
    error.sqlite_errorcode = code
    return error


@pytest.mark.parametrize(
    ("code", "expected"),
    [
        (sqlite3.SQLITE_FULL, errno.ENOSPC),
        (sqlite3.SQLITE_IOERR_SHMSIZE, errno.ENOSPC),
        (sqlite3.SQLITE_IOERR_WRITE, errno.EIO),
        (sqlite3.SQLITE_BUSY, None),
        (sqlite3.SQLITE_ERROR, None),
    ],
)
def test_a_lock_and_a_table_that_is_not_there_are_left_to_diskcache(
    code: int, expected: int | None
) -> None:
    assert _errno(refused(code)) == expected


def test_a_full_disk_is_told_with_the_remedy_and_a_bug_is_raised() -> None:
    full = _failure(OSError(errno.ENOSPC, "No space left on device", "dvc.lock"))

    assert full["error"].startswith("dvc.lock: no space left; free some and run it again")
    assert full["passing"] is False
    with pytest.raises(FileExistsError):
        _failure(FileExistsError("a bug"))
