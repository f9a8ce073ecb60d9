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
    # composed: masks are often made on another system than the photographs
    at = {nfc(mask.path): mask for mask in masks}
    unused = dict(at)
    masked: dict[str, Mask] = {}
    findings: list[Finding] = []

    for one in examined:
        name = names.get(one.path)
        where = (
            mask_path(
                name,
                layout=layout,
                line=line,
            )
            if name
            else ""
        )
        mask = at.get(where)
        if mask is None:
            continue
        unused.pop(where, None)
        if _fits(mask, one):
            masked[one.path] = mask
        else:
            size = f"{mask.width_px} x {mask.height_px}"
            detail = f"{size} px, the image is not; it is left out"
            findings.append(_finding(mask, "mask_size_differs", detail))

    findings += [_finding(mask, "mask_without_image", "") for mask in unused.values()]
    return masked, findings


def contradicting(
    masked: Mapping[str, Mask],
    labels: Mapping[str, Labelled],
    line: Line,
) -> list[Finding]:
    """Masks that mark nothing on a defective view, and that mark something on a normal one."""
    findings = []
    for path, mask in masked.items():
        label = labels[path].label if path in labels else None
        if label is None:
            continue
        if mask.is_marked and label == line.normal:
            detail = f"the view is {label}, and the mask is not used"
            findings.append(_finding(mask, "mask_on_normal", detail))
        if not mask.is_marked and label != line.normal:
            detail = f"the view is {label}; where its defect lies is unknown"
            findings.append(_finding(mask, "mask_marks_nothing", detail))
    return findings


def _fits(mask: Mask, image: ImageFile) -> bool:
    size_px = (image.facts.width_px, image.facts.height_px)
    return (mask.width_px, mask.height_px) == size_px


def _finding(
    mask: Mask,
    reason: str,
    detail: str,
) -> Finding:
    return Finding(mask.path, reason, detail, view_kept=True)
