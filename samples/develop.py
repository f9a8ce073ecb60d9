"""From planned files to bytes on disk: draw, copy, encode, break, and say what is true."""

from __future__ import annotations

from dataclasses import dataclass, replace
from pathlib import Path

import cv2
import numpy as np
from numpy.random import Generator
from numpy.typing import NDArray

from samples.annotations import Label, annotate
from samples.mess import File
from samples.parts import Size, draw_part
from samples.scene import Box, SceneView, box_of, shoot

# what the camera saves with
JPEG_QUALITY = 92
# least quality of a copy and one more than the most: below the camera's own, as what goes through
# a mail or a chat
COPY_QUALITIES = (78, 89)
# px by which a shifted copy lies off on each axis: a few, never none
SHIFTS_PX = [-3, -2, -1, 1, 2, 3]
# factor of the grey values of a copy: never so near 1 that nothing changes
DARKER = (0.86, 0.94)
BRIGHTER = (1.06, 1.14)
# what a camera that lost its trigger leaves in place of a picture
GRAB_ERROR = b"GRAB FAILED: timeout waiting for trigger (camera link down)\r\n"


@dataclass(frozen=True)
class Job:
    """One shot and the files made from it: its own (first), then its copies, with their ids."""

    files: tuple[tuple[str, File], ...]
    seed: int
    """Of the whole line."""
    size: Size
    data_dir: Path
    truth_dir: Path


@dataclass(frozen=True)
class Developed:
    """A file that was written: its name, the boxes drawn for it, and its entry in truth.json."""

    file_id: str
    name: str
    labels: list[Label]
    truth: dict[str, object]


@dataclass(frozen=True)
class _Picture:
    """What a file is made of: the view with its truth, its boxes, and the frame as JPEG."""

    view: SceneView
    labels: list[Label]
    jpeg: bytes


def develop_job(job: Job) -> list[Developed]:
    """Draw the shot of `job`, write its files and masks. The same bytes whoever does it."""
    _, original = job.files[0]
    shot = original.shot
    # a seed for the part and one for the shot: all views of a part show the same part
    of_part = np.random.default_rng([job.seed, 1, shot.part_index])
    # all shots of a series have one scene, that of the first
    scene = shot.index - shot.number + 1 if shot.series else shot.index
    of_shot = np.random.default_rng([job.seed, 2, scene])

    part = draw_part(of_part, label=shot.label, severity=shot.severity)
    view = shoot(
        part,
        of_shot,
        size=job.size,
        camera=shot.camera,
        drift=shot.drift,
        exposure=shot.exposure,
        at_rivet=shot.at_rivet,
        turned=shot.turned,
        noise=np.random.default_rng([job.seed, 5, shot.index]),
    )
    labels = annotate(of_shot, original, view)
    jpeg = encode(view.frame, JPEG_QUALITY)
    taken = _Picture(view, labels, jpeg)

    developed = []
    for file_id, file in job.files:
        picture = taken
        if file.copy not in ("", "exact"):
            picture = _near_copy(of_shot, file.copy, taken)
        developed.append(_write(job, file_id, file, picture))
    return developed


def _write(job: Job, file_id: str, file: File, picture: _Picture) -> Developed:
    """Write the image and, where there is a defect, its mask."""
    image = job.data_dir / "images" / file.name
    content = _broken(picture.jpeg, file.broken)
    image.write_bytes(content)

    mask = picture.view.mask
    mask_name = ""
    if mask.any():
        mask_name = f"masks/{file_id}.png"
        path = job.truth_dir / mask_name
        # white where the defect is
        cv2.imwrite(str(path), mask.astype(np.uint8) * 255)

    _, original = job.files[0]
    source = original.name if file.copy else ""
    return Developed(
        file_id=file_id,
        name=file.name,
        labels=picture.labels,
        truth=_truth(file_id, file, picture.view, mask_name, source),
    )


def _truth(
    file_id: str,
    file: File,
    view: SceneView,
    mask_name: str,
    source: str,
) -> dict[str, object]:
    """The entry in truth.json; `source` is the name of the file that this is a copy of."""
    return {
        "id": file_id,
        "camera": file.shot.camera,
        "part_id": str(file.part_number),
        "drawn_part": file.shot.part_index,
        "true_class": file.shot.label,
        "typed_class": file.typed_label,
        "spoiled": file.spoiled,
        "severity": file.shot.severity,
        "borderline": file.shot.is_borderline,
        "series": file.shot.series,
        "turned": file.shot.turned,
        "boxes_follow": file.boxes_follow,
        "box_style": file.box_style,
        "short_name": file.short,
        "nfd": file.nfd,
        "broken": file.broken,
        "copy": file.copy,
        "copy_of": source,
        "mask": mask_name,
        "defect_box": view.defect_box,
        "knurling_box": view.knurling_box,
        "rivet_box": view.rivet_box,
    }


def encode(frame: NDArray[np.uint8], quality: int) -> bytes:
    """`frame` as JPEG."""
    options = [cv2.IMWRITE_JPEG_QUALITY, quality]
    done, data = cv2.imencode(".jpg", frame, options)
    if not done:
        raise ValueError(
            f"encode: frame of shape {frame.shape} was not encoded; use uint8 (H, W)"
        )
    return data.tobytes()


def _broken(jpeg: bytes, how: str) -> bytes:
    """The content of a file that is broken in that way, or sound when `how` is ''."""
    if how == "empty":
        return b""
    if how == "truncated":
        two_fifths = len(jpeg) * 2 // 5
        return jpeg[:two_fifths]
    if how == "text":
        return GRAB_ERROR
    return jpeg


def _near_copy(rng: Generator, kind: str, taken: _Picture) -> _Picture:
    """What someone made of the picture: shifted or with another brightness, encoded again."""
    view = taken.view
    labels = taken.labels
    if kind == "shifted":
        dx, dy = rng.choice(SHIFTS_PX, 2).tolist()
        view = _shifted(view, dx, dy)
        labels = [(category, _moved(box, dx, dy)) for category, box in labels]
    elif kind == "brightness":
        view = _brightened(rng, view)

    quality = int(rng.integers(*COPY_QUALITIES))
    jpeg = encode(view.frame, quality)
    return _Picture(view, labels, jpeg)


def _brightened(rng: Generator, view: SceneView) -> SceneView:
    """The view darker or brighter, as often the one as the other."""
    darker = rng.uniform(*DARKER)
    brighter = rng.uniform(*BRIGHTER)
    gain = np.float32(rng.choice([darker, brighter]))

    # half a grey value rounds to the nearest
    grey = view.frame * gain + 0.5
    frame = np.clip(grey, 0, 255).astype(np.uint8)
    return replace(view, frame=frame)


def _shifted(view: SceneView, dx: int, dy: int) -> SceneView:
    """The view moved right by `dx` and down by `dy` px, in a frame of the same size."""
    height, width = view.frame.shape
    # what comes in at the border repeats the last row or column
    rows = np.clip(np.arange(height) - dy, 0, height - 1)
    columns = np.clip(np.arange(width) - dx, 0, width - 1)

    frame = view.frame[rows][:, columns]
    mask = view.mask[rows][:, columns]
    return replace(
        view,
        frame=np.ascontiguousarray(frame),
        mask=mask,
        knurling_box=_moved(view.knurling_box, dx, dy),
        rivet_box=_moved(view.rivet_box, dx, dy),
        defect_box=box_of(mask),
    )


def _moved(box: Box, dx: int, dy: int) -> Box:
    x, y, width, height = box
    left = max(0, x + dx)
    top = max(0, y + dy)
    return left, top, width, height
