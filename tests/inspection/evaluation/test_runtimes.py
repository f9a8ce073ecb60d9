from pathlib import Path

import numpy as np
import pytest

from inspection.evaluation.runtimes import RUNTIMES, outputs_in
from tests.bundles import make_bundle

CROPS = np.random.default_rng(0).integers(0, 255, (3, 80, 160, 1)).astype(np.uint8)


@pytest.mark.parametrize("runtime", RUNTIMES)
def test_each_runtime_gives_the_outputs_of_every_image_in_order(
    tmp_path: Path, runtime: str
) -> None:
    """The drawn classifier reads the mean brightness of cells of 8 x 8 px."""
    make_bundle(tmp_path)
    logits, heat = outputs_in(runtime, tmp_path / "classifier.onnx", CROPS)
    cells = CROPS[..., 0].reshape(3, 10, 8, 20, 8).mean(axis=(2, 4))
    assert logits.shape == (3, 3)
    np.testing.assert_allclose(heat[:, 0], 0.1 * (cells - 215), rtol=1e-4, atol=1e-4)


def test_the_runtimes_are_those_that_a_bundle_may_be_deployed_with() -> None:
    assert set(RUNTIMES) == {"onnxruntime", "openvino"}
