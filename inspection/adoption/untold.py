"""Why nothing tells the class of an image: what was found instead, and what to do about it."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import PurePosixPath

from inspection.adoption.label_guesses import (
    NAMES_FILES,
    looks_like_coco,
    looks_like_yolo,
    why_no_coco,
    word_columns,
)
from inspection.adoption.name_shapes import shapes_of, without_export
from inspection.adoption.vocabulary import any_normal
from inspection.errors import first_three

SAY_NORMAL = (
    "say which with `make adopt DATA=... NORMAL=<name>` (pipelines.adopt --normal)"
)
SORT = "sort the images into a folder per class"
FOR_DEFECTS = (
    "add a black mask for each normal image, or sort the images into a folder per class"
)


@dataclass(frozen=True)
class Besides:
    """What lies beside the images: all paths, text files by path, and how many masks."""

    paths: Sequence[str]
    contents: Mapping[str, bytes]
    n_masks: int


def untold(photos: Sequence[str], n_masked: int, besides: Besides) -> list[str]:
    """What was found and what to do about it, one line each; never empty."""
    problems = [
        *_normal_alone(photos),
        *_words_without_normal(photos),
        *_unnamed_boxes(besides.contents),
        *_no_coco(besides.contents),
        *_lacking_masks(len(photos), n_masked, besides.n_masks),
        *_tables(besides.paths),
    ]
    return problems or [
        "nothing tells the class of an image: no folders named after classes, no class word such "
        f"as good or 정상 in the file names, no COCO or YOLO boxes, no masks; {SORT}"
    ]


def beside_folders(
    left: Sequence[str], n_photos: int, n_masked: int, besides: Besides
) -> list[str]:
    """What else was found where folders name classes of which none is normal; `left` are images
    that lie in no such folder."""
    problems = [
        *_unnamed_boxes(besides.contents),
        *_no_coco(besides.contents),
        *_lacking_masks(n_photos, n_masked, besides.n_masks),
        *_tables(besides.paths),
    ]
    if left:
        problems.insert(
            0, f"{len(left)} images lie in no such folder: {first_three(left)}"
        )
    return problems


def _normal_alone(photos: Sequence[str]) -> list[str]:
    folders = [set(PurePosixPath(path).parent.parts) for path in photos]
    named = sorted({one for parts in folders for one in parts if any_normal([one])})
    if not named or not all(parts & set(named) for parts in folders):
        return []
    return [
        f"all {len(photos)} images lie in {first_three(named)}, which means normal: it takes "
        "defects to judge by; add a folder of each defect"
    ]


def _words_without_normal(photos: Sequence[str]) -> list[str]:
    shapes = shapes_of(without_export([PurePosixPath(path).stem for path in photos]))
    columns = [shape.columns[i] for shape in shapes for i in word_columns(shape)]
    if not columns:
        return []
    words = sorted(set(columns[0].told))
    return [
        f"file names hold the words {', '.join(words[:8])}, and none of them means that nothing is "
        f"wrong; {SAY_NORMAL}, or add normal parts with such a word (good) in their names"
    ]


def _unnamed_boxes(contents: Mapping[str, bytes]) -> list[str]:
    labels = sorted(path for path in contents if looks_like_yolo(path, contents[path]))
    if not labels:
        return []
    return [
        f"{first_three(labels)} look like YOLO labels, and no file names their classes; add "
        f"{NAMES_FILES[0]} with one name per line, or a .yaml with the list `names`"
    ]


def _no_coco(contents: Mapping[str, bytes]) -> list[str]:
    """The first file that looks like COCO and is not: none is left here that can be read."""
    alike = sorted(path for path in contents if looks_like_coco(path, contents[path]))
    whys = (why_no_coco(path, contents[path]) for path in alike)
    return [next((why for why in whys if why), "")] if alike else []


def _lacking_masks(n_photos: int, n_masked: int, n_masks: int) -> list[str]:
    if not n_masks:
        return []
    if n_masked < n_photos:
        return [
            f"{n_masks} masks are found, for {n_masked or 'none'} of {n_photos} images, and an "
            f"image without a mask may be normal or not yet marked; {FOR_DEFECTS}"
        ]
    return [f"every one of {n_masks} masks marks something, or none does; {SORT}"]


def _tables(paths: Sequence[str]) -> list[str]:
    tables = [
        path for path in paths if path.lower().endswith((".csv", ".tsv", ".xlsx"))
    ]
    told = f"only tables may tell the classes ({first_three(tables)}), and are not read; {SORT}"
    found = [told] if tables else []
    n_voc = sum(path.lower().endswith(".xml") for path in paths)
    if n_voc:
        found.append(
            f"{n_voc} XML files are not read; convert Pascal VOC boxes to COCO or YOLO"
        )
    return found
