import pytest
import torch
from anomalib.models.components import KCenterGreedy
from torch import Tensor

from inspection.models.normality import coreset
from inspection.models.normality.coreset import cover_radius, greedy_centres


def clouds(n: int, n_features: int = 8, seed: int = 0) -> Tensor:
    """Features in five clouds of several sizes, as places of normal crops are."""
    generator = torch.Generator().manual_seed(seed)
    middles = 6 * torch.randn(5, n_features, generator=generator)
    of_cloud = torch.randint(5, (n,), generator=generator)
    spread = 0.5 + torch.rand(5, 1, generator=generator)
    noise = torch.randn(n, n_features, generator=generator)
    return middles[of_cloud] + noise * spread[of_cloud]


def asked_after_each_choice(features: Tensor, n_centres: int, first: int) -> list[int]:
    """Greedy k-centre as it is defined."""
    exact = features.double()
    distances = torch.full((len(features),), torch.inf, dtype=torch.float64)
    chosen = [first]
    while len(chosen) < n_centres:
        to_last = (exact - exact[chosen[-1]]).square().sum(dim=1)
        distances = torch.minimum(distances, to_last)
        chosen.append(int(distances.argmax()))
    return chosen


@pytest.mark.parametrize("n_farthest", [1, 16, 2048, 10_000])
def test_the_centres_are_those_of_asking_all_features_after_each_choice(
    monkeypatch: pytest.MonkeyPatch, n_farthest: int
) -> None:
    monkeypatch.setattr(coreset, "N_FARTHEST", n_farthest)
    features = clouds(4000)
    found = greedy_centres(features, 200, seed=0).tolist()
    assert found == asked_after_each_choice(features, 200, found[0])


def test_features_are_asked_in_pieces_that_fit(monkeypatch: pytest.MonkeyPatch) -> None:
    features = clouds(3000)
    at_once = greedy_centres(features, 50, seed=0)
    monkeypatch.setattr(coreset, "MAX_DISTANCES", 100)
    torch.testing.assert_close(greedy_centres(features, 50, seed=0), at_once)


def test_the_coreset_covers_as_closely_as_the_one_of_anomalib() -> None:
    features = clouds(5000, n_features=60)
    with torch.random.fork_rng():
        torch.manual_seed(0)
        theirs = KCenterGreedy(features, sampling_ratio=0.0401).sample_coreset()
    ours = features[greedy_centres(features, len(theirs), seed=0)]
    assert len(theirs) == 200
    assert cover_radius(features, ours) <= 1.02 * cover_radius(features, theirs)


def test_the_same_seed_draws_the_same_first_centre_and_another_one_another() -> None:
    features = clouds(1000)
    before = torch.random.get_rng_state()
    one, same, other = (greedy_centres(features, 20, seed=seed) for seed in (1, 1, 2))
    assert one.tolist() == same.tolist()
    assert one[0] != other[0]
    assert torch.equal(torch.random.get_rng_state(), before)


def test_of_fewer_features_than_centres_each_is_one_though_some_are_alike() -> None:
    features = clouds(30).repeat(2, 1)
    assert sorted(greedy_centres(features, 100, seed=0).tolist()) == list(range(60))


def test_the_radius_is_the_distance_of_the_farthest_feature() -> None:
    features = torch.tensor([[0.0, 0.0], [3.0, 4.0], [10.0, 0.0]])
    assert cover_radius(features, features[:1]) == pytest.approx(10)
    assert cover_radius(features, features[[0, 2]]) == pytest.approx(5)
