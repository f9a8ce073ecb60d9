"""Where the defect is: the cells that it covers on the grid of evidence, and the loss on them."""

import torch
from torch import Tensor
from torch.nn import functional as F

from inspection.models.classifier import Architecture, centre_of
from inspection.models.crops import TARGET_STRIDE


def place_loss(
    evidence: Tensor, wanted: Tensor, labels: Tensor, known: Tensor
) -> Tensor:
    """How far the evidence for defects is from where the defects are, in nats per cell.

    `evidence` is (N, classes, h, w) in logits, class 0 normal; `wanted` (N, h, w), 0..1, is where
    the labelled defect lies. Every other defect is wanted nowhere; a defect whose place is not
    `known` teaches nothing about its own class. Cells with and without defect weigh the same.
    """
    evidence = (
        evidence.float()
    )  # a sigmoid of half precision is too coarse, and cannot be indexed
    n, classes = evidence.shape[:2]
    maps = torch.zeros_like(evidence[:, 1:])
    counted = torch.ones_like(maps)
    defective = labels > 0
    rows = torch.arange(n, device=labels.device)[defective]
    columns = labels[defective] - 1
    maps[rows, columns] = wanted[defective]
    counted[rows, columns] = known[defective].float().reshape(-1, 1, 1)
    loss = F.binary_cross_entropy_with_logits(evidence[:, 1:], maps, reduction="none")
    inside, outside = counted * maps, counted * (1 - maps)
    return (loss * inside).sum() / inside.sum().clamp(min=1) + (
        loss * outside
    ).sum() / (outside.sum().clamp(min=1)) / max(1, classes - 1)


def fit_target(target: Tensor, architecture: Architecture, size: torch.Size) -> Tensor:
    """Targets (N, H / 4, W / 4) of whole crops as (N, h, w) over the centre that is looked at."""
    left, top, width, height = (
        value / TARGET_STRIDE for value in centre_of(architecture)
    )
    centre = target[
        :, round(top) : round(top + height), round(left) : round(left + width)
    ]
    return F.adaptive_max_pool2d(centre.unsqueeze(1), list(size)).squeeze(1)
