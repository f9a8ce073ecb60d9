"""What augmentation and centre crop do to classes and heat, side by side: `make study`.

The whole line is trained, calibrated and assembled with each recipe (train.augmentation), on the
same folds. Stopped, it goes on where it was. A frozen backbone is shown mirrored crops alone, so
recipes that differ in noise would come out alike: one of them is run, and the others are named.
`--learn-backbone` lets it learn, for minutes more a recipe. A crop is judged without its mirror
image, which some recipes never show.
"""

import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from PIL import Image, ImageDraw

from inspection.errors import InspectionError
from inspection.evaluation.classification import confusion_rows
from inspection.models.augmentations import AUGMENTATIONS
from inspection.plant import LineErrors, as_typed
from inspection.runtime.verdict import NOT_FOUND
from inspection.storage import read_json, replacing, write_json
from pipelines.summary import aligned
from pipelines.trials.arguments import parser
from pipelines.trials.heat import SHARES, heat_by_part
from pipelines.trials.intervals import (
    Interval,
    change_interval,
    macro_f1_change,
    mean_interval,
)
from pipelines.trials.trial import PARAMS, Judged, Trial, judged, put_back, state
from stages.sections import read_yaml

METRICS = Path("metrics/study.json")
SHEET = Path("artifacts/study/sheet.jpg")
HEAT = "heat"
# What the first line's engineers asked: is it noise or the crop's rim that spoils a heatmap?
RECIPES = ("basic", "noise", "basic_centre", "noise_centre")
LEVELS = (
    "recipe",
    "macro-F1",
    "at least",
    "parts",
    "pointing",
    "at least",
    "on the defect",
    "on the edge",
    "elsewhere",
    "views",
    "parts",
)
CHANGES = ("recipe", "macro-F1", "on the defect", "on the edge", "elsewhere", "parts")
# The crops of all recipes beside each other: as many as fit a page of 1440 px with their heat.
N_PICTURES, PICTURE_PX, NAME_PX = 6, 200, 160
FONT_PX = 22  # the longest name fills its field
# All crops that are measured have a picture, so that some are the same by every recipe.
ALIKE = (
    "++train.mirror_average=false",
    "++evaluate_cam.max_defects=80",
    "++evaluate_cam.max_normals=80",
    "++evaluate_cam.gallery_size=80",
)
LEARNING = "++train.freeze_backbone=false"
ALIKE_WHEN_FROZEN = (
    "study: {name} is left out: the backbone is frozen and is shown no noise, so it would come out "
    "like {first}; `make study LEARN=1` lets the backbone learn\n"
)


def main() -> None:
    """Run the line with each recipe, save and print the table, save the sheet of pictures."""
    asked = parser(__doc__)
    asked.add_argument(
        "recipes", nargs="*", metavar="RECIPE", help=f"of {', '.join(AUGMENTATIONS)}"
    )
    asked.add_argument(
        "--learn-backbone", action="store_true", help="also where it is frozen"
    )
    given = asked.parse_args()
    with LineErrors("study"):
        put_back()
        recipes = tuple(given.recipes or RECIPES)
        alike = {} if given.learn_backbone else alike_when_frozen(recipes)
        for name, first in alike.items():
            said = ALIKE_WHEN_FROZEN.format(name=name, first=first)
            sys.stderr.write(as_typed(said))
        told_apart = [name for name in recipes if name not in alike]

        wanted = by_recipe(told_apart, learns=given.learn_backbone)
        trials = list(judged(wanted, {HEAT: heat_by_part}))
        found = study(trials)
        write_json(METRICS, found)
        with replacing(SHEET) as temporary:
            sheet(trials).save(temporary, "JPEG")
        sys.stdout.write(told(found))


def by_recipe(recipes: Sequence[str], *, learns: bool = False) -> list[Trial]:
    """A trial for each recipe; raises InspectionError where one is not known.

    `learns` lets the backbone learn, also where params.yaml freezes it.
    """
    _check(recipes)
    alike = (*ALIKE, LEARNING) if learns else ALIKE
    return [Trial(name, (f"++train.augmentation={name}", *alike)) for name in recipes]


def alike_when_frozen(recipes: Sequence[str]) -> dict[str, str]:
    """The recipes that a frozen backbone cannot tell from an earlier one, and that one.

    Empty where params.yaml lets the backbone learn. Raises InspectionError where a recipe is not
    known.

    A frozen backbone is shown a crop and its mirror images, or the centre of these, and nothing
    else of a recipe.
    """
    _check(recipes)
    if not read_yaml(PARAMS).get("train", {}).get("freeze_backbone"):
        return {}

    first_of: dict[tuple[bool, tuple[float, float]], str] = {}
    alike = {}
    for name in recipes:
        recipe = AUGMENTATIONS[name]
        first = first_of.setdefault((recipe.mirrors, recipe.centre_fraction), name)
        if first != name:
            alike[name] = first
    return alike


def _check(recipes: Sequence[str]) -> None:
    unknown = [name for name in recipes if name not in AUGMENTATIONS]
    if unknown:
        known = ", ".join(AUGMENTATIONS)
        raise InspectionError(f"{unknown[0]}: is no recipe; there are {known}")


def study(trials: Sequence[Judged]) -> dict[str, Any]:
    """Classes and heat by recipe, on the same test parts, and what differs from the first one."""
    first, *others = trials
    return {
        **state(),
        "recipes": {one.trial.name: _numbers(one) for one in trials},
        "first": first.trial.name,
        "changes": {one.trial.name: _changes(first, one) for one in others},
    }


def told(found: dict[str, Any]) -> str:
    """The tables as text."""
    levels = [_row(name, one) for name, one in found["recipes"].items()]
    changes = [_change_row(name, one) for name, one in found["changes"].items()]
    lines = [
        "",
        "classes by part; where heat lies on the defects that are named, each end 95 %",
        "",
        *aligned([LEVELS, *levels]),
        "",
    ]
    if changes:
        title = f"against {found['first']}, on the same parts, each end 95 %"
        lines += [title, "", *aligned([CHANGES, *changes]), ""]
    return "\n".join([*lines, f"pictures: {SHEET}", ""])


def sheet(trials: Sequence[Judged]) -> Image.Image:
    """A row of pictures for each recipe, its name before them, of the same crops in each."""
    size = (NAME_PX + N_PICTURES * PICTURE_PX, len(trials) * PICTURE_PX)
    paper = Image.new("RGB", size, "white")
    draw = ImageDraw.Draw(paper)
    shown = same_pictures([one.gallery for one in trials])
    for row, (one, files) in enumerate(zip(trials, shown, strict=True)):
        middle = (4, row * PICTURE_PX + PICTURE_PX // 2)
        draw.text(middle, one.trial.name, fill="black", font_size=FONT_PX)
        for column, file in enumerate(files):
            with Image.open(file) as picture:
                small = picture.convert("RGB")
            small.thumbnail((PICTURE_PX - 4, PICTURE_PX - 4))
            paper.paste(small, (NAME_PX + column * PICTURE_PX, row * PICTURE_PX))
    return paper


def same_pictures(galleries: Sequence[Path]) -> list[list[Path]]:
    """Of each gallery the pictures of the first views that all of them show, by their paths."""
    found = [_pictures(gallery) for gallery in galleries]
    common = set.intersection(*map(set, found))
    paths = sorted(common)[:N_PICTURES]
    return [[pictures[path] for path in paths] for pictures in found]


def _pictures(gallery: Path) -> dict[str, Path]:
    """The picture of each view, by the view's path; none where there is no gallery."""
    index = gallery / "index.json"
    entries = read_json(index) if index.is_file() else []
    return {entry["path"]: gallery / entry["file"] for entry in entries}


def _numbers(one: Judged) -> dict[str, Any]:
    """What a recipe gives; shares of heat are means over views."""
    classes, heat = one.card.metrics["classifier"], one.card.metrics["cam"]
    by_part = one.tables[HEAT]
    n_views = by_part["n_views"].to_numpy(float)
    shares = {name: mean_interval(by_part[name].to_numpy(), n_views) for name in SHARES}
    return {
        "macro_f1": classes["macro_f1"],
        "macro_f1_lower_bound": classes["macro_f1_lower_bound"],
        "n_parts": classes["n_parts"],
        "n_views": int(n_views.sum()),
        "n_parts_with_heat": len(by_part),
        "pointing": heat.get("pointing"),
        "pointing_lower_bound": heat.get("pointing_lower_bound"),
        **shares,
    }


def _changes(first: Judged, other: Judged) -> dict[str, Any]:
    """What differs from the first recipe; shares of heat by part, where both name the defect."""
    before, after = first.tables[HEAT], other.tables[HEAT]
    shares = {name: change_interval(before, after, name) for name in SHARES}
    classes = first.card.line.classifier_classes
    return {
        "macro_f1": macro_f1_change(_named(first), _named(other), classes),
        "n_parts_with_heat": len(before.merge(after, on="part_id")),
        **shares,
    }


def _named(one: Judged) -> Any:
    """The parts that were classified: `part_id`, `actual` and `predicted`."""
    table = one.table[one.table["classified"] != NOT_FOUND]
    rows = confusion_rows(table, one.card.line)
    return rows.assign(part_id=table["part_id"].to_numpy())


def _row(name: str, one: dict[str, Any]) -> tuple[str, ...]:
    return (
        name,
        _number(one["macro_f1"]),
        _number(one["macro_f1_lower_bound"]),
        str(one["n_parts"]),
        _number(one["pointing"]),
        _number(one["pointing_lower_bound"]),
        *(_with_ends(one[share]) for share in SHARES),
        str(one["n_views"]),
        str(one["n_parts_with_heat"]),
    )


def _change_row(name: str, one: dict[str, Any]) -> tuple[str, ...]:
    return (
        name,
        _with_ends(one["macro_f1"], "+"),
        *(_with_ends(one[share], "+") for share in SHARES),
        str(one["n_parts_with_heat"]),
    )


def _with_ends(one: Interval, sign: str = "") -> str:
    """A value with its interval, where there is one; `sign` "+" shows that of each number."""
    value, low, high = one["value"], one["low"], one["high"]
    if value is None:
        return "-"
    if low is None or high is None:
        return f"{value:{sign}.3f}"
    return f"{value:{sign}.3f} ({low:{sign}.3f} to {high:{sign}.3f})"


def _number(value: float | None) -> str:
    return "-" if value is None else f"{value:.3f}"


if __name__ == "__main__":
    main()
