"""Take what people found, and the pictures it is about, into the data that the next run trains on.

A picture goes into the data folder, named as an image of its class that is there already; its label
goes into reviews/labels.csv. `--undo` takes the last step back. Then run `dvc repro`.
"""

import argparse
import csv
import hashlib
import io
import sys
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path, PurePosixPath

import pandas as pd
from pydantic import ConfigDict

from inspection.curation.reviews import REVIEW_COLUMNS
from inspection.dataset.layouts import FROM_FILES, Layout, raw_label
from inspection.dataset.names import fullmatch, nfc, take_apart
from inspection.errors import InspectionError, first_three, raise_all
from inspection.line import Line, fold_name
from inspection.plant import as_typed
from inspection.runtime.pictures import picture_path
from inspection.runtime.verdict_log import (
    Feedback,
    LoggedPart,
    read_feedback,
    read_parts,
)
from inspection.storage import (
    locked,
    plain_cell,
    read_json,
    read_table,
    sha256_of,
    write_json,
    write_text,
)
from pipelines.intake import steps
from stages import sections

VERDICTS = Path("verdicts")
DATA = Path("data")
MANIFEST = Path("artifacts/manifest/manifest.parquet")
REVIEWS = Path("reviews/labels.csv")
TAKEN = Path("reviews/taken")
LOCK = Path(".state/locks/take_feedback.lock")
# The first bytes of the formats that the service reads, and what their files are called.
SUFFIXES = {
    b"\xff\xd8": ".jpg",
    b"\x89PNG": ".png",
    b"BM": ".bmp",
    b"II*\x00": ".tif",
    b"MM\x00*": ".tif",
}
# of the hash that names a part: among ten thousand taken parts two are the same with 1 %
ID_DIGITS = 8
# of a part that is inspected again and again, each time with another picture
MAX_SHOTS = 100


class LayoutOfData(Layout):
    """The section `validate`, of which only the layout is asked for."""

    model_config = ConfigDict(extra="ignore")


@dataclass(frozen=True)
class Picture:
    """A picture to take: where it is kept, its place in the data folder, its row of the reviews.

    `path` is empty where the picture is in the data already, and only its label is said.
    """

    sha256: str
    kept: Path
    path: str
    row: tuple[str, ...]


@dataclass(frozen=True)
class Plan:
    """What is taken, and what cannot be: a line for each reason."""

    pictures: list[Picture]
    left: list[str]


def main() -> None:
    """Take, or show what would be taken, or take the last step back."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--verdicts", type=Path, default=VERDICTS, metavar="PATH")
    parser.add_argument("--dry-run", action="store_true", help="only show")
    parser.add_argument("--undo", action="store_true", help="take the last step back")
    given = parser.parse_args()
    try:
        if given.undo:
            sys.stdout.write(as_typed(undo()) + "\n")
            return
        plan = planned(given.verdicts)
        for picture in plan.pictures:
            where = picture.path or "in the data already"
            sys.stdout.write(f"{picture.row[1]:12}  {picture.sha256[:12]}  {where}\n")
        for reason in plan.left:
            sys.stdout.write(f"not taken: {reason}\n")
        if not given.dry_run:
            sys.stdout.write(as_typed(take(plan)) + "\n")
    except InspectionError as error:
        sys.stderr.write(as_typed(f"take_feedback: failed\n{error}\n"))
        raise SystemExit(1) from error


def planned(verdicts: Path = VERDICTS) -> Plan:
    """What people found that is not in the reviews yet. Raises InspectionError."""
    line, layout = sections.read(
        sections.section("line", Line), sections.section("validate", LayoutOfData)
    )
    _check(layout)
    manifest = read_table(MANIFEST)
    known = set(manifest["image_sha256"])
    reviewed = {row["image_sha256"] for row in _rows(REVIEWS)}
    names = Names(manifest, layout, line)

    pictures: list[Picture] = []
    left: dict[str, int] = {}
    taken = set[str]()
    for part, said in _found(verdicts, line):
        for number, view in enumerate(part.views, start=1):
            kept = picture_path(verdicts, view.sha256)
            reason = _reason(view.sha256, said, line, reviewed, known, kept, taken)
            path = ""
            if not reason and view.sha256 not in known:
                path = names.for_view(part, said.label, number, kept)
                reason = (
                    "" if path else f"no image of class {said.label!r} to be named like"
                )
            if reason:
                left[reason] = left.get(reason, 0) + 1
                continue
            note = f"feedback on request {part.request_id}: {said.note}".rstrip(": ")
            # the table is opened by people, and who said it may be anybody on the network
            row = (view.sha256, said.label, plain_cell(said.reviewer), plain_cell(note))
            pictures.append(Picture(view.sha256, kept, path, row))
            taken.add(view.sha256)
    return Plan(pictures, [f"{n} x {reason}" for reason, n in sorted(left.items())])


def take(plan: Plan) -> str:
    """Copy the pictures and add the rows; returns what was done and how to go on, in a line."""
    if not plan.pictures:
        return "nothing new to take"

    _check_kept(plan.pictures)
    with locked(LOCK, holder="take_feedback"), steps.changing_data():
        # what another process has taken since the plan was made is not taken again
        pictures = _without_review(plan.pictures)
        if not pictures:
            return "nothing new to take"

        # without a path: a picture that lies in the data already, and is only reviewed anew
        new = [one for one in pictures if one.path]
        files = {one.path: one.sha256 for one in new}
        rows = [one.row for one in pictures]
        step = steps.new_step(TAKEN)
        # first what undoes it: a step that was cut short can be taken back as a whole one
        write_json(step, {"files": files, "rows": [list(row) for row in rows]})

        for one in new:
            steps.copy_whole(one.kept, DATA / one.path)
        before = REVIEWS.read_text(encoding="utf-8").rstrip("\n")
        write_text(REVIEWS, before + "\n" + _text(rows))
    return (
        f"{len(files)} pictures into {DATA}, {len(rows)} rows into {REVIEWS}; now `dvc repro`. "
        "To take it back: `python -m pipelines.take_feedback --undo`"
    )


def undo() -> str:
    """Take the last step back: its pictures, where they are still its own, and its rows."""
    with locked(LOCK, holder="take_feedback"), steps.changing_data():
        last = steps.last_step(TAKEN)
        step = read_json(last)
        for path, digest in step["files"].items():
            target = DATA / path
            if target.is_file() and sha256_of(target) == digest:
                target.unlink()
        gone = {tuple(row) for row in step["rows"]}
        rows = [tuple(row[name] for name in REVIEW_COLUMNS) for row in _rows(REVIEWS)]
        kept = [row for row in rows if row not in gone]
        write_text(REVIEWS, _text([REVIEW_COLUMNS, *kept]))
        last.unlink()
    counts = f"{len(step['files'])} pictures, {len(rows) - len(kept)} rows"
    return f"taken back: {counts}; now `dvc repro`"


class Names:
    """Names for new images, each like one of the same class that is there."""

    def __init__(self, manifest: pd.DataFrame, layout: Layout, line: Line) -> None:
        self._manifest = manifest
        self._layout = layout
        self._line = line
        self._given = {nfc(path) for path in manifest["path"]}

    def for_view(self, part: LoggedPart, label: str, number: int, kept: Path) -> str:
        """A free name under the data folder that says this label; '' where none can be made."""
        digest = hashlib.sha256((part.part_id or part.request_id).encode("utf-8"))
        groups = {"part": f"fb{digest.hexdigest()[:ID_DIGITS]}"}
        if part.camera:
            groups["camera"] = part.camera
        likes = list(self._like(label))
        for shot in range(number, number + MAX_SHOTS):
            for path in likes:
                name = self._renamed(path, groups | {"view": str(shot)}, kept)
                if self._is_free(name, kept) and self._says(name, label):
                    self._given.add(name)
                    return name
        return ""

    def _is_free(self, name: str, kept: Path) -> bool:
        """Whether no other picture has this name; a step that was cut off may have used it."""
        if name in self._given:
            return False
        there = DATA / name
        return not there.exists() or sha256_of(there) == sha256_of(kept)

    def _like(self, label: str) -> Iterator[str]:
        """Images whose own name or folder says this label."""
        of_class = self._manifest[self._manifest["label"] == label]
        return (path for path in of_class["path"] if self._says(path, label))

    def _renamed(self, path: str, groups: dict[str, str], kept: Path) -> str:
        """The path with other values in the places of the pattern's groups."""
        old = PurePosixPath(nfc(path))
        found = fullmatch(self._layout.regex, old.stem)
        stem = old.stem
        spans = {} if found is None else {
            name: found.span(name) for name in groups if name in found.re.groupindex
        }  # fmt: skip
        for name, (start, end) in sorted(spans.items(), key=lambda one: -one[1][0]):
            if start >= 0:
                stem = stem[:start] + groups[name] + stem[end:]
        if stem == old.stem:
            stem = f"{groups['part']}-{groups['view']}"
        return str(old.with_name(stem + _suffix(kept, old.suffix)))

    def _says(self, path: str, label: str) -> bool:
        name = take_apart(path, self._layout.regex)
        if name is None:
            return False
        raw = raw_label(name, layout=self._layout, line=self._line)
        return self._line.class_by_alias.get(fold_name(raw)) == label


def _without_review(pictures: Sequence[Picture]) -> list[Picture]:
    """The pictures that have no row in the reviews yet."""
    reviewed = {row["image_sha256"] for row in _rows(REVIEWS)}
    return [one for one in pictures if one.sha256 not in reviewed]


def _check_kept(pictures: Sequence[Picture]) -> None:
    """Refuse a picture that is no longer the one that was judged, before anything is taken."""
    raise_all(
        f"{one.kept}: is not the picture that was judged; remove it"
        for one in pictures
        if one.path and sha256_of(one.kept) != one.sha256
    )


def _check(layout: Layout) -> None:
    if layout.layout in FROM_FILES:
        raise InspectionError(
            f"validate.layout: {layout.layout}: labels stand in files beside the images, which "
            "only their own tool can extend; add pictures and labels there, from verdicts/pictures"
        )
    if layout.part_from.rule not in ("pattern", "file"):
        raise InspectionError(
            f"validate.part_from: {layout.part_from.rule}: a new name cannot say its part; add the "
            "pictures by hand, from verdicts/pictures"
        )


def _found(verdicts: Path, line: Line) -> list[tuple[LoggedPart, Feedback]]:
    """Every verdict that somebody spoke about, with the last that was said."""
    by_request: dict[str, tuple[int, Feedback]] = {}
    by_part: dict[str, tuple[int, Feedback]] = {}
    # numbered as people spoke: the time of a word may be that of a clock which was set back since
    for number, said in enumerate(read_feedback(verdicts)):
        if said.request_id is not None:
            by_request[said.request_id] = number, said
        elif said.part_id is not None:
            by_part[said.part_id] = number, said

    found = []
    for part in read_parts(verdicts):
        of_part = by_part.get(part.part_id) if part.part_id is not None else None
        words = [
            one for one in (by_request.get(part.request_id), of_part) if one is not None
        ]
        if words and part.line == line.name:
            _, last = max(words, key=lambda one: one[0])
            found.append((part, last))
    return found


def _reason(
    sha256: str,
    said: Feedback,
    line: Line,
    reviewed: set[str],
    known: set[str],
    kept: Path,
    taken: set[str],
) -> str:
    """Why a picture is not taken; '' where it is."""
    if said.label not in line.classes:
        return f"said to be {said.label!r}, which is no class of the line"
    if sha256 in reviewed:
        return "reviewed already"
    if sha256 in taken:
        return "the same picture as one above"
    if sha256 not in known and not kept.is_file():
        return "the picture was not kept (KNURL_KEEP_PASS_PERCENT, KNURL_PICTURES_MB)"
    return ""


def _suffix(kept: Path, usual: str) -> str:
    with kept.open("rb") as file:
        head = file.read(4)
    for magic, suffix in SUFFIXES.items():
        if head.startswith(magic):
            same = {suffix, suffix.replace("jpg", "jpeg"), suffix + "f"}
            return usual if usual.lower() in same else suffix
    return usual


def _rows(path: Path) -> list[dict[str, str]]:
    if not path.is_file():
        raise InspectionError(
            f"{path}: not found; make it with the one line {','.join(REVIEW_COLUMNS)!r}"
        )
    with path.open(encoding="utf-8", newline="") as file:
        reader = csv.DictReader(file)
        if tuple(reader.fieldnames or ()) != REVIEW_COLUMNS:
            raise InspectionError(
                f"{path}: the columns are {first_three(reader.fieldnames or [])}; they should be "
                f"{','.join(REVIEW_COLUMNS)}"
            )
        return list(reader)


def _text(rows: Sequence[Sequence[str]]) -> str:
    out = io.StringIO()
    csv.writer(out, lineterminator="\n").writerows(rows)
    return out.getvalue()


if __name__ == "__main__":
    main()
