"""What augmentation and centre crop do to classes and heat, side by side: `make study`.

The whole line is trained, calibrated and assembled with each recipe (train.augmentation), on the
same folds. Stopped, it goes on where it was. A frozen backbone is shown mirrored crops alone, so
there the recipes do next to nothing.
"""

import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from PIL import Image, ImageDraw

from inspection.errors import InspectionError
from inspection.failures import PlainErrors
from inspection.models.augmentations import AUGMENTATIONS
from inspection.storage import read_json, replacing, write_json
from pipelines.summary import aligned
from pipelines.trials.arguments import parser
from pipelines.trials.trial import Judged, Trial, judged, state

METRICS = Path("metrics/study.json")
SHEET = Path("artifacts/study/sheet.jpg")
# What the first line's engineers asked: is it noise or the crop's rim that spoils a heatmap?
RECIPES = ("basic", "noise", "basic_centre", "noise_centre")
HEAD = (
    "recipe",
    "macro-F1",
    "at least",
    "parts",
    "pointing",
    "at least",
    "on the defect",
    "edge",
    "views",
)
# The crops of all recipes beside each other: as many as fit a page of 1440 px with their heat.
N_PICTURES, PICTURE_PX, NAME_PX = 6, 200, 120
GALLERY = (
    "++evaluate_cam.max_defects=80",
    "++evaluate_cam.max_normals=80",
    f"++evaluate_cam.gallery_size={N_PICTURES}",
)


def main() -> None:
    """Run the line with each recipe, save and print the table, save the sheet of pictures."""
    asked = parser(__doc__)
    asked.add_argument(
        "recipes", nargs="*", metavar="RECIPE", help=f"of {', '.join(AUGMENTATIONS)}"
    )
    wanted = asked.parse_args().recipes
    with PlainErrors("study"):
        trials = list(judged(by_recipe(wanted or RECIPES)))
        found = study(trials)
        write_json(METRICS, found)
        with replacing(SHEET) as temporary:
            sheet(trials).save(temporary, "JPEG")
        sys.stdout.write(told(found))


def by_recipe(recipes: Sequence[str]) -> list[Trial]:
    """A trial for each recipe; raises InspectionError where one is not known."""
    unknown = [name for name in recipes if name not in AUGMENTATIONS]
    if unknown:
        known = ", ".join(AUGMENTATIONS)
        raise InspectionError(f"{unknown[0]}: is no recipe; there are {known}")
    return [Trial(name, (f"++train.augmentation={name}", *GALLERY)) for name in recipes]


def study(trials: Sequence[Judged]) -> dict[str, Any]:
    """Classes and heat by recipe, on the same test parts."""
    recipes = {one.trial.name: _numbers(one.card.metrics) for one in trials}
    return {**state(), "recipes": recipes}


def told(found: dict[str, Any]) -> str:
    """The table as text."""
    rows = [HEAD, *(_row(name, one) for name, one in found["recipes"].items())]
    title = "classes by part; heat of truly predicted defects, its share on them and on the edge"
    return "\n".join(["", title, "", *aligned(rows), "", f"pictures: {SHEET}", ""])


def sheet(trials: Sequence[Judged]) -> Image.Image:
    """A row of pictures for each recipe, its name before them."""
    size = (NAME_PX + N_PICTURES * PICTURE_PX, len(trials) * PICTURE_PX)
    paper = Image.new("RGB", size, "white")
    draw = ImageDraw.Draw(paper)
    for row, one in enumerate(trials):
        draw.text((4, row * PICTURE_PX + PICTURE_PX // 2), one.trial.name, fill="black")
        for column, file in enumerate(_pictures(one.gallery)):
            with Image.open(file) as picture:
                small = picture.convert("RGB")
            small.thumbnail((PICTURE_PX - 4, PICTURE_PX - 4))
            paper.paste(small, (NAME_PX + column * PICTURE_PX, row * PICTURE_PX))
    return paper


def _pictures(gallery: Path) -> list[Path]:
    index = gallery / "index.json"
    entries = read_json(index) if index.is_file() else []
    by_path = sorted(entries, key=lambda entry: entry["path"])
    return [gallery / entry["file"] for entry in by_path][:N_PICTURES]


def _numbers(metrics: dict[str, Any]) -> dict[str, Any]:
    classes, heat = metrics["classifier"], metrics["cam"]
    return {
        "macro_f1": classes["macro_f1"],
        "macro_f1_lower_bound": classes["macro_f1_lower_bound"],
        "n_parts": classes["n_parts"],
        "n_views": heat["n"],
        **{name: heat.get(name) for name in ("pointing", "energy", "edge")},
        "pointing_lower_bound": heat.get("pointing_lower_bound"),
    }


def _row(name: str, one: dict[str, Any]) -> tuple[str, ...]:
    return (
        name,
        _number(one["macro_f1"]),
        _number(one["macro_f1_lower_bound"]),
        str(one["n_parts"]),
        _number(one["pointing"]),
        _number(one["pointing_lower_bound"]),
        _number(one["energy"]),
        _number(one["edge"]),
        str(one["n_views"]),
    )


def _number(value: float | None) -> str:
    return "-" if value is None else f"{value:.3f}"


if __name__ == "__main__":
    main()
