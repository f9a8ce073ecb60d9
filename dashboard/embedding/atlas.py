"""Where each view lies in the space of what the exported models give for its crops.

An embedding is the classifier's logits, its heat per defect over a coarse grid, and the anomaly
score. No torch: the graphs of the bundle give all of it.
"""

import hashlib
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import pandas as pd

from dashboard.places import content
from inspection.geometry import Floats
from inspection.runtime.bundle import CARD, Card
from inspection.runtime.detectors import CLASSIFIER, anomaly_regions
from inspection.runtime.inspector import Inspector
from inspection.runtime.verdict import judge_part
from inspection.runtime.views import DetectorOutput, View
from inspection.storage import replacing, sha256_of

# Cells of the grid, width and height: coarse enough that two dents at one end of a part are alike.
GRID = (4, 2)
DIGEST_DIGITS = 12  # no outcome: it names a file of a cache

Progress = Callable[[float], object]


@dataclass(frozen=True)
class Atlas:
    """Embeddings (N, D) of views; of each the hash, and the verdict on its part."""

    images: list[str]
    embeddings: Floats
    verdicts: list[str]

    def nearest(self, embedding: Any, n: int, without: set[str]) -> list[str]:
        """The hashes of the `n` most similar views but these, the most similar first."""
        differences = self.embeddings - embedding
        in_spreads = differences / spreads(self.embeddings)
        distances = np.linalg.norm(in_spreads, axis=1)
        # stable: copies of one picture come in the same order at every look
        order = np.argsort(distances, kind="stable")

        hashes = [self.images[i] for i in order]
        others = [sha256 for sha256 in hashes if sha256 not in without]
        return others[:n]


def spreads(embeddings: Floats) -> Floats:
    """The standard deviation (D,) of each number of embeddings (N, D); 1 where it never differs."""
    found: Floats = embeddings.std(axis=0)
    found[found == 0] = 1.0
    return found


def embedding_of(detectors: Mapping[str, DetectorOutput], card: Card) -> Floats | None:
    """The embedding of one view (D,); None where the classified region was not found."""
    classifier = detectors.get(CLASSIFIER)
    if classifier is None:
        return None

    flat_grids = []
    for heat in classifier.heat:
        fine = np.asarray(heat, np.float32)
        grid = cv2.resize(fine, GRID, interpolation=cv2.INTER_AREA)
        flat_grids.append(np.ravel(grid))

    scores = []
    for name in anomaly_regions(card.line):
        # a region that was not found counts as neither normal nor unusual
        score = 0.0
        if name in detectors:
            score = card.detectors[name].score(detectors[name])
        scores.append(score)

    logits = np.ravel(classifier.values)
    numbers = np.concatenate([logits, *flat_grids, np.array(scores)])
    return numbers.astype(np.float32)


def atlas_of(
    inspector: Inspector,
    views: pd.DataFrame,
    data: Path,
    progress: Progress = lambda share: None,
) -> Atlas:
    """Measure every view (`path`, `image_sha256`, `part_id`) and judge every part, once.

    A view in which the classified region is not found has no place in it.
    """
    images, embeddings, verdicts = [], [], []
    n_done = 0
    for _, of_part in views.groupby("part_id", sort=False):
        outputs = []
        for path in of_part["path"]:
            view = View(path, content(data / path))
            outputs.append(inspector.measure(view))
            n_done += 1
            progress(n_done / len(views))

        verdict = judge_part(outputs, inspector.card).verdict
        for sha256, seen in zip(of_part["image_sha256"], outputs, strict=True):
            embedding = embedding_of(seen.detectors, inspector.card)
            if embedding is None:
                continue
            images.append(str(sha256))
            embeddings.append(embedding)
            verdicts.append(verdict)
    return Atlas(images, np.array(embeddings, np.float32), verdicts)


def atlas_path(kept: Path, folder: Path, views: pd.DataFrame) -> Path:
    """Where the atlas of these views by the model of this folder is kept; both are in its name."""
    # with the part: an atlas holds the verdict on the part of each image
    images = sorted(views["image_sha256"] + views["part_id"])
    text = "\n".join([sha256_of(folder / CARD), *images])
    digest = hashlib.sha256(text.encode()).hexdigest()
    return kept / f"atlas-{digest[:DIGEST_DIGITS]}.npz"


def load_atlas(path: Path) -> Atlas | None:
    """The atlas that was kept, or None."""
    if not path.is_file():
        return None
    with np.load(path, allow_pickle=False) as found:
        images = found["images"].tolist()
        verdicts = found["verdicts"].tolist()
        return Atlas(images, found["embeddings"], verdicts)


def save_atlas(path: Path, atlas: Atlas) -> None:
    """Keep an atlas, whole or not at all."""
    with replacing(path) as temporary, temporary.open("wb") as file:
        np.savez(
            file,
            images=np.array(atlas.images),
            embeddings=atlas.embeddings,
            verdicts=np.array(atlas.verdicts),
        )
