"""The locator: a small network that finds the regions of a part in a frame without boxes."""

from collections.abc import Callable, Iterator
from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor, nn
from torch.nn import functional as F

from inspection.geometry import Floats, Image, locator_input

# Frame pixels per cell of the maps: the body halves the frame twice. An edge is interpolated
# between cells, to about half of one, so a coarser grid would cost margin around every crop.
STRIDE = 4

# Channels of the three resolutions: some 33,000 weights, which a core applies to a frame in a few
# milliseconds. A part on a plain ground needs no more; 200 frames could not fill many more.
WIDTHS = (16, 24, 32)

# Brings frames to unit spread: grey levels of industrial frames spread over a quarter of 0..1.
CONTRAST = 4.0

# Brightness factors of the training frames: a stop (factor 2) or so between the darkest and the
# brightest, which is what ageing lights and exposure steps do. Beyond, frames saturate.
MIN_GAIN = 0.6
MAX_GAIN = 1.5

# Chance of a flip along each axis: with one half, every side is as frequent as its opposite.
FLIP_PROBABILITY = 0.5

# AdamW's customary weight decay for small networks is 1e-4 to 1e-2; a locator of so few weights,
# shown at most some hundred frames, is kept by augmentation rather than by decay.
WEIGHT_DECAY = 1e-4


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
        return self.head(self.body(centred * CONTRAST))

    def forward(self, frames: Tensor) -> Tensor:
        """Probability of each region in each cell, 0..1."""
        return torch.sigmoid(self.logits(frames))


@dataclass(frozen=True)
class RegionLocator:
    """A trained locator, the regions of its outputs, and the (width, height) it shrinks frames to.

    `find` takes shrunk frames (N, h, w) uint8 to probability maps (N, regions, h / 4, w / 4).
    """

    regions: tuple[str, ...]
    size_px: tuple[int, int]
    find: Callable[[Image], Floats]

    def maps(self, frame: Image) -> dict[str, Floats]:
        """The probability map (h, w), 0..1, of each region in a frame (H, W) or (H, W, 3)."""
        shrunk = locator_input(frame, self.size_px)
        (maps,) = self.find(shrunk[None])
        return dict(zip(self.regions, maps, strict=True))


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

    steps = epochs * max(1, -(-len(frames) // batch_size))
    optimiser = _optimiser(model, learning_rate)
    schedule = torch.optim.lr_scheduler.OneCycleLR(
        optimiser, learning_rate, total_steps=steps
    )

    model.train()
    for epoch in range(epochs):
        losses = []
        for rows in _mini_batches(len(frames), batch_size, generator):
            images, wanted = _augmented(frames[rows], targets[rows], generator)
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


def _optimiser(model: Locator, learning_rate: float) -> torch.optim.Optimizer:
    return torch.optim.AdamW(
        model.parameters(), lr=learning_rate, weight_decay=WEIGHT_DECAY
    )


def _mini_batches(
    n: int, batch_size: int, generator: torch.Generator
) -> Iterator[np.ndarray]:
    """The row numbers of each mini-batch of an epoch, in random order."""
    for rows in torch.randperm(n, generator=generator).split(batch_size):
        yield rows.numpy()


def _augmented(
    frames: Image, targets: Floats, generator: torch.Generator
) -> tuple[Tensor, Tensor]:
    """Flip and change the gain, so that neither the side nor the brightness carries the box."""
    images = torch.from_numpy(frames).unsqueeze(1).float()
    wanted = torch.from_numpy(targets)

    if torch.rand((), generator=generator) < FLIP_PROBABILITY:
        images, wanted = images.flip(3), wanted.flip(3)
    if torch.rand((), generator=generator) < FLIP_PROBABILITY:
        images, wanted = images.flip(2), wanted.flip(2)

    drawn = torch.rand(len(images), 1, 1, 1, generator=generator)
    gain = MIN_GAIN + (MAX_GAIN - MIN_GAIN) * drawn
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
        kernel_size=3,
        stride=stride,
        padding=dilation,
        dilation=dilation,
        bias=False,
    )
    return [convolution, nn.BatchNorm2d(outputs), nn.ReLU(inplace=True)]
