"""Files that survive a power cut: written beside the target, synced, then renamed over it."""

import fcntl
import hashlib
import json
import math
import os
import re
import shutil
import tempfile
import time
import unicodedata
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import IO, TYPE_CHECKING, Any

from inspection.errors import InspectionError

if TYPE_CHECKING:
    import numpy as np
    import pandas as pd

# With these signs, blanks before them or not, a cell begins a formula in a spreadsheet, and after a
# semicolon a new cell begins where commas are decimal (OWASP, "CSV Injection") ...
FORMULA = re.compile(r"""(^|;)([\s"]*)([=+\-@＝＋－＠][^;]*)""")
# ... unless it is a number, or a single sign.
HARMLESS = re.compile(r"[=+\-@＝＋－＠]|[+-]?\d+([.,]\d+)?([eE][+-]?\d+)?")
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
    """Write a table atomically, as parquet or CSV by the suffix of `path`.

    A CSV is opened by people: its texts are written as `plain_cell` has them.
    """
    with replacing(path) as temporary:
        if path.suffix == ".csv":
            plain_table(table).to_csv(temporary, index=False)
        else:
            table.to_parquet(temporary, index=False)


def plain_table(table: "pd.DataFrame") -> "pd.DataFrame":
    """A copy whose texts, names of columns among them, are as `plain_cell` has them."""
    plain = table.rename(columns=plain_cell)
    texts = plain.select_dtypes(["object", "string"]).columns
    plain[texts] = plain[texts].map(plain_cell)
    return plain


def plain_cell(value: Any) -> Any:
    """A text that does nothing where it is shown: no formula in a spreadsheet, no escape sequence.

    Names of files and classes come from outside. A formula gets an apostrophe in front, control
    characters are written out; what is no text stays as it is.

    >>> plain_cell("=1+1"), plain_cell("-3.5"), plain_cell("a\\x1b[2J"), plain_cell("a; =1+1")
    ("'=1+1", '-3.5', 'a\\\\x1b[2J', "a; '=1+1")
    """
    if not isinstance(value, str):
        return value
    shown = "".join(
        one if unicodedata.category(one) != "Cc" else repr(one)[1:-1] for one in value
    )
    return FORMULA.sub(_as_text, shown)


def _as_text(formula: re.Match[str]) -> str:
    """What FORMULA has found, with an apostrophe where a spreadsheet would compute."""
    begin, blanks, cell = formula.groups()
    return formula[0] if HARMLESS.fullmatch(cell.strip()) else f"{begin}{blanks}'{cell}"


def read_table(path: Path) -> "pd.DataFrame":
    """Read a parquet table; one that is cut off or damaged is an InspectionError."""
    import pandas as pd

    if not path.exists():
        raise InspectionError(f"{path}: not found; run `dvc repro` to make it")
    try:
        return pd.read_parquet(path)
    except (OSError, ValueError) as error:
        raise InspectionError(
            f"{path}: is no whole table ({_first_line(error)}); delete it, then `dvc checkout` "
            "brings it back from the cache, or `dvc repro` makes it anew"
        ) from error


def array_on_disk(shape: tuple[int, ...], folder: Path) -> "np.ndarray":
    """An array of uint8, all zero, on the disk of a folder: memory holds what is looked at.

    Its file has no name, so the disk is free again when the process ends, however it ends. Raises
    OSError at once where the disk is too small: later it would end the process without a word.
    """
    import numpy as np

    folder.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryFile(dir=folder) as file:
        os.posix_fallocate(file.fileno(), 0, max(1, math.prod(shape)))
        return np.memmap(file, dtype=np.uint8, mode="r+", shape=shape)


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


def _first_line(error: Exception) -> str:
    return (str(error).splitlines() or [""])[0]


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
