import pytest
import torch
from anomalib.models.image.padim.anomaly_map import AnomalyMapGenerator

from inspection.models.normality.detector import SeparableBlur, map_generator


@pytest.mark.parametrize("size", [(20, 48), (112, 256)], ids=["small", "of the sample line"])
def test_maps_are_blurred_as_by_anomalib(size: tuple[int, int]) -> None:
    of_anomalib = AnomalyMapGenerator().blur
    maps = torch.rand(2, 1, *size, generator=torch.Generator().manual_seed(0))
    torch.testing.assert_close(SeparableBlur(of_anomalib.kernel)(maps), of_anomalib(maps))


def test_maps_are_enlarged_and_smoothed_as_by_anomalib() -> None:
    distances = torch.rand(2, 1, 7, 16, generator=torch.Generator().manual_seed(0))
    theirs, ours = AnomalyMapGenerator(), map_generator()
    enlarged = theirs.up_sample(distances, (112, 256))
    torch.testing.assert_close(ours.up_sample(distances, (112, 256)), enlarged)
    smooth = theirs.smooth_anomaly_map(enlarged)
    torch.testing.assert_close(ours.smooth_anomaly_map(enlarged), smooth)
