import numpy as np
import pytest
import torch

from inspection.models.compiled import BATCH_SIZE, compiled
from tests.networks import tiny_classifier
from tests.squares import draw_crops

CROPS = draw_crops(4, seed=3).images


@pytest.mark.parametrize("method", ["stages", "evidence_maps"])
def test_a_compiled_network_gives_what_torch_gives(method: str) -> None:
    model = tiny_classifier().eval()
    compute = compiled(model, method, model.architecture.size_px)
    with torch.inference_mode():
        wanted = getattr(model, method)(torch.from_numpy(CROPS).permute(0, 3, 1, 2))
    wanted = wanted if isinstance(wanted, list) else [wanted]
    for one, other in zip(compute(CROPS), wanted, strict=True):
        torch.testing.assert_close(one, other, rtol=1e-4, atol=1e-4)


def test_crops_of_one_and_of_several_batches_give_the_same() -> None:
    crops = np.concatenate([CROPS] * 3)[: BATCH_SIZE + 1]
    model = tiny_classifier().eval()
    compute = compiled(model, "forward", model.architecture.size_px)
    together = compute(crops)[0]
    alone = torch.cat([compute(crop[None])[0] for crop in crops])
    torch.testing.assert_close(together, alone, rtol=1e-5, atol=1e-5)
