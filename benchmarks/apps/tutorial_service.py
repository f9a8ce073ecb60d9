"""A BentoML service as its tutorials write one: a picture by PIL in, a torch model, a label out.

It runs the architecture of the line's classifier, with random weights, on pictures as large as
those that the line's three models see: the shrunken frame, and the crops of two regions.
"""

from typing import Any

import bentoml
from PIL.Image import Image

# As the line's models are configured (params.yaml): widths and heights.
BACKBONE = "resnet10t"
ARGUMENTS: dict[str, Any] = {"channels": [24, 48, 96, 160], "stem_width": 16}
SIZES_PX = ((160, 128), (256, 112), (80, 128))
N_CLASSES = 4


@bentoml.service(name="tutorial", workers=1, http={"host": "127.0.0.1"})
class Tutorial:
    """The service."""

    def __init__(self) -> None:
        import timm
        import torch
        from torchvision.transforms.functional import to_tensor

        self._to_tensor: Any = to_tensor
        self._no_gradients = torch.inference_mode
        self._model = timm.create_model(
            BACKBONE, in_chans=1, num_classes=N_CLASSES, **ARGUMENTS
        ).eval()

    @bentoml.api  # type: ignore[untyped-decorator]
    def inspect(self, views: Image) -> dict[str, float]:
        """The probabilities of the classes."""
        odds = []
        for size in SIZES_PX:
            picture = self._to_tensor(views.convert("L").resize(size))
            with self._no_gradients():
                odds.append(self._model(picture[None]).softmax(dim=1)[0])
        return {str(number): float(p) for number, p in enumerate(odds[-1])}
