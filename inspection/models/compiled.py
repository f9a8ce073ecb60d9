"""A network that no longer learns, run by OpenVINO: on a CPU it takes a third of torch's time."""

import warnings
from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn

from inspection.geometry import Image
from inspection.telemetry import telemetry_off

Compute = Callable[[Image], list[Tensor]]

# no outcome: crops that fill the cores; more of them only take memory
BATCH_SIZE = 8


class _Method(nn.Module):
    """A method of a module as a module of its own, which is what can be converted."""

    def __init__(self, owner: nn.Module, name: str) -> None:
        super().__init__()
        self.owner = owner
        self.name = name

    def forward(self, crops: Tensor) -> Sequence[Tensor]:
        """What the method gives for crops (N, C, H, W), always as a tuple of tensors."""
        given = getattr(self.owner, self.name)(crops)
        return (given,) if isinstance(given, Tensor) else tuple(given)


def in_full_precision(graph: Any) -> Any:
    """A model of OpenVINO, or the path of an ONNX file, compiled for the CPU."""
    telemetry_off()
    import openvino

    # By itself OpenVINO takes bfloat16 where the processor has it, which is three digits.
    precision = {"INFERENCE_PRECISION_HINT": "f32"}
    return openvino.Core().compile_model(graph, "CPU", precision)


def compiled(owner: nn.Module, method: str, size_px: tuple[int, int]) -> Compute:
    """A method of a network, as a function of crops (N, H, W, C) uint8 of width and height.

    The method takes crops (N, C, H, W) and gives one tensor (N, ...) or several; the function
    gives them as a list. Full precision: the numbers are torch's to rounding.
    """
    telemetry_off()
    import openvino

    width, height = size_px
    module = _Method(owner, method).eval()
    n_channels = owner.get_buffer("mean").numel()
    example = torch.zeros(2, n_channels, height, width)
    with warnings.catch_warnings(), torch.no_grad():
        # Tracing warns of each shape that it takes as it is; the shapes here are fixed.
        warnings.simplefilter("ignore")
        graph = openvino.convert_model(
            module, example_input=example, input=[-1, n_channels, height, width]
        )
    run = in_full_precision(graph)

    def compute(crops: Image) -> list[Tensor]:
        batches = [
            run(
                crops[start : start + BATCH_SIZE]
                .transpose(0, 3, 1, 2)
                .astype(np.float32)
            )
            for start in range(0, len(crops), BATCH_SIZE)
        ]
        columns = zip(*(batch.values() for batch in batches), strict=True)
        return [torch.from_numpy(np.concatenate(column)) for column in columns]

    return compute
