"""Masks and the views that they belong to."""

from collections.abc import Mapping, Sequence

from inspection.dataset.image_files import ImageFile, Mask
from inspection.dataset.labelling import Labelled
from inspection.dataset.layouts import Layout, mask_path
from inspection.dataset.names import ViewName, nfc
from inspection.dataset.quarantine import Finding
from inspection.line import Line


def masks_of_views(
    examined: Sequence[ImageFile],
    names: Mapping[str, ViewName],
    masks: Sequence[Mask],
    layout: Layout,
    line: Line,
) -> tuple[dict[str, Mask], list[Finding]]:
    """The mask of each view by the view's path, and masks that fit no view."""
    at = {nfc(mask.path): mask for mask in masks}
    masked: dict[str, Mask] = {}
    findings: list[Finding] = []
    left = dict(at)
    for one in examined:
        name = names.get(one.path)
        where = mask_path(name, layout=layout, line=line) if name else ""
        mask = at.get(where)
        left.pop(where, None)
        if mask is None:
            continue
        if (mask.width_px, mask.height_px) == (one.facts.width_px, one.facts.height_px):
            masked[one.path] = mask
        else:
            detail = f"{mask.width_px} x {mask.height_px} px, the image is not; it is left out"
            findings.append(
                Finding(mask.path, "mask_size_differs", detail, view_kept=True)
            )
    alone = [
        Finding(one.path, "mask_without_image", "", view_kept=True)
        for one in left.values()
    ]
    return masked, findings + alone


def contradicting(
    masked: Mapping[str, Mask], labels: Mapping[str, Labelled], line: Line
) -> list[Finding]:
    """Masks that mark nothing on a defective view, and that mark something on a normal one."""
    told = {
        (False, False): (
            "mask_marks_nothing",
            "the view is {}; where its defect lies is unknown",
        ),
        (True, True): ("mask_on_normal", "the view is {}, and the mask is not used"),
    }
    findings = []
    for path, mask in masked.items():
        label = labels[path].label if path in labels else None
        reason, detail = told.get((mask.is_marked, label == line.normal), ("", ""))
        if label is not None and reason:
            findings.append(
                Finding(mask.path, reason, detail.format(label), view_kept=True)
            )
    return findings
