"""Written rules, near-duplicates and reviews over the manifest: who is held, who is suspect."""

from collections.abc import Sequence
from dataclasses import dataclass
from functools import partial
from io import StringIO
from pathlib import Path
from typing import Annotated

import numpy as np
import pandas as pd

from inspection.curation import box_reviews as drawing
from inspection.curation import duplicate_groups, duplicates, textures
from inspection.curation import label_issues as suspects
from inspection.curation import label_rules as labels
from inspection.curation import reviews as reviewing
from inspection.curation.class_counts import check_classes
from inspection.errors import InspectionError
from inspection.line import Line
from inspection.over_views import over_views
from inspection.storage import array_on_disk, read_table, write_table
from inspection.texts import read_text
from stages import program, sections
from stages.params.clean_labels import CleanLabelsParams
from stages.per_view.items import CameraView
from stages.per_view.looking import looked_at


@dataclass(frozen=True)
class Paths:
    """What the stage reads and writes."""

    data: Annotated[Path, "folder of raw images"]
    manifest: Annotated[Path, "manifest.parquet of stage validate"]
    reviews: Annotated[Path, "CSV of reviewed labels"]
    boxes: Annotated[Path, "CSV of boxes that people drew"]
    out: Annotated[Path, "folder for the clean manifest and its lists"]
    metrics: Annotated[Path, "JSON file for the counts"]


def main() -> None:
    paths = program.paths(Paths, __doc__)
    line, params = sections.read(
        sections.line("bit_depth", "classes", "normal", "regions"),
        sections.section("clean_labels", CleanLabelsParams),
    )
    raw = read_table(paths.manifest)
    said = _read_csv(paths.reviews, reviewing.REVIEW_COLUMNS)
    reviews = reviewing.read_reviews(said, raw, line)
    drawn = drawing.read_box_reviews(
        _read_csv(paths.boxes, drawing.BOX_REVIEW_COLUMNS), raw, line
    )

    # the rules speak of labels and boxes as people have settled them
    table = reviewing.with_reviews(raw, reviews)
    table = drawing.with_box_reviews(table, drawn, line)

    thumbnails, features = measured(paths.data, table, line, paths.out)
    pairs = duplicates.near_duplicates(
        thumbnails,
        min_correlation=params.min_correlation,
        apart=list(table["part_id"]),
        cameras=list(table["camera"]),
    )
    table = duplicate_groups.with_groups(table, pairs)
    duplicate_groups.check_spread(table, pairs)

    actions = params.rules.model_dump()
    conflicts = labels.conflicts(table, line, actions)
    held_by = [rule for rule, action in actions.items() if action == "hold"]
    table = labels.with_holds(table, conflicts, rules=held_by)
    # before the check that may stop the stage: every change is listed, whatever comes of it
    of_labels = labels.changes(raw, table, reviews)
    of_boxes = drawing.box_changes(raw, table, drawn)
    changes = pd.concat([of_labels, of_boxes], ignore_index=True)
    write_table(paths.out / "changes.csv", changes)

    check_classes(table, line)
    likely = suspects.probabilities(table, features, line=line, seed=params.seed)
    issues = suspects.ranked(
        table,
        likely,
        conflicts,
        held_by=held_by,
        n_issues=params.n_issues,
    )

    write_table(paths.out / "manifest.parquet", table)
    write_table(paths.out / "issues.csv", issues)
    write_table(paths.out / "duplicates.csv", duplicate_groups.as_table(table, pairs))
    program.save_metrics(paths.metrics, _numbers(table, changes, issues, conflicts))


def _read_csv(path: Path, columns: Sequence[str]) -> pd.DataFrame:
    if not path.exists():
        header = ",".join(columns)
        raise InspectionError(
            f"{path}: not found; make it with the one line {header!r}"
        )
    text = read_text(path)
    remedy = "put text that has commas in quotes"
    try:
        # as text: a part called 007 or NA keeps its name
        table = pd.read_csv(StringIO(text), dtype=str, keep_default_na=False)
    except (pd.errors.ParserError, pd.errors.EmptyDataError) as error:
        reason = str(error).removeprefix("Error tokenizing data. C error: ").strip()
        raise InspectionError(
            f"{path}: is no such table ({reason}); {remedy}"
        ) from error
    # pandas takes the first of too many fields for the name of the row, without a word
    if not isinstance(table.index, pd.RangeIndex):
        raise InspectionError(
            f"{path}: has more fields in a row than in its header; {remedy}"
        )
    return table


def measured(
    data_dir: Path, table: pd.DataFrame, line: Line, folder: Path
) -> tuple[np.ndarray, np.ndarray]:
    """Thumbnails (N, H, W) and texture features (N, D) of every view, decoded once.

    The thumbnails lie on the disk of the folder, see `array_on_disk`.
    """
    windows = textures.windows(table, line)
    look = partial(
        looked_at,
        bit_depth=line.bit_depth,
        windows=windows,
        sizes_px=textures.fitted_sizes(windows),
    )
    views = [
        CameraView(str(path), str(camera))
        for path, camera in zip(table["path"], table["camera"], strict=True)
    ]
    width_px, height_px = duplicates.FINE_SIZE_PX
    thumbnails = array_on_disk((len(views), height_px, width_px), folder)
    features = []
    found = over_views(look, views, data=data_dir, what="looking")
    for number, (thumbnail, of_view) in enumerate(found):
        thumbnails[number] = thumbnail
        features.append(of_view)
    return thumbnails, np.stack(features)


def _numbers(
    table: pd.DataFrame,
    changes: pd.DataFrame,
    issues: pd.DataFrame,
    conflicts: Sequence[labels.Conflict],
) -> dict[str, object]:
    per_rule = pd.Series([one.rule for one in conflicts], dtype=str).value_counts()
    # what is held has a label that may be wrong, and counts for no class
    groups_by_label = table[~table["held"]].groupby("label")["group_id"]
    free = groups_by_label.agg(n_views="size", n_groups="nunique")
    classes = {
        str(label): {name: int(count) for name, count in counts.items()}
        for label, counts in free.iterrows()
    }
    return {
        "n_views": len(table),
        "n_held": int(table["held"].sum()),
        "n_reviewed": int((table["label_source"] == "review").sum()),
        "n_excluded": int((changes["what"] == "excluded").sum()),
        "n_boxes_reviewed": int((changes["what"] == "boxes").sum()),
        "n_near_duplicates": int((table["near_duplicate_group"] != "").sum()),
        "n_groups": int(table["group_id"].nunique()),
        "n_issues": sum(map(suspects.is_suspect, issues["reason"])),
        "conflicts": {str(rule): int(n) for rule, n in sorted(per_rule.items())},
        "classes": classes,
    }


if __name__ == "__main__":
    program.run("clean_labels", main)
