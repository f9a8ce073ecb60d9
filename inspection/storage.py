"""Files that survive a power cut: written beside the target, synced, then renamed over it."""

import fcntl
import hashlib
import json
import os
import shutil
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import IO, TYPE_CHECKING, Any

from inspection.errors import InspectionError

if TYPE_CHECKING:
    import pandas as pd

RETRY_S = 0.1  # no outcome: how soon a waiting process notices that the lock is free


@contextmanager
def replacing(path: Path) -> Iterator[Path]:
    """Yield a temporary path beside `path`; on success sync it and rename it over `path`."""
    path.parent.mkdir(parents=True, exist_ok=True)
    handle, name = tempfile.mkstemp(
        prefix=f".{path.name}.", suffix=path.suffix, dir=path.parent
    )
    os.close(handle)
    temporary = Path(name)
    try:
        yield temporary
        temporary.chmod(0o644)
        _sync(temporary)
        temporary.replace(path)
        _sync(path.parent)
    finally:
        temporary.unlink(missing_ok=True)


def write_bytes(path: Path, content: bytes) -> None:
    """Write `content` atomically."""
    with replacing(path) as temporary:
        temporary.write_bytes(content)


def write_text(path: Path, text: str) -> None:
    """Write `text` atomically as UTF-8."""
    write_bytes(path, text.encode("utf-8"))


def write_json(path: Path, value: Any) -> None:
    """Write `value` atomically as JSON with sorted keys; NaN and infinity are refused."""
    text = json.dumps(
        value, indent=2, sort_keys=True, ensure_ascii=False, allow_nan=False
    )
    write_text(path, text + "\n")


def read_json(path: Path) -> Any:
    """Read one JSON file; a broken one is an InspectionError that names it."""
    try:
        return json.loads(path.read_text(encoding="utf-8"))
    except FileNotFoundError as error:
        raise InspectionError(
            f"{path}: not found; run the stage that writes it"
        ) from error
    except ValueError as error:
        raise InspectionError(
            f"{path}: is not JSON ({error}); write it again"
        ) from error


def write_table(path: Path, table: "pd.DataFrame") -> None:
    """Write a table atomically, as parquet or CSV by the suffix of `path`."""
    with replacing(path) as temporary:
        if path.suffix == ".csv":
            table.to_csv(temporary, index=False)
        else:
            table.to_parquet(temporary, index=False)


def read_table(path: Path) -> "pd.DataFrame":
    """Read a parquet table."""
    import pandas as pd

    if not path.exists():
        raise InspectionError(f"{path}: not found; run `dvc repro` to make it")
    return pd.read_parquet(path)


def replace_folder(finished: Path, target: Path) -> None:
    """Put a finished folder in the place of `target`; what was there before goes last."""
    old = target.with_name(f".{target.name}.old")
    shutil.rmtree(old, ignore_errors=True)
    target.parent.mkdir(parents=True, exist_ok=True)
    if target.exists():
        target.rename(old)
    finished.rename(target)
    shutil.rmtree(old, ignore_errors=True)


def sha256_of(path: Path) -> str:
    """Hex SHA-256 of the bytes of a file."""
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


@contextmanager
def locked(path: Path, holder: str, wait_s: float = 0.0) -> Iterator[None]:
    """Hold an exclusive lock file, released by the kernel when the process ends however it ends.

    Raises InspectionError when another process still holds it after `wait_s`.
    """
    path.parent.mkdir(parents=True, exist_ok=True)
    deadline = time.monotonic() + wait_s
    with path.open("a+") as file:
        while not _try_lock(file):
            if time.monotonic() >= deadline:
                raise InspectionError(
                    f"{path}: {holder} is running already; wait for it to end, or stop it"
                )
            time.sleep(RETRY_S)
        yield


def _try_lock(file: IO[str]) -> bool:
    try:
        fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    return True


def _sync(path: Path) -> None:
    descriptor = os.open(path, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
