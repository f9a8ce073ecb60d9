"""A lot: which files show which part. From a folder, a glob, or a table of paths and part ids."""

import glob
import hashlib
import json
import os
import unicodedata
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path, PurePath

from pydantic import ConfigDict

from inspection.dataset.layouts import Layout
from inspection.dataset.names import (
    PartFrom,
    ViewName,
    names_without_part,
    part_ids,
    take_apart,
)
from inspection.dataset.table import TABLES, read_rows
from inspection.errors import InspectionError, first_three
from inspection.images import SUFFIXES
from pipelines.lots.part import Frame, LotPart
from stages import sections

WILDCARDS = frozenset("*?[")
NO_NAME = "name_not_understood"
NO_PART = "no_part"
NOT_UNDERSTOOD = "the name does not fit validate.pattern, or names no part"


@dataclass(frozen=True)
class Lot:
    """Parts in the order of their ids, and the files that are no frames. `rule` made the ids."""

    parts: Sequence[LotPart]
    rule: str
    ignored: Sequence[str] = field(default=())

    @property
    def n_frames(self) -> int:
        """The number of frames."""
        return sum(len(part.frames) for part in self.parts)

    def sha256(self) -> str:
        """What tells this lot from others: the hash of its part ids and paths, not of pixels."""
        digest = hashlib.sha256()
        for part in self.parts:
            paths = [os.fsencode(frame.path).hex() for frame in part.frames]
            digest.update(json.dumps([part.part_id, paths]).encode("utf-8"))
        return digest.hexdigest()


class Naming(Layout):
    """What section `validate` says of names; what the stage does with them is not read."""

    model_config = ConfigDict(extra="ignore")


@dataclass(frozen=True)
class TableColumns:
    """Which columns of a table hold the path of a frame and the id of its part."""

    path: str = "path"
    part: str = "part_id"


def params_naming() -> Naming:
    """The rule of params.yaml that says which part a file shows. Raises InspectionError."""
    return sections.read(sections.section("validate", Naming))


def find_lot(
    source: str,
    *,
    part_per_file: bool = False,
    columns: TableColumns = TableColumns(),
    root: Path | None = None,
) -> Lot:
    """The lot in a folder, a glob, or a table whose paths begin at `root` (its own folder).

    Raises InspectionError where there is no part in it.
    """
    path = Path(source)
    if path.is_file() and path.suffix.lower() in TABLES:
        lot = _of_table(path, columns, root or path.parent)
    elif path.is_dir():
        lot = _of_files(path, _below(path), part_per_file)
    elif WILDCARDS & set(source):
        lot = _of_files(_fixed(path), _matches(source), part_per_file)
    else:
        raise InspectionError(
            f"{source}: no folder, no table ({', '.join(sorted(TABLES))}) and no glob; "
            "name where the frames lie"
        )

    if not any(part.part_id for part in lot.parts):
        raise InspectionError(_nothing_in(source, lot))
    return lot


def shown(path: PurePath) -> str:
    """A path as text that any file can hold: bytes that are no UTF-8 are written out."""
    return os.fsencode(path).decode("utf-8", errors="backslashreplace")


def is_frame(name: PurePath) -> bool:
    """Whether a file has the name of an image, and is not hidden as half-copied ones are."""
    is_hidden = any(part.startswith(".") for part in name.parts)
    return name.suffix.lower() in SUFFIXES and not is_hidden


def parts_of(frames: Iterable[Frame], naming: Naming | None) -> list[LotPart]:
    """The parts that some frames show, by their names; without a rule each frame is a part."""
    found = sorted(frames, key=lambda frame: frame.name)
    if naming is None:
        return [LotPart(frame.name, (frame,)) for frame in found]

    names: dict[str, ViewName] = {}
    for frame in found:
        taken = take_apart(frame.name, naming.regex)
        if taken is not None:
            names[frame.name] = taken
    for nameless in names_without_part(list(names.values()), naming.part_from):
        del names[nameless.path]

    ids = part_ids(list(names.values()), naming.part_from)
    by_name = dict(zip(names, ids, strict=True))
    strange = [
        LotPart("", (frame,), NO_NAME, NOT_UNDERSTOOD)
        for frame in found
        if frame.name not in by_name
    ]
    known = [
        (by_name[one.name], replace(one, camera=names[one.name]["camera"]))
        for one in found
        if one.name in by_name
    ]
    return [*strange, *_grouped(known)]


def _of_files(root: Path, paths: Iterable[Path], part_per_file: bool) -> Lot:
    frames, ignored = [], []
    for path in paths:
        name = path.relative_to(root)
        if is_frame(name):
            frames.append(Frame(shown(name), path))
        else:
            ignored.append(shown(name))
    naming = None if part_per_file else params_naming()
    rule = "each file is a part" if naming is None else _rule(naming.part_from)
    return Lot(parts_of(frames, naming), rule, ignored)


def _rule(part_from: PartFrom) -> str:
    rule = f"the part by validate.part_from of params.yaml, rule {part_from.rule}"
    if part_from.rule in ("file", "folder"):
        return rule
    return f"{rule}, group {part_from.group!r}"


def _below(folder: Path) -> list[Path]:
    return sorted(path for path in folder.rglob("*") if path.is_file())


def _matches(pattern: str) -> list[Path]:
    paths = map(Path, glob.glob(pattern, recursive=True))
    return sorted(path for path in paths if path.is_file())


def _fixed(pattern: Path) -> Path:
    """The folders of a glob before its first wildcard.

    >>> _fixed(Path("/shots/2026-*/a/*.png")).as_posix()
    '/shots'
    """
    fixed = Path()
    for name in pattern.parent.parts:
        if WILDCARDS & set(name):
            break
        fixed /= name
    return fixed


def _of_table(path: Path, columns: TableColumns, root: Path) -> Lot:
    """The lot that the rows name; a row without a part or a path is a part that is refused."""
    rows = read_rows(str(path), path.read_bytes())
    known = {name for row in rows for name in row}
    missing = [name for name in (columns.path, columns.part) if name not in known]
    if missing:
        raise InspectionError(
            f"{path}: has no column {first_three(missing)}, only {sorted(known)}; name them by "
            "--path-column and --part-column"
        )

    listed, strange = [], []
    for number, row in enumerate(rows, 1):
        name, part_id = row.get(columns.path, ""), row.get(columns.part, "")
        frame = Frame(name, on_disk(root, name))
        if name and part_id:
            listed.append((part_id, frame))
        else:
            reason = f"row {number} of {path.name}: path {name!r}, part id {part_id!r}"
            strange.append(LotPart("", (frame,) if name else (), NO_PART, reason))
    rule = f"the part by column {columns.part!r} of {path.name}"
    return Lot([*strange, *_grouped(listed)], rule)


def on_disk(root: Path, name: str) -> Path:
    """Where a file lies that a table names: on disk its Hangul may be composed, or not."""
    decomposed = root / unicodedata.normalize("NFD", name)
    if name.isascii() or not decomposed.exists():
        return root / name
    return decomposed


def _grouped(frames: Iterable[tuple[str, Frame]]) -> list[LotPart]:
    """Frames by part, in the order of their ids; one that is named twice counts once."""
    by_part: dict[str, dict[Frame, None]] = {}
    for part_id, frame in frames:
        by_part.setdefault(part_id, {})[frame] = None
    return [LotPart(part_id, tuple(by_part[part_id])) for part_id in sorted(by_part)]


def _nothing_in(source: str, lot: Lot) -> str:
    names = [frame.name for part in lot.parts for frame in part.frames]
    if not names:
        return f"{source}: holds no image; name where the frames lie"
    return (
        f"{source}: {lot.rule}, and of {len(names)} files none fits: {first_three(names)}; "
        "correct validate.pattern, or give --part-per-file"
    )
