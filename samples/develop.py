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

JPEG_QUALITY = 92


@dataclass(frozen=True)
class Job:
    """One shot and the files made from it: its own (first), then its copies, with their ids."""

    files: tuple[tuple[str, File], ...]
    seed: int
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


def develop_job(job: Job) -> list[Developed]:
    """Draw the shot of `job`, write its files and masks. The same bytes whoever does it."""
    _, original = job.files[0]
    shot = original.shot
    # a seed for the part and one for the shot: all views of a part show the same part
    of_part = np.random.default_rng([job.seed, 1, shot.part_index])
    part = draw_part(of_part, label=shot.label)
    rng = np.random.default_rng([job.seed, 2, shot.index])
    view = shoot(part, rng, size=job.size, camera=shot.camera, drift=shot.drift)
    labels = annotate(rng, original, view)
    jpeg = encode(view.frame, JPEG_QUALITY)
    return [_write(job, rng, i, f, view, labels, jpeg) for i, f in job.files]


def _write(
    job: Job,
    rng: Generator,
    file_id: str,
    file: File,
    view: SceneView,
    labels: list[Label],
    jpeg: bytes,
) -> Developed:
    if file.copy not in ("", "exact"):
        view, labels, jpeg = _near_copy(rng, file.copy, view, labels)
    image = job.data_dir / "images" / file.name
    image.write_bytes(_broken(jpeg, file.broken))
    mask_name = ""
    if view.mask.any():
        mask_name = f"masks/{file_id}.png"
        cv2.imwrite(str(job.truth_dir / mask_name), view.mask.astype(np.uint8) * 255)
    source = job.files[0][1].name if file.copy else ""
    return Developed(
        file_id, file.name, labels, _truth(file_id, file, view, mask_name, source)
    )


def _truth(
    file_id: str, file: File, view: SceneView, mask_name: str, source: str
) -> dict[str, object]:
    return {
        "id": file_id,
        "camera": file.shot.camera,
        "part_id": str(file.part_number),
        "drawn_part": file.shot.part_index,
        "true_class": file.shot.label,
        "typed_class": file.typed_label,
        "spoiled": file.spoiled,
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
    done, data = cv2.imencode(".jpg", frame, [cv2.IMWRITE_JPEG_QUALITY, quality])
    if not done:
        raise ValueError(
            f"encode: frame of shape {frame.shape} was not encoded; use uint8 (H, W)"
        )
    return data.tobytes()


def _broken(jpeg: bytes, how: str) -> bytes:
    if how == "empty":
        return b""
    if how == "truncated":
        return jpeg[: len(jpeg) * 2 // 5]
    if how == "text":
        return b"GRAB FAILED: timeout waiting for trigger (camera link down)\r\n"
    return jpeg


def _near_copy(
    rng: Generator, kind: str, view: SceneView, labels: list[Label]
) -> tuple[SceneView, list[Label], bytes]:
    if kind == "shifted":
        # by a few pixels on both axes, never by none
        dx, dy = rng.choice([-3, -2, -1, 1, 2, 3], 2).tolist()
        view = _shifted(view, dx, dy)
        labels = [(category, _moved(box, dx, dy)) for category, box in labels]
    elif kind == "brightness":
        darker, brighter = rng.uniform(0.86, 0.94), rng.uniform(1.06, 1.14)
        gain = np.float32(rng.choice([darker, brighter]))
        frame = np.clip(view.frame * gain + 0.5, 0, 255).astype(np.uint8)
        view = replace(view, frame=frame)

    # below the camera's own quality, as what goes through a mail or a chat
    quality = int(rng.integers(78, 89))
    return view, labels, encode(view.frame, quality)


def _shifted(view: SceneView, dx: int, dy: int) -> SceneView:
    height, width = view.frame.shape
    # what comes in at the border repeats the last row or column
    rows = np.clip(np.arange(height) - dy, 0, height - 1)
    columns = np.clip(np.arange(width) - dx, 0, width - 1)
    mask = view.mask[rows][:, columns]
    return replace(
        view,
        frame=np.ascontiguousarray(view.frame[rows][:, columns]),
        mask=mask,
        knurling_box=_moved(view.knurling_box, dx, dy),
        rivet_box=_moved(view.rivet_box, dx, dy),
        defect_box=box_of(mask),
    )


def _moved(box: Box, dx: int, dy: int) -> Box:
    return max(0, box[0] + dx), max(0, box[1] + dy), box[2], box[3]
