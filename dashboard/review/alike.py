"""The most similar views of other parts, by what the exported models give for a crop.

An embedding is the classifier's logits, its heat per defect over a coarse grid, and the anomaly
score; each number in spreads over all views. No torch: the graphs of the bundle give all of it.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import pandas as pd

from inspection.geometry import Floats
from inspection.runtime.bundle import Card
from inspection.runtime.detectors import ANOMALY, CLASSIFIER
from inspection.runtime.sessions import OnnxSession
from inspection.runtime.views import DetectorOutput
from inspection.storage import replacing

# Cells of the grid, width and height: coarse enough that two dents at one end of a part are alike.
GRID = (4, 2)

Progress = Callable[[float], object]


@dataclass(frozen=True)
class Atlas:
    """Embeddings (N, D) of views, and the hash of each."""

    images: list[str]
    embeddings: Floats

    def nearest(self, embedding: Any, n: int, without: set[str]) -> list[str]:
        """The hashes of the `n` most similar views but these, the most similar first."""
        spread = self.embeddings.std(axis=0)
        spread[spread == 0] = 1.0
        distances = np.linalg.norm((self.embeddings - embedding) / spread, axis=1)
        order = [self.images[i] for i in np.argsort(distances, kind="stable")]
        return [sha256 for sha256 in order if sha256 not in without][:n]


def embedding_of(detectors: Mapping[str, DetectorOutput], card: Card) -> Floats | None:
    """The embedding of one view (D,); None where the classified region was not found."""
    classifier = detectors.get(CLASSIFIER)
    if classifier is None:
        return None
    grids = [
        cv2.resize(np.asarray(heat, np.float32), GRID, interpolation=cv2.INTER_AREA)
        for heat in classifier.heat
    ]
    anomaly = card.detectors[ANOMALY]
    found = detectors.get(ANOMALY)
    score = anomaly.score(found) if found is not None else 0.0
    parts = [np.ravel(classifier.values), *map(np.ravel, grids), np.array([score])]
    return np.concatenate(parts).astype(np.float32)


def atlas_of(
    crops: Mapping[str, tuple[pd.DataFrame, Any]],
    images: Mapping[str, str],
    card: Card,
    folder: Path,
    progress: Progress = lambda share: None,
) -> Atlas:
    """Embed every view that has a crop of the classified region.

    `crops` holds, by region, the index and the images (N, H, W, C) of stage crop; `images` the
    hash of each view.
    """
    sessions = {
        name: OnnxSession(folder / one.file) for name, one in card.detectors.items()
    }
    rows = {
        region: {view: number for number, view in enumerate(index["view_id"])}
        for region, (index, _) in crops.items()
    }
    views = list(rows[card.classifier.region])
    kept, embeddings = [], []
    for done, view_id in enumerate(views, start=1):
        detectors = {}
        for name, detector in card.detectors.items():
            row = rows[detector.region].get(view_id)
            if row is not None:
                crop = np.asarray(crops[detector.region][1][row])
                detectors[name] = DetectorOutput.of(*sessions[name].run(crop))
        embedding = embedding_of(detectors, card)
        if embedding is not None and view_id in images:
            kept.append(images[view_id])
            embeddings.append(embedding)
        progress(done / len(views))
    return Atlas(kept, np.array(embeddings, np.float32))


def load_atlas(path: Path) -> Atlas | None:
    """The atlas that was kept, or None."""
    if not path.is_file():
        return None
    with np.load(path, allow_pickle=False) as found:
        return Atlas(found["images"].tolist(), found["embeddings"])


def save_atlas(path: Path, atlas: Atlas) -> None:
    """Keep an atlas, whole or not at all."""
    with replacing(path) as temporary, temporary.open("wb") as file:
        np.savez(file, images=np.array(atlas.images), embeddings=atlas.embeddings)
