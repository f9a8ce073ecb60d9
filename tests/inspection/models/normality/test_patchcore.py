import pytest
import torch
from anomalib.models.image.patchcore.torch_model import PatchcoreModel
from torch import nn

from inspection.models.normality.patchcore import Patchcore, nearest


def test_the_nearest_feature_is_the_one_that_anomalib_finds() -> None:
    generator = torch.Generator().manual_seed(0)
    places = torch.randn(3, 12, 5, 6, generator=generator)
    anomalib = PatchcoreModel(["layer1"], "resnet18", pre_trained=False)
    anomalib.memory_bank = torch.randn(40, 12, generator=generator)
    embedding = anomalib.reshape_embedding(places)
    theirs, _ = anomalib.nearest_neighbors(embedding, n_neighbors=1)
    ours = nearest(places, anomalib.memory_bank)
    torch.testing.assert_close(ours.flatten(), theirs, atol=1e-4, rtol=1e-4)


def test_what_the_bank_holds_is_normal_wherever_it_is_and_all_else_is_not() -> None:
    generator = torch.Generator().manual_seed(0)
    normal = torch.randn(4, 3, 5, 6, generator=generator)
    model = Patchcore(nn.Identity(), bank_size=120, seed=0)
    model.fit(normal)
    assert model.module.memory_bank.shape == (120, 3)
    moved = normal.flip(2, 3)
    moved[0, :, 2, 3] += 20
    distances = model.distances(moved)[:, 0]
    assert distances[0, 2, 3] > 10
    distances[0, 2, 3] = 0
    assert distances.max() < 2e-3


@pytest.mark.parametrize("bank_size", [7, 1000])
def test_a_bank_holds_as_many_features_as_asked_for_or_all(bank_size: int) -> None:
    model = Patchcore(nn.Identity(), bank_size=bank_size, seed=0)
    model.fit(torch.rand(2, 3, 4, 5, generator=torch.Generator().manual_seed(0)))
    assert len(model.module.memory_bank) == min(bank_size, 40)
