"""Features of a frozen backbone, computed once for every crop and kept until the crops change.

An epoch on features takes seconds where one through the whole network takes minutes, and some
hundred parts cannot spoil what a million photographs have taught.
"""

import shutil
import time
from collections.abc import Sequence
from dataclasses import dataclass
from hashlib import sha256
from pathlib import Path
from tempfile import mkdtemp
from typing import Any

import numpy as np
import torch
from numpy.lib.format import open_memmap
from torch import Tensor
from torch.utils.data import Dataset
from tqdm import tqdm

from inspection.geometry import Image
from inspection.models.classifier import DefectClassifier, EvidenceHead
from inspection.models.compiled import compiled
from inspection.models.crops import UNKNOWN, Crops
from inspection.models.windows import Start, Windows

Example = dict[str, Tensor | list[Tensor]]

BATCH_SIZE = 16  # no outcome: crops that are written at once
HEAD_BATCH = 64  # no outcome: crops that a head judges at once

# Left and right, top and bottom swapped or not: every way that augmentation `flip` shows a crop.
AS_IT_IS = (False, False)
MIRRORED = (AS_IT_IS, (True, False), (False, True), (True, True))

# Of MIRRORED, the ways in which a classifier with `mirror_average` judges: as it is, left to right.
JUDGED_WAYS = (0, 1)

# What an architecture says of its head, on which no feature depends.
OF_THE_HEAD = {"classes", "dim", "groups", "mirror_average"}

# Sets of features that are kept: those of the classified and of the other region, for the present
# crops and for those before, to which a person goes back.
MAX_KEPT = 4

# What a run that was cut off has left is removed a day later: no run takes that long.
INCOMING = ".incoming."
A_DAY_S = 24 * 3600


@dataclass(frozen=True)
class Features:
    """Feature maps of crops: per stage of the backbone an array (ways, N, C, h, w) of float16.

    `ways` is in how many ways each crop was mirrored, 1 or 4. Half precision halves memory and
    disk; its three digits are finer than what a sensor's noise does to a feature.
    """

    stages: tuple[Any, ...]

    @classmethod
    def mapped(cls, files: Sequence[str]) -> "Features":
        """The features in some files, a stage each, mapped into memory and read-only."""
        return cls(tuple(np.load(file, mmap_mode="r") for file in files))

    def __reduce__(self) -> tuple[Any, ...]:
        """Another process maps the same files instead of being sent what is in them."""
        return Features.mapped, ([maps.filename for maps in self.stages],)

    @property
    def n_ways(self) -> int:
        """In how many ways each crop was shown to the backbone: 1 or 4."""
        return len(self.stages[0])

    def of(self, rows: Any, ways: Any = 0) -> list[Tensor]:
        """The maps (N, C, h, w) of N crops, in one way or in one each; per stage, finest first."""
        return [_for_a_head(np.array(maps[ways, rows])) for maps in self.stages]

    def of_windows(
        self, rows: Any, ways: Any, windows: Windows, starts: Sequence[Start]
    ) -> list[Tensor]:
        """The same of a window of each crop."""
        chosen = list(zip(rows, ways, starts, strict=True))
        found = []
        for maps in self.stages:
            cut = [windows.cut(maps[way, row], start) for row, way, start in chosen]
            found.append(_for_a_head(np.stack(cut)))
        return found


def _for_a_head(maps: Any) -> Tensor:
    """Feature maps (N, C, h, w) as a head takes them in."""
    return torch.from_numpy(maps).float().contiguous(memory_format=torch.channels_last)


class FeatureDataset(Dataset[Example]):
    """Feature maps as training examples, each time in a way drawn from those computed.

    `rows` are the crops' rows in the features. Without a `seed` every crop comes as it is, and with
    one as much of it as `windows` show, where they are given. A batch is read at once, not crop by
    crop, and is not to be collated.
    """

    def __init__(
        self,
        crops: Crops,
        features: Features,
        classes: tuple[str, ...],
        *,
        rows: Any,
        seed: int | None = None,
        windows: Windows | None = None,
    ) -> None:
        self.crops = crops.rows(rows)
        self.features = features
        self.rows = np.asarray(rows)
        self.labels = [classes.index(label) for label in self.crops.index["label"]]
        self.known = (self.crops.index["target"] != UNKNOWN).to_numpy()
        self.generator = None if seed is None else np.random.default_rng(seed)
        self.windows = windows

    def __len__(self) -> int:
        return len(self.labels)

    def __getitems__(self, numbers: Sequence[int]) -> Example:
        """A batch: the examples of some numbers."""
        rows, ways = self.rows[numbers], np.zeros(len(numbers), int)
        if self.generator is not None:
            ways = self.generator.integers(self.features.n_ways, size=len(numbers))
        targets = [
            _mirrored(self.crops.targets[number][None], MIRRORED[way])[0]
            for number, way in zip(numbers, ways, strict=True)
        ]
        if self.windows is None or self.generator is None:
            maps = self.features.of(rows, ways)
        else:
            starts = [self.windows.draw(one, self.generator) for one in targets]
            maps = self.features.of_windows(rows, ways, self.windows, starts)
            targets = list(map(self.windows.cut, targets, starts))
        return {
            "image": maps,
            "target": torch.from_numpy(np.stack(targets)).float() / 255.0,
            "label": torch.tensor([self.labels[number] for number in numbers]),
            "known": torch.from_numpy(self.known[numbers]),
        }


def frozen_features(
    model: DefectClassifier,
    images: Image,
    cache: Path,
    *,
    mirrored: bool,
    show_progress: bool,
) -> Features:
    """The features of crops (N, H, W, C) uint8 that a backbone gives which no longer learns.

    They are kept in a folder of `cache` that is named by the hash of all they depend on; a run
    that is cut off leaves none that is half done.
    """
    ways = MIRRORED if mirrored else (AS_IT_IS,)
    folder = cache / _key(model, images, ways)
    if not folder.exists():
        cache.mkdir(parents=True, exist_ok=True)
        _forget_oldest(cache)
        incoming = Path(mkdtemp(dir=cache, prefix=INCOMING))
        _compute(model, images, ways, incoming, show_progress=show_progress)
        incoming.replace(folder)
    folder.touch()
    return Features.mapped([str(file) for file in sorted(folder.glob("stage*.npy"))])


@torch.inference_mode()
def head_logits(head: EvidenceHead, features: Features, rows: Any) -> Any:
    """Logits (N, classes) that a head gives for the crops at some rows of the features.

    They are those of the whole classifier: the mean of both ways where it mirrors crops.
    """
    ways = JUDGED_WAYS if head.architecture.mirror_average else JUDGED_WAYS[:1]
    batches = np.array_split(rows, 1 + len(rows) // HEAD_BATCH)
    by_way = [
        np.concatenate([head(features.of(batch, way)).numpy() for batch in batches])
        for way in ways
    ]
    return np.mean(by_way, axis=0)


def _compute(
    model: DefectClassifier,
    images: Image,
    ways: Sequence[tuple[bool, bool]],
    folder: Path,
    *,
    show_progress: bool,
) -> None:
    """Write the features of the crops, mirrored in each of the ways, stage by stage."""
    stages_of = compiled(model, "stages", model.architecture.size_px)
    stages: list[Any] = []
    progress = tqdm(
        total=len(ways) * len(images), desc="features", disable=not show_progress
    )
    for way, mirror in enumerate(ways):
        for start in range(0, len(images), BATCH_SIZE):
            batch = _mirrored(images[start : start + BATCH_SIZE], mirror)
            maps = stages_of(batch)
            if not stages:
                stages = [
                    _file(folder, number, one, len(ways), len(images))
                    for number, one in enumerate(maps)
                ]
            for stage, values in zip(stages, maps, strict=True):
                stage[way, start : start + len(batch)] = values.half().numpy()
            progress.update(len(batch))
    progress.close()
    for stage in stages:
        stage.flush()


def _file(folder: Path, number: int, maps: Tensor, n_ways: int, n_crops: int) -> Any:
    shape = (n_ways, n_crops, *maps.shape[1:])
    path = folder / f"stage{number}.npy"
    return open_memmap(path, mode="w+", dtype=np.float16, shape=shape)


def _mirrored(images: Image, way: tuple[bool, bool]) -> Image:
    """Crops (N, H, W, C) or targets (N, h, w), mirrored left to right and top to bottom."""
    left_right, top_bottom = way
    if left_right:
        images = images[:, :, ::-1]
    return images[:, ::-1] if top_bottom else images


def _key(
    model: DefectClassifier, images: Image, ways: Sequence[tuple[bool, bool]]
) -> str:
    """The hash of crops, backbone, how crops enter it, and in which ways they are mirrored."""
    architecture = model.architecture.model_dump_json(exclude=OF_THE_HEAD)
    digest = sha256(architecture.encode())
    digest.update(repr((images.shape, ways)).encode())
    for name, value in model.backbone.state_dict().items():
        digest.update(name.encode() + value.numpy().tobytes())
    for start in range(0, len(images), BATCH_SIZE):
        digest.update(images[start : start + BATCH_SIZE].tobytes())
    return digest.hexdigest()[:16]


def _forget_oldest(cache: Path) -> None:
    """Make room for one set of features: the ones used last stay, and what runs of today write."""
    kept = [one for one in cache.iterdir() if not one.name.startswith(INCOMING)]
    kept.sort(key=lambda folder: folder.stat().st_mtime, reverse=True)
    cut_off = [
        one
        for one in cache.glob(f"{INCOMING}*")
        if time.time() - one.stat().st_mtime > A_DAY_S
    ]
    for folder in [*kept[MAX_KEPT - 1 :], *cut_off]:
        shutil.rmtree(folder, ignore_errors=True)
