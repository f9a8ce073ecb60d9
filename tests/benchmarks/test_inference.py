from pathlib import Path

import pandas as pd
import pytest

from benchmarks.inference import Timing, model_inputs, read_parts, timed, views_of_test
from inspection.errors import InspectionError
from inspection.runtime.inspector import Inspector
from inspection.runtime.views import View
from tests.bundles import FRAME_SIZE_PX, draw_jpeg, make_bundle

PARTS = [[View("a", draw_jpeg()), View("b", draw_jpeg("dent"))], [View("c", draw_jpeg("slide"))]]


@pytest.fixture(scope="module")
def bundle(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("bundle")
    make_bundle(folder)
    return folder


def test_every_part_and_view_is_timed_and_the_models_alone_take_less(bundle: Path) -> None:
    found = timed(bundle, PARTS)
    assert (found.n_parts, found.n_views) == (2, 3)
    assert 0 < found.sessions_s < found.inspected_s


def test_the_models_alone_get_what_they_get_in_the_inspector(bundle: Path) -> None:
    inputs = model_inputs(Inspector(bundle), PARTS)
    assert {name: len(images) for name, images in inputs.items()} == {
        "locator.onnx": 3, "classifier.onnx": 3, "anomaly.onnx": 3
    }  # fmt: skip
    assert inputs["locator.onnx"][0].shape == FRAME_SIZE_PX[::-1]
    assert inputs["classifier.onnx"][0].shape == (80, 160, 1)


def test_the_line_tells_milliseconds_a_part_and_the_ratio() -> None:
    assert str(Timing(n_parts=4, n_views=10, inspected_s=0.1, sessions_s=0.05)) == (
        "from file to verdict 25.0 ms a part, ONNX Runtime alone 12.5 ms, ratio 2.00 "
        "(4 parts, 2.5 views each)"
    )


def test_only_views_of_the_test_fold_are_read_part_by_part(tmp_path: Path) -> None:
    manifest = pd.DataFrame(
        {"view_id": list("abcd"), "part_id": ["1", "2", "1", "3"], "path": list("abcd")}
    )
    folds = pd.DataFrame({"view_id": list("abcd"), "fold": ["test", "test", "test", "val"]})
    for name in "abc":
        (tmp_path / name).write_bytes(name.encode())
    parts = read_parts(views_of_test(manifest, folds), tmp_path)
    assert [[view.content for view in views] for views in parts] == [[b"a", b"c"], [b"b"]]


def test_a_test_fold_without_parts_is_refused(bundle: Path) -> None:
    with pytest.raises(InspectionError, match="test fold: holds no part"):
        timed(bundle, [])
