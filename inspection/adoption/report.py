"""What adopt says of a plan: what was understood and why, and what to look at."""

import re
from collections import Counter
from collections.abc import Iterator
from pathlib import PurePosixPath

import numpy as np

from inspection.adoption.names import start_of_time
from inspection.adoption.pictures import bits_used, sizes_px
from inspection.adoption.plan import Plan
from inspection.adoption.proposal import suffix
from inspection.adoption.questions import asks
from inspection.adoption.sections import known_names
from inspection.adoption.training import TRANSFER, steps_of
from inspection.adoption.words import means_normal
from inspection.dataset.names import take_apart
from inspection.errors import first_three
from inspection.line import fold_name

# With fewer parts of a class, one in val and one in test, a rate is 0 or 100 %.
FEW_PARTS = 6
# A frame twice as wide for its height as another leaves half of the crop empty.
MAX_SPREAD = 2.0
# Frames shrunk more than that lose defects ...
MAX_SHRUNK = 6.0
# ... that are smaller than this in the crop: about one cell of the finest features.
MIN_SEEN_PX = 3
# What becomes of the views of a part with two labels.
HELD_OR_NOT = {"hold": "held back until reviewed", "report": "reported", "off": "taken"}


def understood(plan: Plan) -> Iterator[str]:
    """What was understood, one line each."""
    n_masks = len(plan.listing.masks.files)
    ignored = f"{len(plan.ignored)} ignored"
    if plan.ignored:
        ignored += f" ({first_three(plan.ignored)})"
    yield f"files: {len(plan.photos)} images, {n_masks} masks, {ignored}"

    form = f"form: {plan.proposal.form}: {plan.proposal.says}"
    if "masks" in plan.validate:
        form += f"; masks lie at {plan.validate['masks']}"
    yield form
    yield from _classes(plan)

    part = f"part: {plan.part.part_from.rule}: {plan.part.evidence}"
    if plan.part_disagreement == "off":
        part += "; a view of a bad part may be normal"
    yield part
    yield from _regions(plan)

    n_steps = steps_of(len(plan.photos), plan.epochs)
    yield (
        f"training: {plan.epochs} epochs, some {n_steps} steps, of a head on "
        f"{TRANSFER['backbone']} with {TRANSFER['weights']} weights"
    )
    if not plan.marks_places:
        yield (
            "places: no mask or box says where defects are, so that heat cannot be measured: "
            "gate.max_cam_edge is off"
        )
    yield (
        "escapes: what they cost decides; assemble.max_escape_rate in params.yaml sets a limit"
    )
    yield "takt: not stated; gate.max_ms_per_part in params.yaml sets a limit"


def _classes(plan: Plan) -> Iterator[str]:
    views = Counter(plan.proposal.labels.values())
    for one, raw in plan.classes.items():
        n_views = sum(views[name] for name in raw)
        role = ""
        if one == plan.line["normal"]:
            n_views += views[""]
            role = " (normal)"

        called = f", called {first_three(raw)}" if raw else ""
        yield f"class {one}{role}: {n_views} images, {plan.n_parts[one]} parts{called}"


def _regions(plan: Plan) -> Iterator[str]:
    width, height = np.median(sizes_px(plan.pictures), axis=0)
    colour = "colour" if plan.line["channels"] == 3 else "grey"
    yield f"frames: {int(width)} x {int(height)} px in the median, {colour}"

    for name, region in plan.line["regions"].items():
        whole = region.get("whole_frame")
        how = "the whole frame" if whole else "located, from its boxes"
        size = " x ".join(map(str, region["size_px"]))
        shows = ", ".join(region["shows"]) or "nothing"
        yield f"region {name}: {how}, crop {size} px, shows {shows}"

    if plan.window_px:
        window = " x ".join(map(str, plan.window_px))
        yield (
            f"defects: one in ten of those marked measures {plan.defect_px:.0f} px or less, which "
            f"takes a large crop; windows of {window} px are learned from"
        )

    yield from _boxes(plan)


def _boxes(plan: Plan) -> Iterator[str]:
    if "orient" in plan.line:
        first, second = plan.line["orient"]
        yield f"parts lie both ways: they are turned so that {second} is right of {first}"
    if plan.boxes is None:
        return

    n_listed = len(plan.boxes.annotations.boxes)
    boxes = f"boxes: {n_listed} images, of {first_three(plan.boxes.categories)}"
    kinds = [kind for kind in ("coco", "yolo", "voc") if kind in plan.boxes.settings]
    if kinds and not plan.proposal.by_view:
        boxes += f"; they say where, not what: else {asks('form', *kinds)}"
    yield boxes


def warnings(plan: Plan) -> Iterator[str]:
    """What may be wrong or is missing, with the flag or the lines of params.yaml to fix it."""
    yield from plan.proposal.notes
    if plan.proposal.normal.note:
        yield f"{plan.proposal.normal.note}; if not, {asks('normal', '<class>')}"
    yield from _said_to_be_normal(plan)
    yield from _left_out(plan)
    yield from _frames(plan)
    yield from _strange_names(plan)
    yield from _few_parts(plan)
    yield from _part_rule(plan)
    yield from _mixed_parts(plan)
    yield from _strange_boxes(plan)
    yield from _unread_json(plan)


def _said_to_be_normal(plan: Plan) -> Iterator[str]:
    """Of a normal class that only the user calls so: what follows where it is none."""
    raw = plan.classes[plan.line["normal"]]
    if raw and plan.listing.answers.normal and not any(map(means_normal, raw)):
        called = first_three(raw)
        yield (
            f"{called} is the normal class because NORMAL says so, and to pass means to look like "
            f"it; if {called} is a defect as well, what is said of escapes, overkill and costs "
            "means nothing (README, No normal parts)"
        )


def _left_out(plan: Plan) -> Iterator[str]:
    listing = plan.listing
    yield from _unlabelled(plan)
    yield from _unused_masks(plan)
    if listing.unread:
        yield (
            f"{len(listing.unread)} images are of a kind of which none can be read, and left out "
            f"({first_three(sorted(listing.unread))}); convert them to PNG of 8 or 16 bits"
        )
    if listing.not_read:
        yield f"{listing.not_read} are left out; convert them to PNG"


def _unlabelled(plan: Plan) -> Iterator[str]:
    unlabelled = set(plan.listing.photos) - plan.proposal.labels.keys()
    if unlabelled and plan.proposal.by_view:
        yield (
            f"nothing labels {len(unlabelled)} images ({first_three(sorted(unlabelled))}): they "
            "are left out; label them, or set validate.unlabelled to normal if they are good"
        )


def _unused_masks(plan: Plan) -> Iterator[str]:
    masks = plan.listing.masks.files
    unused = masks - set(plan.files)
    if unused and "masks" in plan.validate:
        yield (
            f"{len(unused)} of {len(masks)} masks do not lie where masks are looked "
            "for and are left out: each image has one mask at most; draw several into one, or "
            f"{asks('masks', '<place>')}"
        )


def _frames(plan: Plan) -> Iterator[str]:
    bits = bits_used(plan.pictures)
    if bits < 16:
        yield (
            f"16-bit images look like those of a camera of {bits} bits, so line.bit_depth is "
            f"{bits}; a brighter one would be refused"
        )

    # nearly all: one odd frame in a hundred is no reason to warn
    sizes = sizes_px(plan.pictures)
    aspects = sizes[:, 0] / sizes[:, 1]
    low, high = np.quantile(aspects, (0.02, 0.98))
    if high > MAX_SPREAD * low:
        yield (
            f"frames are {low:.2f} to {high:.2f} times as wide as high; what one does not "
            "fill of the crop shows it mirrored; adopt those of one shape where you can"
        )
    yield from _shrunk(plan)


def _shrunk(plan: Plan) -> Iterator[str]:
    width, height = np.median(sizes_px(plan.pictures), axis=0)
    for name, region in plan.line["regions"].items():
        crop_width, crop_height = region["size_px"]
        scale = max(width / crop_width, height / crop_height)
        if region.get("whole_frame") and _is_shrunk(plan.defect_px, scale):
            yield (
                f"frames of {width:.0f} x {height:.0f} px are shrunk {scale:.1f}-fold into the "
                f"crop, where a defect of less than some {MIN_SEEN_PX * scale:.0f} px is lost"
                f"{_marked_size(plan.defect_px)}: cut the frames into tiles, or raise "
                f"line.regions.{name}.size_px, in steps of 32 (time grows with its pixels)"
            )


def _is_shrunk(defect_px: float | None, scale: float) -> bool:
    """Whether frames shrunk so lose defects: marked ones, or those that one would expect."""
    if defect_px is None:
        return scale > MAX_SHRUNK
    return defect_px < MIN_SEEN_PX * scale


def _marked_size(defect_px: float | None) -> str:
    """How large the smaller defects are, where places are marked."""
    if defect_px is None:
        return ""
    return f" (one in ten of those marked measures {defect_px:.0f} px or less)"


def _strange_names(plan: Plan) -> Iterator[str]:
    if plan.proposal.parts:
        return
    whole = re.compile(plan.part.pattern)
    strange = [path for path in plan.photos if take_apart(path, whole) is None]
    if strange:
        yield (
            f"{len(strange)} images are not called as the others and will be set aside "
            f"({first_three(sorted(strange))}); rename them, or {asks('part', 'file')} if each "
            "image is a part of its own"
        )


def _mixed_parts(plan: Plan) -> Iterator[str]:
    if plan.n_mixed and not plan.proposal.by_view:
        yield (
            f"{plan.n_mixed} of {plan.n_grouped} parts have views of two labels, and their views "
            f"are {HELD_OR_NOT[plan.part_disagreement]} (clean_labels.rules.part_disagreement); "
            f"where each folder counts its parts anew, {asks('part', '<folder>/<part>_<shot>')}, "
            "and PART=file where each image is a part"
        )


def _few_parts(plan: Plan) -> Iterator[str]:
    for one, n_parts in plan.n_parts.items():
        if n_parts < 2:
            aliases = ", ".join(map(repr, plan.classes[one]))
            yield (
                f"class {one} has {n_parts} part, too few to learn and to judge by: it is left "
                "out, and its images are set aside as unknown_class; add parts, and "
                f"`{one}: {{aliases: [{aliases}]}}` under line.classes, and {one} to "
                f"line.regions.{plan.line['classify']}.shows (or of the region that shows it)"
            )
        elif n_parts < FEW_PARTS:
            yield f"class {one} has {n_parts} parts: its figures will mean little; add parts"


def _part_rule(plan: Plan) -> Iterator[str]:
    if plan.listing.answers.part:
        return
    rule = plan.part.part_from.rule
    if rule == "file":
        choices = ["folder", "runs", "<part>_<shot>"]
        stems = (PurePosixPath(path).stem for path in plan.photos)
        if any(start_of_time(stem) is not None for stem in stems):
            choices.append("IMG_<time>")
        yield (
            "if one part was shot several times, its shots leak from train to test and every "
            f"figure is too good: then {asks('part', *choices)}"
        )
    if rule == "consecutive":
        yield (
            "parts are inferred from neighbouring numbers: look at part_id in the manifest, and "
            f"{asks('part', 'runs:<largest step>')} if they are wrong; a part with two labels is "
            "only reported (clean_labels.rules.part_disagreement)"
        )


def _strange_boxes(plan: Plan) -> Iterator[str]:
    if plan.boxes is None:
        return

    names = known_names(plan.classes)
    for region, content in plan.line["regions"].items():
        names |= {region, *content.get("aliases", ())}
    known = set(map(fold_name, names))
    strange = [one for one in plan.boxes.categories if fold_name(one) not in known]
    if strange:
        yield (
            f"boxes of {first_three(strange)} name no class and no region: they are dropped "
            "and listed; add these names to the aliases of a class or region under line"
        )


def _unread_json(plan: Plan) -> Iterator[str]:
    unread = [path for path in plan.ignored if suffix(path) == ".json"]
    if unread:
        yield (
            f"{len(unread)} JSON files are ignored, for they are no COCO that can be read "
            f"({first_three(unread)}); export boxes as COCO if they are to count"
        )
