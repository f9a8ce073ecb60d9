"""How much of a training step is work on the network: the rest is getting the batch."""

import argparse
import sys
import time
from collections.abc import Iterable
from dataclasses import dataclass
from itertools import chain, repeat
from pathlib import Path

import numpy as np
import torch
from torch import nn

from inspection.curation.folds import NEVER_HELD_OUT
from inspection.errors import InspectionError
from inspection.evaluation.part_scores import read_out_of_fold
from inspection.models.augmentations import AUGMENTATIONS, build_augmentation
from inspection.models.classifier import (
    DefectClassifier,
    EvidenceHead,
    load_classifier,
    with_new_head,
)
from inspection.models.crops import load_crops
from inspection.models.frozen import FeatureDataset, frozen_features
from inspection.models.training import (
    MAX_GRADIENT_NORM,
    Batch,
    ClassifierTraining,
    CropDataset,
    quiet_lightning,
    training_batches,
)
from inspection.processes import keep_freed_memory
from stages import sections
from stages.params.train import TrainParams
from stages.train import FEATURE_CACHE, schedule_of

MS_PER_S = 1000

# The first steps allocate what the later ones use again.
WARM_UP_STEPS = 5


@dataclass(frozen=True)
class Steps:
    """Seconds over all steps: of waiting for the batch, and of learning from it."""

    n_steps: int
    waiting_s: float
    learning_s: float

    @property
    def share(self) -> float:
        """A step on a batch in memory, as a share of one that gets its batch first: 0..1."""
        return self.learning_s / (self.waiting_s + self.learning_s)

    def __str__(self) -> str:
        whole = MS_PER_S * (self.waiting_s + self.learning_s) / self.n_steps
        learning = MS_PER_S * self.learning_s / self.n_steps
        return (
            f"a training step takes {whole:.1f} ms, {learning:.1f} ms of them on a batch that is "
            f"in memory: {self.share:.2f} ({self.n_steps} steps, "
            f"{torch.get_num_threads()} threads)"
        )


def main() -> None:
    """Time steps of the training that made the project's classifier."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--crops", type=Path, default=Path("artifacts/crops"))
    parser.add_argument("--classifier", type=Path, default=Path("artifacts/classifier"))
    parser.add_argument("--steps", type=int, default=100)
    given = parser.parse_args()
    quiet_lightning()
    keep_freed_memory()
    try:
        training, batches = of_project(given.crops, given.classifier)
    except InspectionError as error:
        raise SystemExit(f"training: {error}") from error
    sys.stdout.write(f"{timed(training, batches, given.steps)}\n")


def of_project(
    folder: Path, classifier: Path
) -> tuple[ClassifierTraining, Iterable[Batch]]:
    """What stage train would do with these crops: a network that learns, and its batches."""
    line, params = sections.read(
        sections.line("classify"), sections.section("train", TrainParams)
    )
    crops = load_crops(folder, line.classify)
    model = load_classifier(classifier)
    classes = model.architecture.classes
    schedule = schedule_of(params)
    learner: DefectClassifier | EvidenceHead
    examples: CropDataset | FeatureDataset
    if read_out_of_fold(classifier) is None:
        learner = model
        examples = CropDataset(
            crops.in_fold("train"),
            classes,
            build_augmentation(params.augmentation, seed=params.seed),
            paste_probability=params.paste_probability,
        )
    else:
        # As heads are trained: side by side, one thread each, on the features that were kept.
        torch.set_num_threads(1)
        learner = with_new_head(model).head
        seen = crops.rows(np.flatnonzero(crops.index["cv_fold"] != NEVER_HELD_OUT))
        features = frozen_features(
            model,
            seen.images,
            FEATURE_CACHE,
            mirrored=AUGMENTATIONS[params.augmentation].mirrors,
            show_progress=sys.stderr.isatty(),
        )
        rows = np.flatnonzero(seen.index["fold"] == "train")
        examples = FeatureDataset(seen, features, classes, rows=rows, seed=params.seed)

    learner.train().to(memory_format=torch.channels_last)
    training = ClassifierTraining(learner, schedule, None, torch.ones(len(classes)))
    return training, training_batches(examples, schedule)


def timed(
    training: ClassifierTraining, batches: Iterable[Batch], n_steps: int
) -> Steps:
    """Time steps, after some that are not counted; the batches are taken again and again."""
    optimiser = torch.optim.AdamW(training.model.parameters())
    endless = chain.from_iterable(repeat(batches))
    waiting_s = learning_s = 0.0
    for step in range(WARM_UP_STEPS + n_steps):
        asked = time.perf_counter()
        batch = next(endless)
        began = time.perf_counter()
        optimiser.zero_grad()
        training.training_step(batch, step).backward()
        nn.utils.clip_grad_norm_(training.model.parameters(), MAX_GRADIENT_NORM)
        optimiser.step()
        ended = time.perf_counter()
        if step >= WARM_UP_STEPS:
            waiting_s += began - asked
            learning_s += ended - began
    return Steps(n_steps, waiting_s, learning_s)


if __name__ == "__main__":
    main()
