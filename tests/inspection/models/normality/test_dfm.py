import pytest
import torch
from anomalib.models.image.dfm.torch_model import DFMModel
from torch import Tensor, nn
from torch.nn.functional import avg_pool2d

from inspection.models.normality.dfm import Dfm


def drawn(n: int, seed: int) -> Tensor:
    """Crops of two moods: features (n, 3, 4, 6) that two numbers a crop decide, and noise."""
    moods = torch.randn(2, 3, 4, 6, generator=torch.Generator().manual_seed(7))
    generator = torch.Generator().manual_seed(seed)
    shares = torch.randn(n, 2, generator=generator)
    noise = torch.randn(n, 3, 4, 6, generator=generator)
    return torch.einsum("nm,mchw->nchw", shares, moods) + 0.05 * noise


def test_the_errors_are_the_roots_of_those_that_anomalib_gives() -> None:
    ours = Dfm(nn.Identity())
    ours.fit(drawn(50, seed=0))
    theirs = DFMModel("resnet18", "layer1", pre_trained=False)
    theirs.memory_bank = [avg_pool2d(drawn(50, seed=0), 2).flatten(1)]
    theirs.fit()

    fresh = drawn(3, seed=1)
    pooled = avg_pool2d(fresh, 2)
    _, squared = theirs.score(pooled.flatten(1).clone(), pooled.shape)
    torch.testing.assert_close(ours.distances(fresh), squared.sqrt())


def test_what_no_component_rebuilds_is_far_from_normal_where_it_lies() -> None:
    model = Dfm(nn.Identity())
    model.fit(drawn(200, seed=0))
    odd = drawn(2, seed=1)
    odd[0, :, 2:4, 4:6] += 3
    distances = model.distances(odd)[:, 0]
    assert distances.shape == (2, 2, 3)
    assert divmod(int(distances[0].argmax()), 3) == (1, 2)
    assert distances[0].max() > 5 * distances[1].max()


@pytest.mark.parametrize(("size", "pooled"), [((4, 6), (2, 3)), ((5, 7), (3, 4)), ((1, 1), (1, 1))])
def test_places_at_the_edge_are_averaged_over_those_there_are(
    size: tuple[int, int], pooled: tuple[int, int]
) -> None:
    model = Dfm(nn.Identity())
    features = torch.rand(5, 2, *size, generator=torch.Generator().manual_seed(0))
    model.fit(features)
    assert model.distances(features).shape == (5, 1, *pooled)
