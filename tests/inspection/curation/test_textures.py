import numpy as np
import pandas as pd

from inspection.boxes import LabelledBox, boxes_cell
from inspection.curation import textures
from inspection.curation.textures import fitted_sizes, texture_features, windows
from inspection.geometry import Box
from tests.lines import DENTED_LINE as LINE
from tests.pictures import part

SIZES = fitted_sizes({"c": [(0, 0, 64, 48)]})


def boxed(category: str, *edges: float) -> str:
    return boxes_cell([LabelledBox(category, Box(*edges), "coco")])


def test_views_are_looked_at_where_the_camera_usually_has_the_region() -> None:
    boxes = [[10, 10, 20, 10], [12, 12, 20, 10], [14, 14, 20, 10], None]
    cells = [boxed("knurling", *box) if box else "[]" for box in boxes]
    table = pd.DataFrame({"camera": ["c", "c", "c", "c"], "boxes": cells})
    table = table.assign(width_px=100, height_px=50)
    assert windows(table, LINE) == {"c": [(10, 11, 34, 23)]}
    blank = table.assign(boxes="[]")
    assert windows(blank, LINE) == {"c": [(0, 0, 100, 50)]}


def test_cameras_of_unlike_frames_and_boxes_are_looked_at_in_as_many_windows_of_one_size() -> None:
    cells = [boxed("knurling", 10, 10, 40, 10), "[]"]
    table = pd.DataFrame({"camera": ["a", "b"], "boxes": cells})
    table = table.assign(width_px=[100, 300], height_px=[50, 300])
    found = windows(table, LINE)
    assert found["b"] == [(0, 0, 300, 300)]
    sizes = fitted_sizes(found)
    assert len(sizes) == 1
    frames = {"a": np.zeros((50, 100), np.uint8), "b": np.zeros((300, 300), np.uint8)}
    lengths = {len(texture_features(frames[name], found[name], sizes)) for name in frames}
    assert len(lengths) == 1


def test_windows_are_measured_at_a_long_side_of_320_in_whole_places_of_32() -> None:
    assert fitted_sizes({"c": [(0, 0, 640, 200)]}) == [(320, 96)]
    assert fitted_sizes({"c": [(0, 0, 6400, 1601)]}) == [(320, 96)]
    assert fitted_sizes({"c": [(0, 0, 6400, 1599)]}) == [(320, 64)]
    assert fitted_sizes({"c": [(0, 0, 640, 1)]}) == [(320, 32)]


def test_a_window_has_a_margin_of_eight_percent() -> None:
    table = pd.DataFrame({"camera": ["c"], "boxes": [boxed("knurling", 200, 200, 100, 100)]})
    table = table.assign(width_px=600, height_px=600)
    assert windows(table, LINE) == {"c": [(192, 192, 308, 308)]}


def test_features_are_means_of_places_the_usual_cell_and_quantiles_of_what_is_odd() -> None:
    frame = part(3, defect=True)
    (size,) = SIZES
    features = texture_features(frame, [(0, 0, 64, 48)], SIZES)
    cells = np.log1p(textures._cells(frame, size))
    assert cells.shape == (size[1] // 8, size[0] // 8, 6)
    odd = cells - np.median(cells, axis=1, keepdims=True)
    ranks = [0, 0.01, 0.1, 0.25, 0.75, 0.9, 0.97, 0.985, 1]
    extremes = np.quantile(odd.reshape(-1, 6), ranks, axis=0).ravel()
    np.testing.assert_allclose(features[-len(extremes) :], extremes, atol=1e-6)
    n_places = (size[1] // 32) * (size[0] // 32)
    assert len(features) == 6 * (n_places + 1 + 9)


def test_an_edge_is_measured_in_grey_levels_a_pixel() -> None:
    ramp = np.tile(np.arange(0, 64, dtype=np.uint8) * 3, (32, 1))
    cells = textures._cells(ramp, (64, 32))
    inner = cells[1:-1, 1:-1]
    np.testing.assert_allclose(inner[..., 1], 3, atol=1e-5)
    np.testing.assert_allclose(inner[..., 2], 0, atol=1e-5)
