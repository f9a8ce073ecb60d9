"""What a stage depends on, taken down as it is: to see whether it changed while the stage ran.

DVC hashes dependencies after a command has ended. What is edited while a stage runs would be
recorded as what it ran with.
"""

import hashlib
import os
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from inspection.errors import InspectionError
from stages.sections import read_yaml

PIPELINE = Path("dvc.yaml")

# no outcome: a file up to this size is hashed, in a millisecond. A larger one, and every file of a
# folder, is known by its size and the time of its last change.
SMALL_BYTES = 1_000_000

Fingerprint = dict[str, object]


def of_stage(stage: str) -> Fingerprint:
    """What stands for each dependency and parameter that dvc.yaml names for a stage.

    Empty where there is no dvc.yaml, or no such stage in it: then nothing is recorded by DVC.
    """
    if not PIPELINE.is_file():
        return {}
    known = read_yaml(PIPELINE).get("stages", {}).get(stage, {})

    taken: Fingerprint = {}
    for dependency in known.get("deps", []):
        taken |= _of_path(Path(dependency))
    for parameter in known.get("params", []):
        taken |= _of_parameter(parameter)
    return taken


def digest(taken: Fingerprint) -> str:
    """A name for what was taken down: another one stands for other dependencies."""
    text = repr(sorted(taken.items(), key=lambda pair: pair[0]))
    return hashlib.sha256(text.encode("utf-8")).hexdigest()[:16]


def require_unchanged(stage: str, before: Fingerprint) -> None:
    """Raise InspectionError that names what a stage depends on and what has changed since."""
    after = of_stage(stage)
    names = sorted(before.keys() | after.keys())
    changed = [name for name in names if before.get(name) != after.get(name)]
    if not changed:
        return

    listed = "\n".join(
        f"{name}: changed while stage {stage} ran" for name in changed[:3]
    )
    more = f"\nand {len(changed) - 3} more" if len(changed) > 3 else ""
    raise InspectionError(
        f"{listed}{more}\nits results are not those of what is there now; run it again"
    )


def _of_path(path: Path) -> Fingerprint:
    if path.is_dir():
        return dict(_of_folder(path))
    if not path.is_file():
        return {path.as_posix(): "missing"}
    if path.stat().st_size > SMALL_BYTES:
        return {path.as_posix(): _stamp(path.stat())}
    return {path.as_posix(): hashlib.sha256(path.read_bytes()).hexdigest()}


def _of_folder(folder: Path) -> Iterator[tuple[str, object]]:
    """Size and time of every file below a folder: thousands of images cost milliseconds."""
    for entry in os.scandir(folder):
        path = Path(entry.path)
        if entry.is_dir(follow_symlinks=False):
            yield from _of_folder(path)
        elif entry.is_file():
            yield path.as_posix(), _stamp(entry.stat())


def _stamp(facts: os.stat_result) -> tuple[int, int]:
    return facts.st_size, facts.st_mtime_ns


def _of_parameter(parameter: str | Mapping[str, list[str]]) -> Fingerprint:
    """Values by `file: key`; a parameter without a file is one of params.yaml."""
    named = {"params.yaml": [parameter]} if isinstance(parameter, str) else parameter
    taken: Fingerprint = {}
    for file, keys in named.items():
        content = read_yaml(Path(file))
        taken |= {f"{file}: {key}": _value(content, key) for key in keys}
    return taken


def _value(content: Mapping[str, Any], key: str) -> object:
    """The value of a dotted key, None where it is not there."""
    value: Any = content
    for name in key.split("."):
        value = value.get(name) if isinstance(value, Mapping) else None
    return value
