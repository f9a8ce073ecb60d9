"""What adoption says was understood, and what speaks for it."""

from collections import Counter

import numpy as np

from inspection.adoption.adoption import Plan
from inspection.adoption.folder_guesses import split_folders
from inspection.adoption.training_guesses import steps_of
from inspection.errors import first_three

WHERE = {
    "flat": "the class stands in the file names",
    "coco": "the class of a view is that of its boxes (COCO)",
    "yolo": "the class of a view is that of its boxes (YOLO)",
    "masks": "a view is normal where its mask marks nothing",
    "class_folders": "the folder names the class",
}


def told(plan: Plan) -> list[str]:
    """What was understood, one line each."""
    return [
        _files(plan),
        _layout(plan),
        *_classes(plan),
        _part(plan),
        *_regions(plan),
        _training(plan),
    ]


def _files(plan: Plan) -> str:
    ignored = f" ({first_three(plan.ignored)})" if plan.ignored else ""
    n_images = len(plan.labels.raw) + len(plan.untold)
    return f"files: {n_images} images, {plan.n_masks} masks, {len(plan.ignored)} ignored{ignored}"


def _layout(plan: Plan) -> str:
    line = f"layout: {plan.validate['layout']}: {WHERE[plan.labels.layout]}"
    if "masks" in plan.validate:
        line += f"; masks lie at {plan.validate['masks']}"
    splits = split_folders(list(plan.labels.raw))
    if len(splits) > 1:
        line += f"; {', '.join(splits)} are merged, and stage split makes folds by part"
    return line


def _classes(plan: Plan) -> list[str]:
    views = Counter(plan.labels.raw.values())
    lines = []
    for one, raw in plan.classes.items():
        is_normal = one == plan.line["normal"]
        n_views = sum(views[name] for name in raw) + (views[""] if is_normal else 0)
        called = f", called {first_three(raw)}" if raw else ""
        role = " (normal)" if is_normal else ""
        lines.append(
            f"class {one}{role}: {n_views} images, {plan.n_parts[one]} parts{called}"
        )
    return lines


def _part(plan: Plan) -> str:
    line = f"part: {plan.names.guess.part_from.rule}: {plan.names.guess.evidence}"
    if plan.part_disagreement == "off":
        line += "; a view of a bad part may be normal (clean_labels.rules.part_disagreement: 'off')"
    return line


def _regions(plan: Plan) -> list[str]:
    sizes = np.array([(one.facts.width_px, one.facts.height_px) for one in plan.looked])
    width, height = (int(side) for side in np.median(sizes, axis=0))
    colour = "colour" if plan.line["channels"] == 3 else "grey"
    lines = [f"frames: {width} x {height} px in the median, {colour}"]
    for name, region in plan.line["regions"].items():
        how = (
            "the whole frame"
            if region.get("whole_frame")
            else "located, from its boxes"
        )
        size = " x ".join(map(str, region["size_px"]))
        shows = ", ".join(region["shows"]) or "nothing"
        lines.append(f"region {name}: {how}, crop {size} px, shows {shows}")
    if "orient" in plan.line:
        first, second = plan.line["orient"]
        lines.append(
            f"parts lie both ways: they are turned so that {second} is right of {first}"
        )
    if plan.boxes:
        told_of = len(plan.boxes.annotations.boxes)
        lines.append(
            f"boxes: {told_of} images, of {first_three(plan.boxes.categories)}"
        )
    return lines


def _training(plan: Plan) -> str:
    n_steps = steps_of(len(plan.labels.raw), plan.epochs)
    told = f"{plan.epochs} epochs, some {n_steps} steps, patience {plan.patience}"
    return f"training: {told} (train.epochs, train.patience)"
