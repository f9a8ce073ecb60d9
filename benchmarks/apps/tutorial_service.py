"""A BentoML service as its tutorials write one: a picture by PIL in, a torch model, a label out.

It runs the backbone that the release was trained with, once for each region, on a picture as large
as that region's crop. Its weights are random, which takes the same time. What the line does beside
that, finding the regions, mirror images, anomaly models and heat, it does not.
"""

import os
from pathlib import Path
from typing import Any

import bentoml
from PIL.Image import Image

from benchmarks.apps.tutorial_network import new_network
from inspection.runtime.bundle import read_card

PIL_MODES = {1: "L", 3: "RGB"}


@bentoml.service(name="tutorial", workers=1, http={"host": "127.0.0.1"})
class Tutorial:
    """The service; TUTORIAL_BUNDLE names the bundle."""

    def __init__(self) -> None:
        import torch
        from torchvision.transforms.functional import to_tensor

        card = read_card(Path(os.environ["TUTORIAL_BUNDLE"]))
        self._to_tensor: Any = to_tensor
        self._no_gradients = torch.inference_mode
        self._model = new_network(card)
        self._mode = PIL_MODES[card.line.channels]
        self._sizes_px = [region.size_px for region in card.line.regions.values()]
        self._classes = list(card.line.classes)

    @bentoml.api  # type: ignore[untyped-decorator]
    def inspect(self, views: Image) -> dict[str, float]:
        """The probability of each class, in the region that shows it best."""
        found = dict.fromkeys(self._classes, 0.0)
        for size in self._sizes_px:
            picture = self._to_tensor(views.convert(self._mode).resize(size))
            with self._no_gradients():
                (odds,) = self._model(picture[None]).softmax(dim=1)
            for name, probability in zip(self._classes, odds.tolist(), strict=True):
                found[name] = max(found[name], probability)
        return found
