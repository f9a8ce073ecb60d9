"""What adoption leaves to a person: what may be wrong or is missing."""

from collections import Counter
from pathlib import PurePosixPath

import numpy as np

from inspection.adoption.adoption import Plan
from inspection.adoption.adoption_sections import known_names
from inspection.adoption.products import alike_tops
from inspection.adoption.region_guesses import bits_used
from inspection.errors import first_three
from inspection.line import fold_name

FEW_PARTS = 6
MAX_SPREAD = 2.0
MAX_SHRUNK = 6.0
MIN_SEEN_PX = 3
UNREAD_SUFFIXES = frozenset(
    {
        ".webp",
        ".gif",
        ".heic",
        ".heif",
        ".avif",
        ".jp2",
        ".jfif",
        ".tga",
        ".ppm",
        ".pgm",
        ".exr",
    }
    | {".raw", ".dng", ".cr2", ".nef", ".arw", ".npy", ".dcm"}
)


def warned(plan: Plan) -> list[str]:
    """What may be wrong or is missing, with the lines of params.yaml to mend."""
    return [
        *_by_absence(plan),
        *_unread(plan),
        *_untold(plan),
        *_aside(plan),
        *_products(plan),
        *_masks_left(plan),
        *_taken_for_masks(plan),
        *_frames(plan),
        *_few_parts(plan),
        *_guessed_parts(plan),
        *_strange_boxes(plan),
    ]


def _by_absence(plan: Plan) -> list[str]:
    if not plan.by_absence:
        return []
    return [
        f"{plan.by_absence!r} is taken for normal only because it says that another class is "
        "absent; if that other one is the good one, say so with `make adopt DATA=... NORMAL=<name>`"
    ]


def _untold(plan: Plan) -> list[str]:
    if not plan.untold:
        return []
    n, n_all = len(plan.untold), len(plan.untold) + len(plan.labels.raw)
    good = (
        ", or set validate.unlabelled to normal if they are good"
        if plan.labels.by_view
        else ""
    )
    return [
        f"nothing tells the class of {n} of {n_all} images ({first_three(plan.untold)}), and stage "
        f"validate sets them aside, or stops where they are too many: label or remove them{good}"
    ]


def _aside(plan: Plan) -> list[str]:
    if not plan.aside:
        return []
    return [
        f"{len(plan.aside)} images lie in no folder of a class and are left out "
        f"({first_three(plan.aside)}): sort them into the classes' folders if they are to count"
    ]


def _products(plan: Plan) -> list[str]:
    tops = alike_tops(plan.labels.raw) if plan.labels.layout == "class_folders" else []
    if not tops:
        return []
    return [
        f"{len(tops)} folders hold the same classes ({first_three(tops)}) and are taken for one "
        "line, where equal numbers may be one part; if they are products of their own, adopt one "
        "of them"
    ]


def _masks_left(plan: Plan) -> list[str]:
    if not plan.n_masks_left:
        return []
    where = plan.validate.get("masks", "")
    told = (
        f"do not lie where masks are looked for ({where})"
        if where
        else "fit no image by name"
    )
    return [
        f"{plan.n_masks_left} of {plan.n_masks} masks {told} and are left out: each image has one "
        "mask at most; draw several into one, name them after their images, or mend validate.masks"
    ]


def _taken_for_masks(plan: Plan) -> list[str]:
    if not plan.black_and_white:
        return []
    return [
        f"the images in {first_three(plan.black_and_white)} are black and white alone, so they are "
        "taken for masks and make no class; if they are photographs, save them as grey ones"
    ]


def _unread(plan: Plan) -> list[str]:
    lines = []
    if plan.unread:
        lines.append(
            f"{len(plan.unread)} images are of a kind of which none can be read, and left out "
            f"({first_three(plan.unread)}): convert them to PNG of 8 or 16 bits if they shall count"
        )
    unread = Counter(
        suffix
        for path in plan.ignored
        if (suffix := PurePosixPath(path).suffix.lower()) in UNREAD_SUFFIXES
    )
    if unread:
        kinds = ", ".join(f"{n} {suffix}" for suffix, n in sorted(unread.items()))
        lines.append(
            f"images of a kind that is not read are left out: {kinds}; convert them to PNG"
        )
    if plan.labels.layout == "masks" and "unlabelled" in plan.validate:
        lines.append(
            "every mask marks a defect, so images without a mask are taken for normal; if some "
            "are only not yet marked, remove them, or set validate.unlabelled to quarantine"
        )
    if plan.n_masks_unseen:
        lines.append(
            f"{plan.n_masks_unseen} of {plan.n_masks} masks were not looked at, and their images "
            "are counted as normal here: stage validate looks at all, and has the true numbers"
        )
    return lines


def _frames(plan: Plan) -> list[str]:
    lines = []
    bits = bits_used(plan.looked)
    if bits < 16:
        lines.append(
            f"16-bit images look like those of a camera of {bits} bits, so line.bit_depth is "
            f"{bits}; a brighter one would be refused"
        )
    aspects = [one.facts.width_px / one.facts.height_px for one in plan.looked]
    low, high = (float(value) for value in np.quantile(aspects, (0.02, 0.98)))
    if high > MAX_SPREAD * low:
        lines.append(
            f"frames are {low:.2f} to {high:.2f} times as wide as high; what one does not "
            "fill of the crop repeats its edge; adopt those of one shape where you can"
        )
    return [*lines, *_shrunk(plan)]


def _shrunk(plan: Plan) -> list[str]:
    """Frames of which a crop shows so little that small defects are lost in it."""
    sides = np.array([(one.facts.width_px, one.facts.height_px) for one in plan.looked])
    width, height = np.median(sides, axis=0)
    lines = []
    for name, region in plan.line["regions"].items():
        if not region.get("whole_frame"):
            continue
        scale = max(width / region["size_px"][0], height / region["size_px"][1])
        if scale > MAX_SHRUNK:
            lost_px = MIN_SEEN_PX * scale
            lines.append(
                f"frames of {width:.0f} x {height:.0f} px are shrunk {scale:.0f}-fold into the "
                f"crop, where a defect of less than some {lost_px:.0f} px is lost: cut the frames "
                f"into tiles, or raise line.regions.{name}.size_px"
            )
    return lines


def _few_parts(plan: Plan) -> list[str]:
    lines = []
    for one, n_parts in plan.n_parts.items():
        if n_parts < 2:
            aliases = ", ".join(map(repr, plan.classes[one]))
            lines.append(
                f"class {one} has {n_parts} part, too few to learn and to judge by: it is left "
                "out, and its images are set aside as unknown_class; add parts, and "
                f"`{one}: {{aliases: [{aliases}]}}` under line.classes, and {one} to "
                f"line.regions.{plan.line['classify']}.shows (or of the region that shows it)"
            )
        elif n_parts < FEW_PARTS:
            lines.append(
                f"class {one} has {n_parts} parts: its figures will mean little; add parts"
            )
    return lines


def _guessed_parts(plan: Plan) -> list[str]:
    rule = plan.names.guess.part_from.rule
    if rule == "file":
        return [
            "if one part was shot several times, its shots leak from train to test and every "
            "figure is too good: then give validate.pattern a group (?P<part>...) and set "
            "validate.part_from to {rule: pattern, group: part}"
        ]
    if rule == "consecutive":
        return [
            "parts are guessed from neighbouring numbers: look at part_id in the manifest, and "
            "mend validate.part_from.max_gap; a part with two labels is only reported "
            "(clean_labels.rules.part_disagreement)"
        ]
    return []


def _strange_boxes(plan: Plan) -> list[str]:
    lines = []
    if plan.boxes:
        regions = {
            name
            for region, content in plan.line["regions"].items()
            for name in (region, *content.get("aliases", ()))
        }
        known = {fold_name(name) for name in known_names(plan.classes) | regions}
        strange = [
            name for name in plan.boxes.categories if fold_name(name) not in known
        ]
        if strange:
            lines.append(
                f"boxes of {first_three(strange)} name no class and no region: they are dropped "
                "and listed; add these names to the aliases of a class or region under line"
            )
    no_coco = [path for path in plan.ignored if path.lower().endswith(".json")]
    if no_coco:
        lines.append(
            f"{len(no_coco)} JSON files are ignored, for they are no COCO that can be read "
            f"({first_three(no_coco)}): export boxes as COCO if they are to count"
        )
    n_voc = sum(path.lower().endswith(".xml") for path in plan.ignored)
    if n_voc:
        lines.append(
            f"{n_voc} XML files are ignored; convert Pascal VOC boxes to COCO or YOLO"
        )
    return lines
