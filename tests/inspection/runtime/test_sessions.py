from pathlib import Path

import numpy as np
import onnx
import pytest
from onnx import TensorProto, helper, numpy_helper

from inspection.errors import InspectionError
from inspection.runtime.sessions import OnnxSession
from tests.bundles import make_bundle


def test_outputs_come_without_their_batch_dimension(tmp_path: Path) -> None:
    make_bundle(tmp_path)
    session = OnnxSession(tmp_path / "classifier.onnx")
    logits, heat = session.run(np.zeros((80, 160, 1), np.uint8))
    assert (logits.shape, heat.shape) == ((3,), (2, 10, 20))


def test_weights_in_a_file_beside_the_model_are_not_read(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The card holds no hash of such a file, so that anything might stand in it."""
    weights = numpy_helper.from_array(np.ones(4096, np.float32), "weights")
    graph = helper.make_graph(
        [helper.make_node("Add", ["given", "weights"], ["sum"])],
        "adds",
        [helper.make_tensor_value_info("given", TensorProto.FLOAT, [1, 4096])],
        [helper.make_tensor_value_info("sum", TensorProto.FLOAT, [1, 4096])],
        [weights],
    )
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 20)], ir_version=10)
    onnx.save(model, tmp_path / "m.onnx", save_as_external_data=True, location="m.data")
    monkeypatch.chdir(tmp_path)

    assert (tmp_path / "m.data").stat().st_size >= 4 * 4096
    with pytest.raises(InspectionError, match=r"m\.onnx: ONNX Runtime .* cannot load it"):
        OnnxSession(Path("m.onnx"))


@pytest.mark.parametrize("content", [b"", b"no model at all"], ids=["empty", "text"])
def test_a_file_that_is_no_model_is_named_with_the_remedy(tmp_path: Path, content: bytes) -> None:
    (tmp_path / "m.onnx").write_bytes(content)
    with pytest.raises(InspectionError, match=r"m\.onnx: ONNX Runtime .* cannot load it"):
        OnnxSession(tmp_path / "m.onnx")
