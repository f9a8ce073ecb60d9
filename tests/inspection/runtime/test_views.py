import numpy as np

from inspection.runtime.views import DetectorOutput

HEAT = np.arange(3, dtype=np.float32)[:, None, None] * np.ones((3, 2, 2), np.float32)


def test_the_heat_is_that_of_the_likeliest_defect_not_of_the_normal_class() -> None:
    output = DetectorOutput(np.array([9.0, 1.0, 0.5, 2.0]), HEAT)
    assert output.likeliest_map == 2
    assert (output.raw_heat == 2.0).all()


def test_a_detector_that_names_no_defect_has_one_heatmap() -> None:
    output = DetectorOutput(np.array([7.0]), HEAT[1:2])
    assert (output.raw_heat == 1.0).all()
