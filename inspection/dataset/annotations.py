"""What annotation files say; YOLO files read into boxes, each oddity a finding."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import PurePosixPath

from inspection.boxes import LabelledBox
from inspection.dataset.image_index import ImageIndex
from inspection.dataset.names import nfc
from inspection.dataset.quarantine import Finding
from inspection.errors import InspectionError
from inspection.geometry import Box
from inspection.texts import decoded

# numbers of a YOLO line behind its class: a box, which a prediction ends with its confidence, or
# the corners of a polygon, three of two numbers each at least
BOX_NUMBERS = (4, 5)
MIN_POLYGON_NUMBERS = 6
# characters of a bad line that are quoted: a box of six digits a number takes some 40
MAX_QUOTED = 80


@dataclass
class Annotations:
    """What annotation files say: boxes by image path, in the files' own category names (NFC).

    `sources` names what annotates an image, with boxes or without: 'yolo', 'coco' or both. `unread`
    are images that a file might annotate which could not be read.
    """

    boxes: dict[str, list[LabelledBox]] = field(default_factory=dict)
    sources: dict[str, set[str]] = field(default_factory=dict)
    findings: list[Finding] = field(default_factory=list)
    unread: set[str] = field(default_factory=set)

    def add(
        self,
        path: str,
        source: str,
        boxes: Sequence[LabelledBox],
    ) -> None:
        """Add the boxes that one source has of the image at `path`."""
        self.sources.setdefault(path, set()).add(source)
        self.boxes.setdefault(path, []).extend(boxes)


def read_class_names(path: str, content: bytes) -> tuple[list[str], list[Finding]]:
    """Class names in the order of their numbers, from classes.txt or a data.yaml with `names`."""
    try:
        text, encoding = decoded(content)
    except UnicodeDecodeError as error:
        raise InspectionError(
            f"{path}: is neither UTF-8 nor cp949 ({error.reason}); save it as UTF-8"
        ) from error
    # a guess that is nearly always right, and is listed all the same
    findings = [_in_cp949(path)] if encoding == "cp949" else []
    if PurePosixPath(path).suffix.lower() in (".yaml", ".yml"):
        return _names_in_yaml(path, text), findings
    return [nfc(line.strip()) for line in text.splitlines() if line.strip()], findings


def read_yolo(
    files: Mapping[str, bytes | OSError],
    *,
    class_names: Sequence[str],
    images: ImageIndex,
    sizes: Mapping[str, tuple[int, int]],
) -> Annotations:
    """Boxes of YOLO text files (`class cx cy w h`, relative; or a polygon, boxed).

    `files` holds what each file says, or why it could not be read. `sizes` is (width, height) in
    pixels of every readable image by its path; the labels of an unreadable one are passed over,
    for the image itself is a finding.
    """
    result = Annotations()
    for path, content in sorted(files.items()):
        image = images.find(_label_as_image(path))
        if image is None:
            detail = "no image of this name, or more than one"
            finding = Finding(path, "label_without_image", detail, view_kept=True)
            result.findings.append(finding)
        elif image in sizes:
            _read_one(path, content, image, class_names, sizes[image], result)
    return result


def joined(parts: Sequence[Annotations]) -> Annotations:
    """All annotations together, boxes of an image in the order of `parts`."""
    result = Annotations()
    for part in parts:
        for path, sources in sorted(part.sources.items()):
            result.boxes.setdefault(path, []).extend(part.boxes[path])
            result.sources.setdefault(path, set()).update(sources)
        result.findings += part.findings
        result.unread |= part.unread
    return result


def _read_one(
    path: str,
    content: bytes | OSError,
    image: str,
    class_names: Sequence[str],
    size: tuple[int, int],
    result: Annotations,
) -> None:
    """Add to `result` what one YOLO file says of its image."""
    text = _label_text(path, content)
    if isinstance(text, Finding):
        result.findings.append(text)
        result.unread.add(image)
        return

    if text[1] == "cp949":
        result.findings.append(_in_cp949(path))
    boxes, bad = _yolo_boxes(text[0], class_names, size)
    result.add(image, "yolo", boxes)
    result.findings += [
        Finding(path, "box_not_a_number", line, view_kept=True) for line in bad
    ]


def _label_text(path: str, content: bytes | OSError) -> tuple[str, str] | Finding:
    """Text and encoding of a file, or why it could not be read."""
    if isinstance(content, OSError):
        detail = f"{content.strerror}; repair the link or its permissions"
        return Finding(path, "label_file_unreadable", detail, view_kept=True)
    try:
        return decoded(content)
    except UnicodeDecodeError:
        detail = "neither UTF-8 nor cp949"
        return Finding(path, "label_file_not_utf8", detail, view_kept=True)


def _in_cp949(path: str) -> Finding:
    return Finding(
        path, "label_file_cp949", "read as cp949; save it as UTF-8", view_kept=True
    )


def _names_in_yaml(path: str, text: str) -> list[str]:
    from ruamel.yaml import YAML
    from ruamel.yaml.error import YAMLError

    try:
        names = YAML(typ="safe").load(text)["names"]
        values = [names[i] for i in range(len(names))]
    except (YAMLError, KeyError, TypeError) as error:
        raise InspectionError(
            f"{path}: has no list `names` ({error}); name the classes there, in order from 0"
        ) from error
    return [nfc(str(value)) for value in values]


def _label_as_image(path: str) -> str:
    """`train/labels/a.txt` speaks of `train/images/a`."""
    parts = list(PurePosixPath(path).parts)
    # the last of that name: the data set itself may lie in a folder called labels
    places = [i for i, part in enumerate(parts) if part.lower() == "labels"]
    if places:
        parts[places[-1]] = "images"
    return str(PurePosixPath(*parts))


def _yolo_boxes(
    text: str,
    class_names: Sequence[str],
    size: tuple[int, int],
) -> tuple[list[LabelledBox], list[str]]:
    boxes, bad = [], []
    for line in text.splitlines():
        fields = line.split()
        if not fields:
            continue
        box = _yolo_box(fields, class_names, size)
        if box is None:
            bad.append(f"not a box: {line.strip()[:MAX_QUOTED]!r}")
        else:
            boxes.append(box)
    return boxes, bad


def _yolo_box(
    fields: Sequence[str],
    class_names: Sequence[str],
    size: tuple[int, int],
) -> LabelledBox | None:
    try:
        numbers = [float(value) for value in fields[1:]]
    except ValueError:
        return None
    edges = _relative_edges(numbers)
    if edges is None:
        return None

    # a number beyond the names is kept as it stands, and becomes an unknown category
    known = fields[0].isdecimal() and int(fields[0]) < len(class_names)
    category = class_names[int(fields[0])] if known else nfc(fields[0])
    x, y, width, height = edges
    box = Box(x * size[0], y * size[1], width * size[0], height * size[1])
    return LabelledBox(category, box, "yolo")


def _relative_edges(
    numbers: Sequence[float],
) -> tuple[float, float, float, float] | None:
    """Left, top, width and height, as shares of the frame; None for what is no box."""
    if len(numbers) in BOX_NUMBERS:
        centre_x, centre_y, width, height = numbers[:4]
        return centre_x - width / 2, centre_y - height / 2, width, height

    # pairs of x and y
    if len(numbers) >= MIN_POLYGON_NUMBERS and len(numbers) % 2 == 0:
        xs = numbers[::2]
        ys = numbers[1::2]
        return min(xs), min(ys), max(xs) - min(xs), max(ys) - min(ys)
    return None
