"""A tiny real bundle, and the parts it knows: bright spots on a grey rod with a bright rivet.

Its models are ONNX graphs made by hand. They read local brightness, so a test knows the answer:
a spot of 250 on the rod is a dent, one of 180 a slide, one of 250 on the rivet is under_press.
"""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
import onnx
import simplejpeg
from onnx import TensorProto, helper, numpy_helper

from inspection.geometry import Box, Image
from inspection.line import Line
from inspection.runtime.bundle import SCHEMA_VERSION, Card, LocatorCard, Settings, write_card
from inspection.runtime.detectors import (
    BEYOND,
    DetectorCard,
    HeatScale,
    StandardScore,
    TemperatureScaling,
    Thresholds,
)
from inspection.runtime.fusion import Fusion, RegionWeighting
from inspection.storage import sha256_of

FRAME_SIZE_PX = (320, 256)
ROD = Box(20, 88, 160, 80)
RIVET = Box(212, 88, 80, 80)
DENT, SLIDE = 250, 180
CELL_PX = 8
UNUSUAL = 2.5  # of the anomaly score, from which a part is reviewed whatever else is known


def sample_line(**changes: Any) -> Line:
    """A line with a rod, whose dents and slides are told apart, and a rivet."""
    return Line.model_validate(
        {
            "name": "test-line",
            "normal": "normal",
            "classes": {
                "normal": {},
                "dent": {},
                "slide": {},
                "under_press": {},
            },
            "causes": {
                "dent": "the part fell in transfer",
                "slide": "pushed by a machine",
                "under_press": "press",
            },
            "regions": {
                "rod": {"size_px": [160, 80], "shows": ["dent", "slide"]},
                "rivet": {"size_px": [80, 80], "shows": ["under_press"]},
            },
            "classify": "rod",
            "detect_anomalies": "rivet",
        }
        | changes
    )


def draw_part(
    defect: str = "normal", *, at_px: tuple[int, int] | None = None, seed: int = 0
) -> Image:
    """A frame (256, 320) of a part; the defect is a spot of 24 x 24 px with its corner `at_px`."""
    frame = np.random.default_rng(seed).integers(0, 12, FRAME_SIZE_PX[::-1]).astype(np.uint8)
    for box, grey in ((ROD, 120), (RIVET, 200)):
        _paint(frame, box, grey)
    places = {
        "dent": ((84, 112), DENT),
        "slide": ((84, 112), SLIDE),
        "under_press": ((236, 112), DENT),
    }
    if defect in places:
        usual, grey = places[defect]
        _paint(frame, Box(*(at_px or usual), 24, 24), grey)
    return frame


def draw_jpeg(defect: str = "normal", *, seed: int = 0) -> bytes:
    """The bytes of a JPEG file that shows a part."""
    frame = np.ascontiguousarray(draw_part(defect, seed=seed)[:, :, None])
    return simplejpeg.encode_jpeg(frame, quality=95, colorspace="GRAY", fastdct=False)


def make_bundle(folder: Path, *, version: str = "test-1", line: Line | None = None) -> Card:
    """Write a bundle that knows the parts of `draw_part`, and return its card."""
    folder.mkdir(parents=True, exist_ok=True)
    onnx.save(_classifier(), folder / "classifier.onnx")
    onnx.save(_anomaly(), folder / "anomaly.onnx")
    onnx.save(_locator(), folder / "locator.onnx")
    files = ("classifier.onnx", "anomaly.onnx", "locator.onnx")
    card = Card(
        schema_version=SCHEMA_VERSION,
        version=version,
        line=line or sample_line(),
        locator=LocatorCard(file="locator.onnx", regions=("rod", "rivet"), size_px=FRAME_SIZE_PX),
        detectors={"classifier": _classifier_card(), "anomaly": _anomaly_card()},
        fusion=_fusion(),
        costs={},
        metrics={},
        parity={},
        lineage={},
        files={name: sha256_of(folder / name) for name in files},
    )
    write_card(folder, card)
    return card


def sample_settings() -> Settings:
    """What judges the parts of `draw_part`, without the models' files."""
    return Settings(
        line=sample_line(),
        locator=None,
        detectors={"classifier": _classifier_card(), "anomaly": _anomaly_card()},
        fusion=_fusion(),
    )


def settings_of_two_anomaly_regions() -> Settings:
    """The same for a line that looks for anomalies on the rod, too.

    The anomaly detectors add up alike, and both call for a review from UNUSUAL on.
    """
    line = sample_line(detect_anomalies=["rod", "rivet"])
    on_rivet = _anomaly_card()
    on_rod = on_rivet.model_copy(update={"file": "anomaly_rod.onnx", "region": "rod"})
    of_rod = RegionWeighting(weights={"classifier": 1.0, "anomaly_rod": 2.0}, intercept=0.0)
    of_rivet = RegionWeighting(weights={"anomaly_rivet": 2.0}, intercept=-3.0)
    usual = {"classifier": -3.0, "anomaly_rod": 0.0, "anomaly_rivet": 0.0}
    fusion = _fusion().model_copy(
        update={"regions": {"rod": of_rod, "rivet": of_rivet}, "usual": usual}
    )
    return Settings(
        line=line,
        locator=None,
        detectors={
            "anomaly_rivet": on_rivet, "anomaly_rod": on_rod, "classifier": _classifier_card(),
        },
        fusion=fusion,
    )  # fmt: skip


def changed_detector(card: Card, name: str, **changes: Any) -> Card:
    """The card with these fields of a detector."""
    detector = card.detectors[name].model_copy(update=changes)
    return card.model_copy(update={"detectors": card.detectors | {name: detector}})


def changed_thresholds(card: Card, accept_below: float, reject_above: float) -> Card:
    """The card with these thresholds on the fused score."""
    thresholds = Thresholds(accept_below=accept_below, reject_above=reject_above)
    fusion = card.fusion.model_copy(update={"thresholds": thresholds})
    return card.model_copy(update={"fusion": fusion})


def _classifier_card() -> DetectorCard:
    return DetectorCard(
        file="classifier.onnx",
        region="rod",
        classes=("normal", "dent", "slide"),
        calibration=TemperatureScaling(temperature=1.0),
        thresholds=None,
        heat=HeatScale(cold=-2.0, hot=3.0, box_threshold=0.5),
        evidence={"method": "drawn", "layer": "brightness"},
    )


def _anomaly_card() -> DetectorCard:
    return DetectorCard(
        file="anomaly.onnx",
        region="rivet",
        calibration=StandardScore(mean=0.0, std=1.0),
        thresholds=Thresholds(accept_below=UNUSUAL, reject_above=BEYOND),
        heat=HeatScale(cold=0.0, hot=4.0, box_threshold=0.5),
        evidence={"features": "filters"},
    )


def _fusion() -> Fusion:
    """A good part has 0.05, a dent, a slide or a loose rivet more than 0.95."""
    return Fusion(
        regions={
            "rod": RegionWeighting(weights={"classifier": 1.0}, intercept=0.0),
            "rivet": RegionWeighting(weights={"anomaly": 2.0}, intercept=-3.0),
        },
        usual={"classifier": -3.0, "anomaly": 0.0},
        thresholds=Thresholds(accept_below=0.3, reject_above=0.9),
        evidence={"n_defective": 3, "n_normal": 3},
    )


def _paint(frame: Image, box: Box, grey: int) -> None:
    x, y = int(box.x_px), int(box.y_px)
    frame[y : y + int(box.height_px), x : x + int(box.width_px)] = grey


def _classifier() -> onnx.ModelProto:
    """Heat of dents rises above a brightness of 215; slides lie between 150 and 215."""
    nodes = [
        *_brightness("crops"),
        *_line("dent", slope=0.1, zero_at=215),
        *_line("above", slope=0.1, zero_at=150),
        *_line("below", slope=-0.1, zero_at=215),
        helper.make_node("Min", ["above", "below"], ["slide"]),
        helper.make_node("Concat", ["dent", "slide"], ["heat"], axis=1),
        helper.make_node("ReduceMax", ["heat", "places"], ["defects"], keepdims=0),
        helper.make_node("ReduceMax", ["dent", "places"], ["any"], keepdims=0),
        helper.make_node("Mul", ["any", "zero"], ["normal"]),
        helper.make_node("Concat", ["normal", "defects"], ["logits"], axis=1),
    ]
    constants = {
        "places": np.array([2, 3], np.int64),
        "zero": np.array(0, np.float32),
    }
    outputs = {"logits": ["n", 3], "heat": ["n", 2, "h", "w"]}
    return _model(nodes, constants, _crops_input(), outputs)


def _anomaly() -> onnx.ModelProto:
    """The score is how far the brightest place lies above 210, in tens."""
    nodes = [
        *_brightness("crops"),
        *_line("map4", slope=0.1, zero_at=210),
        helper.make_node("Relu", ["map4"], ["warm"]),
        helper.make_node("ReduceMax", ["warm", "rest"], ["score"], keepdims=0),
        helper.make_node("Squeeze", ["warm", "channel"], ["anomaly_map"]),
    ]
    constants = {"rest": np.array([1, 2, 3], np.int64), "channel": np.array([1], np.int64)}
    outputs = {"score": ["n"], "anomaly_map": ["n", "h", "w"]}
    return _model(nodes, constants, _crops_input(), outputs)


def _locator() -> onnx.ModelProto:
    """The rod is what is bright left of column 196, the rivet what is bright right of it."""
    width, height = FRAME_SIZE_PX[0] // 4, FRAME_SIZE_PX[1] // 4
    sides = np.zeros((1, 2, height, width), np.float32)
    sides[:, 0, :, : 196 // 4] = 1
    sides[:, 1, :, 196 // 4 :] = 1
    nodes = [
        helper.make_node("Cast", ["frames"], ["floats"], to=TensorProto.FLOAT),
        helper.make_node("Unsqueeze", ["floats", "channel"], ["stacked"]),
        helper.make_node(
            "AveragePool", ["stacked"], ["brightness"], kernel_shape=[4, 4], strides=[4, 4]
        ),
        *_line("odds", slope=0.2, zero_at=60),
        helper.make_node("Sigmoid", ["odds"], ["bright"]),
        helper.make_node("Mul", ["bright", "sides"], ["probability"]),
    ]
    constants = {"channel": np.array([1], np.int64), "sides": sides}
    frames = ("frames", ["n", FRAME_SIZE_PX[1], FRAME_SIZE_PX[0]])
    return _model(nodes, constants, frames, {"probability": ["n", 2, height, width]})


def _brightness(crops: str) -> list[onnx.NodeProto]:
    """Nodes from crops (N, H, W, C) to the mean of each cell: (N, 1, H / 8, W / 8)."""
    size = [CELL_PX, CELL_PX]
    return [
        helper.make_node("Cast", [crops], ["floats"], to=TensorProto.FLOAT),
        helper.make_node("Transpose", ["floats"], ["planes"], perm=[0, 3, 1, 2]),
        helper.make_node("AveragePool", ["planes"], ["colours"], kernel_shape=size, strides=size),
        helper.make_node(
            "Constant", [], ["colour"], value=numpy_helper.from_array(np.array([1], np.int64))
        ),
        helper.make_node("ReduceMean", ["colours", "colour"], ["brightness"], keepdims=1),
    ]


def _line(name: str, *, slope: float, zero_at: float) -> list[onnx.NodeProto]:
    """Nodes for slope * (brightness - zero_at)."""
    return [
        _constant(f"{name}_zero", zero_at),
        _constant(f"{name}_slope", slope),
        helper.make_node("Sub", ["brightness", f"{name}_zero"], [f"{name}_above"]),
        helper.make_node("Mul", [f"{name}_above", f"{name}_slope"], [name]),
    ]


def _constant(name: str, value: float) -> onnx.NodeProto:
    return helper.make_node(
        "Constant", [], [name], value=numpy_helper.from_array(np.array(value, np.float32))
    )


def _crops_input() -> tuple[str, list[Any]]:
    return "crops", ["n", "height", "width", "channels"]


def _model(
    nodes: list[onnx.NodeProto],
    constants: Mapping[str, Any],
    source: tuple[str, list[Any]],
    outputs: dict[str, list[Any]],
) -> onnx.ModelProto:
    graph = helper.make_graph(
        nodes,
        "drawn",
        [helper.make_tensor_value_info(source[0], TensorProto.UINT8, source[1])],
        [
            helper.make_tensor_value_info(name, TensorProto.FLOAT, shape)
            for name, shape in outputs.items()
        ],
        [numpy_helper.from_array(value, name) for name, value in constants.items()],
    )
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 18)], ir_version=10)
    onnx.checker.check_model(model)
    return model
