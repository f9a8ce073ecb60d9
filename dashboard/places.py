"""Where what the pages show lies, from the root of a line, and what to run where it is missing.

`dashboard.switch.here` says where that root is.
"""

import unicodedata
from pathlib import Path

from inspection.errors import InspectionError

DATA = Path("data")
BUNDLE = Path("models/bundle")
RELEASES = Path("models/releases")
RAW_MANIFEST = Path("artifacts/manifest/manifest.parquet")
MANIFEST = Path("artifacts/labels/manifest.parquet")
ISSUES = Path("artifacts/labels/issues.csv")
FOLDS = Path("artifacts/folds/folds.parquet")
SHORTCUTS = Path("artifacts/folds/shortcuts.parquet")
RECEIPT = Path("artifacts/receipt.json")
SPLIT = Path("metrics/split.json")
CLASSIFIER = Path("artifacts/classifier")
ANOMALY = Path("artifacts/anomaly")
VERDICTS = Path("verdicts")
# Written by `make watch` beside the service's log.
WATCHED = VERDICTS / "watched.json"
# What the pages compute once and keep; safe to delete at any time.
KEPT = Path(".state/dashboard")


def content(path: Path) -> bytes:
    """The bytes of a picture; one that is not there is an InspectionError."""
    try:
        return path.read_bytes()
    except FileNotFoundError as error:
        raise InspectionError(f"{path}: not found; fetch the data again") from error


def file_name(path: str | Path) -> str:
    """A file's name to be read: Hangul composed, which fonts know better."""
    return unicodedata.normalize("NFC", Path(path).name)


def stamp(path: Path) -> int:
    """A file as it was last written: what is cached from it holds as long as this."""
    if not path.is_file():
        raise InspectionError(f"{path}: not found; run `dvc repro` to make it")
    return hash((path.as_posix(), path.stat().st_mtime_ns))


def stamp_or_none(path: Path) -> int:
    """As `stamp`; 0 where there is no file, which is no error."""
    return stamp(path) if path.is_file() else 0
