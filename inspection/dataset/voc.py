"""Pascal VOC files read into boxes: one XML file per image, as labelImg and CVAT write them."""

import math
from collections.abc import Mapping
from pathlib import PurePosixPath
from xml.etree import ElementTree

from inspection.boxes import LabelledBox
from inspection.dataset.annotations import Annotations
from inspection.dataset.image_index import ImageIndex
from inspection.dataset.names import nfc
from inspection.dataset.quarantine import Finding
from inspection.geometry import Box

EDGES = ("xmin", "ymin", "xmax", "ymax")


def read_voc(
    files: Mapping[str, bytes | OSError],
    *,
    images: ImageIndex,
    sizes: Mapping[str, tuple[int, int]],
) -> Annotations:
    """Boxes of Pascal VOC files; `Annotations/a.xml` annotates the image of the name `a`.

    `images` finds by names without suffixes. `sizes` is (width, height) in pixels of every
    readable image by its path: boxes that were drawn on an image of another size are left out, with
    a finding. A file that is no XML leaves its image unread.
    """
    result = Annotations()

    for path, content in sorted(files.items()):
        image = images.find(path)
        if image is None:
            detail = "no image of this name, or more than one"
            finding = Finding(path, "label_without_image", detail, view_kept=True)
            result.findings.append(finding)
        elif image in sizes:
            _read_one(path, content, image, sizes[image], result)
    return result


def _read_one(
    path: str,
    content: bytes | OSError,
    image: str,
    size: tuple[int, int],
    result: Annotations,
) -> None:
    try:
        if isinstance(content, OSError):
            raise content
        root = ElementTree.fromstring(content)
    except (OSError, ElementTree.ParseError) as error:
        detail = f"{error}; export it again"
        reason = "label_file_unreadable"
        result.findings.append(Finding(path, reason, detail, view_kept=True))
        result.unread.add(image)
        return

    annotated = (_number(root, "size/width"), _number(root, "size/height"))
    if all(side > 0 for side in annotated) and annotated != size:
        width, height = annotated
        detail = (
            f"annotated at {width:.0f} x {height:.0f} px, the image has {size[0]} x {size[1]}; "
            "its boxes are left out: annotate the image as it is"
        )
        result.findings.append(
            Finding(path, "voc_size_differs", detail, view_kept=True)
        )
        result.unread.add(image)
        return

    boxes = [_box(entry) for entry in root.iter("object")]
    result.add(image, "voc", boxes)


def _box(entry: ElementTree.Element) -> LabelledBox:
    """The box of one object; its edges are NaN where the file gives none."""
    left, top, right, bottom = (_number(entry, f"bndbox/{edge}") for edge in EDGES)
    name = nfc(entry.findtext("name", "").strip())
    box = Box(left, top, right - left, bottom - top)
    return LabelledBox(name, box, "voc")


def _number(entry: ElementTree.Element, where: str) -> float:
    try:
        return float(entry.findtext(where, ""))
    except ValueError:
        return math.nan


def is_voc(path: str, content: bytes) -> bool:
    """True for an XML file whose root element is `annotation`."""
    if PurePosixPath(path).suffix.lower() != ".xml":
        return False
    try:
        return ElementTree.fromstring(content).tag == "annotation"
    except ElementTree.ParseError:
        return False
