"""What a power cut leaves of DVC's state, repaired before the next run of `make repro` or a flow.

DVC writes `dvc.lock` and `.dvc/tmp/rwlock` in place. One that was cut off is empty, full of zeros
or half a file, and the next DVC stops at it.
"""

import json
from pathlib import Path

from inspection.storage import write_bytes

DVC = Path(".dvc")
PIPELINE = Path("dvc.yaml")
RWLOCK = DVC / "tmp/rwlock"
LOCKED = Path("dvc.lock")
KEPT = Path(".state/dvc.lock.damaged")


def dvc_root() -> Path | None:
    """The folder that DVC works in: the current one, or, in the folder of a line, the checkout's.

    None where there is none above either.
    """
    here = Path.cwd()
    return next((one for one in (here, *here.parents) if (one / DVC).is_dir()), None)


def repaired() -> list[str]:
    """Take away what DVC cannot read; returns a line for each file.

    The locks of readers and writers mean nothing once DVC has ended. Without `dvc.lock` DVC looks
    every stage up in its run cache: what was finished is restored, not computed.
    """
    said = []
    rwlock = (dvc_root() or Path()) / RWLOCK
    if rwlock.is_file() and not _is_json(rwlock):
        rwlock.unlink()
        said.append(f"{RWLOCK}: was cut off, and is made anew")

    if LOCKED.is_file() and not _is_lock(LOCKED):
        write_bytes(KEPT, LOCKED.read_bytes())
        LOCKED.unlink()
        said.append(
            f"{LOCKED}: was cut off, and is made anew; what it held lies in {KEPT}"
        )
    return said


def _is_json(path: Path) -> bool:
    try:
        return isinstance(json.loads(path.read_bytes()), dict)
    except ValueError:
        return False


def _is_lock(path: Path) -> bool:
    """Whether its lines are whole and DVC takes them for a lock file.

    One that was cut off between two lines may be that, too. It then lacks stages or digests, and
    DVC looks those stages up in its run cache. Within a line, DVC stops at half a word.
    """
    # imported late: for the second that it takes
    from dvc.exceptions import DvcException
    from dvc.schema import COMPILED_LOCKFILE_SCHEMA
    from dvc.utils.strictyaml import load

    if not path.read_bytes().endswith(b"\n"):
        return False
    try:
        load(str(path), COMPILED_LOCKFILE_SCHEMA)
    except DvcException:
        return False
    return True
