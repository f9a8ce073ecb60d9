from pathlib import Path

import numpy as np
import pytest

from inspection.errors import InspectionError
from inspection.runtime.sessions import OnnxSession
from tests.bundles import make_bundle


def test_outputs_come_without_their_batch_dimension(tmp_path: Path) -> None:
    make_bundle(tmp_path)
    session = OnnxSession(tmp_path / "classifier.onnx")
    logits, heat = session.run(np.zeros((80, 160, 1), np.uint8))
    assert (logits.shape, heat.shape) == ((3,), (2, 10, 20))


@pytest.mark.parametrize("content", [b"", b"no model at all"], ids=["empty", "text"])
def test_a_file_that_is_no_model_is_named_with_the_remedy(tmp_path: Path, content: bytes) -> None:
    (tmp_path / "m.onnx").write_bytes(content)
    with pytest.raises(InspectionError, match=r"m\.onnx: ONNX Runtime .* cannot load it"):
        OnnxSession(tmp_path / "m.onnx")
