import numpy as np
import torch
from anomalib.models.components import MultiVariateGaussian
from anomalib.models.image.padim.anomaly_map import AnomalyMapGenerator

from inspection.models.normality.padim import PADIM_RIDGE, SHIFTS, best_fit, shifted


def test_maps_move_by_whole_cells_and_the_edge_is_repeated() -> None:
    maps = torch.arange(12.0).reshape(1, 1, 3, 4)
    assert shifted(maps, 0, 1)[0, 0].tolist() == [[1, 2, 3, 3], [5, 6, 7, 7], [9, 10, 11, 11]]
    assert torch.equal(shifted(shifted(maps, 1, 0), -1, 0)[:, :, 1:], maps[:, :, 1:])


def test_a_crop_framed_a_cell_off_fits_as_well_and_its_distances_stay_where_they_are() -> None:
    generator = torch.Generator().manual_seed(0)
    normal = torch.rand(1, 2, 10, 12, generator=generator)
    odd_one = normal.clone()
    odd_one[:, :, 5, 6] += 9
    crops = torch.cat([normal, odd_one, shifted(odd_one, 1, -1)])
    fitted_to = best_fit(crops, normal[0].flatten(1), torch.eye(2).expand(120, 2, 2))
    inner = fitted_to[:, 0, 2:-2, 2:-2]
    assert inner[0].max() < 1e-6
    assert (inner[1:] > 1).sum(dim=(1, 2)).tolist() == [1, 1]
    assert [torch.nonzero(one > 1)[0].tolist() for one in inner[1:]] == [[3, 4], [2, 5]]


def test_the_distance_of_the_fit_that_is_taken_is_the_one_of_anomalib() -> None:
    generator = torch.Generator().manual_seed(0)
    mean = torch.rand(3, 30, generator=generator)
    roots = torch.rand(30, 3, 3, generator=generator)
    inv_covariance = roots @ roots.transpose(1, 2) + torch.eye(3)
    at_home = mean.reshape(1, 3, 5, 6) + 0.01 * torch.rand(2, 3, 5, 6, generator=generator)
    theirs = AnomalyMapGenerator.compute_distance(at_home, [mean, inv_covariance])
    torch.testing.assert_close(best_fit(at_home, mean, inv_covariance), theirs)


def test_the_ridge_that_is_reckoned_with_is_the_one_of_anomalib() -> None:
    gaussian = MultiVariateGaussian()
    gaussian.fit(torch.zeros(4, 2, 1, 1))
    np.testing.assert_allclose(
        gaussian.inv_covariance.reshape(2, 2), np.eye(2) / PADIM_RIDGE, rtol=2e-3
    )


def test_a_place_is_held_against_the_nine_around_it_the_nearest_first() -> None:
    around = [(row, column) for row in (-1, 0, 1) for column in (-1, 0, 1)]
    assert sorted(SHIFTS) == around
    steps = [abs(row) + abs(column) for row, column in SHIFTS]
    assert steps == [0, 1, 1, 1, 1, 2, 2, 2, 2]
