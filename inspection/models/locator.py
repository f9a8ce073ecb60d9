"""The locator: a small network that finds the regions of a part in a frame without boxes."""

from collections.abc import Callable

import numpy as np
import torch
from torch import Tensor, nn
from torch.nn import functional as F

from inspection.geometry import Floats, Image

STRIDE = 4
WIDTHS = (16, 24, 32)


class Locator(nn.Module):
    """Frames (N, 1, H, W), 0..255, to the probability of each region in each 4 x 4 px cell.

    Returns (N, regions, H / 4, W / 4), 0..1. Dilated convolutions see the whole part, so an edge
    is placed by what lies on both sides of it, not by its brightness alone.
    """

    def __init__(self, n_regions: int) -> None:
        super().__init__()
        first, second, third = WIDTHS
        self.body = nn.Sequential(
            *_block(1, first, stride=2),
            *_block(first, second, stride=2),
            *_block(second, third, dilation=2),
            *_block(third, third, dilation=4),
            *_block(third, third, dilation=8),
            *_block(third, second),
        )
        self.head = nn.Conv2d(second, n_regions, 1)

    def logits(self, frames: Tensor) -> Tensor:
        """Log-odds of each region in each cell."""
        scaled = frames.float() / 255.0
        centred = scaled - scaled.mean(dim=(2, 3), keepdim=True)
        return self.head(self.body(centred * 4.0))

    def forward(self, frames: Tensor) -> Tensor:
        """Probability of each region in each cell, 0..1."""
        return torch.sigmoid(self.logits(frames))


def fit_locator(
    frames: Image,
    targets: Floats,
    *,
    epochs: int,
    learning_rate: float,
    batch_size: int,
    seed: int,
    progress: Callable[[int, float], None],
) -> Locator:
    """Train a locator on frames (N, H, W) and cell coverages (N, regions, H / 4, W / 4), 0..1.

    A region whose box is unknown in a frame has NaN as its target there and teaches nothing.
    `progress` is called with each epoch's number and its mean loss.
    """
    generator = torch.Generator().manual_seed(seed)
    with torch.random.fork_rng():
        torch.manual_seed(seed)
        model = Locator(targets.shape[1]).to(memory_format=torch.channels_last)
    optimiser = torch.optim.AdamW(
        model.parameters(), lr=learning_rate, weight_decay=1e-4
    )
    steps = epochs * max(1, -(-len(frames) // batch_size))
    schedule = torch.optim.lr_scheduler.OneCycleLR(
        optimiser, learning_rate, total_steps=steps
    )
    model.train()
    for epoch in range(epochs):
        losses = []
        for batch in torch.randperm(len(frames), generator=generator).split(batch_size):
            images, wanted = _augmented(
                frames[batch.numpy()], targets[batch.numpy()], generator
            )
            loss = _masked_loss(model.logits(images), wanted)
            optimiser.zero_grad()
            loss.backward()
            optimiser.step()
            schedule.step()
            losses.append(loss.item())
        progress(epoch, float(np.mean(losses)))
    return model.to(memory_format=torch.contiguous_format).eval()


@torch.inference_mode()
def locate(model: Locator, frames: Image, batch_size: int = 64) -> Floats:
    """Probability maps (N, regions, H / 4, W / 4) of frames (N, H, W) uint8."""
    batches = torch.from_numpy(frames).unsqueeze(1).split(batch_size)
    return np.concatenate([model(batch).numpy() for batch in batches])


def _augmented(
    frames: Image, targets: Floats, generator: torch.Generator
) -> tuple[Tensor, Tensor]:
    """Flip and change the gain, so that neither the side nor the lamp carries the box."""
    images = torch.from_numpy(frames).unsqueeze(1).float()
    wanted = torch.from_numpy(targets)
    if torch.rand((), generator=generator) < 0.5:
        images, wanted = images.flip(3), wanted.flip(3)
    if torch.rand((), generator=generator) < 0.5:
        images, wanted = images.flip(2), wanted.flip(2)
    gain = 0.6 + 0.9 * torch.rand(len(images), 1, 1, 1, generator=generator)
    images = (images * gain).clamp(0, 255)
    return images.contiguous(memory_format=torch.channels_last), wanted


def _masked_loss(logits: Tensor, wanted: Tensor) -> Tensor:
    known = ~torch.isnan(wanted)
    return F.binary_cross_entropy_with_logits(logits[known], wanted[known])


def _block(
    inputs: int, outputs: int, stride: int = 1, dilation: int = 1
) -> list[nn.Module]:
    convolution = nn.Conv2d(
        inputs,
        outputs,
        3,
        stride=stride,
        padding=dilation,
        dilation=dilation,
        bias=False,
    )
    return [convolution, nn.BatchNorm2d(outputs), nn.ReLU(inplace=True)]
