import hashlib
from pathlib import Path

import cv2
import numpy as np
import pytest

from inspection.errors import InspectionError
from inspection.geometry import Box, intersection_over_union
from inspection.images import ImageError
from inspection.runtime import inspector as module
from inspection.runtime.bundle import CARD, Card, read_card, verified
from inspection.runtime.inspector import Inspector
from inspection.runtime.verdict import PartVerdict, judge_view
from inspection.runtime.views import View
from inspection.storage import sha256_of
from tests.bundles import RIVET, ROD, draw_part, make_bundle, sample_line
from tests.pictures import encoded

SPOT_PX = 24


@pytest.fixture(scope="module")
def inspector(tmp_path_factory: pytest.TempPathFactory) -> Inspector:
    folder = tmp_path_factory.mktemp("bundle")
    make_bundle(folder)
    return Inspector(folder)


def view(defect: str = "normal", *, name: str = "top", **place: tuple[int, int]) -> View:
    return View(name, encoded(draw_part(defect, **place)))


def inspected(inspector: Inspector, *views: View) -> PartVerdict:
    return inspector.inspect(list(views))


@pytest.mark.parametrize(
    ("defect", "verdict", "cause"),
    [
        ("normal", "pass", ""),
        ("dent", "reject", "the part fell in transfer"),
        ("slide", "reject", "pushed by a machine"),
        ("under_press", "reject", "press"),
    ],
)
def test_a_drawn_part_gets_its_verdict_label_and_cause(
    inspector: Inspector, defect: str, verdict: str, cause: str
) -> None:
    part = inspected(inspector, view(defect))
    assert (part.verdict, part.label, part.cause) == (verdict, defect, cause)


@pytest.mark.parametrize("corner", [(40, 96), (84, 112), (140, 136)], ids=str)
def test_a_drawn_dent_is_boxed_where_it_lies_in_the_frame(
    inspector: Inspector, corner: tuple[int, int]
) -> None:
    [box] = inspected(inspector, view("dent", at_px=corner)).views[0].boxes
    assert (box.region, box.found_by) == ("rod", "classifier")
    assert intersection_over_union(box.box, Box(*corner, SPOT_PX, SPOT_PX)) > 0.5


def test_a_defect_of_the_rivet_is_boxed_by_the_anomaly_model(inspector: Inspector) -> None:
    [box] = inspected(inspector, view("under_press")).views[0].boxes
    assert (box.region, box.found_by) == ("rivet", "anomaly")
    assert intersection_over_union(box.box, Box(236, 112, SPOT_PX, SPOT_PX)) > 0.5


def test_a_normal_part_has_no_boxes_and_no_reasons(inspector: Inspector) -> None:
    seen = inspected(inspector, view()).views[0]
    assert (seen.boxes, seen.reasons) == ([], [])


def test_regions_are_found_where_they_were_drawn(inspector: Inspector) -> None:
    windows = inspector.measure(view()).windows
    for region, drawn in (("rod", ROD), ("rivet", RIVET)):
        window = windows[region]
        found = Box(window.x_px, window.y_px, window.width_px, window.height_px)
        assert intersection_over_union(found, drawn) > 0.9


def test_a_larger_frame_of_the_same_part_is_boxed_in_its_own_pixels(inspector: Inspector) -> None:
    double = cv2.resize(draw_part("dent"), None, fx=2, fy=2, interpolation=cv2.INTER_NEAREST)
    [box] = inspected(inspector, View("large", encoded(double))).views[0].boxes
    assert intersection_over_union(box.box, Box(168, 224, 48, 48)) > 0.5


def test_a_part_is_as_bad_as_its_worst_view(inspector: Inspector) -> None:
    part = inspected(inspector, view(name="a"), view("dent", name="b"), view(name="c"))
    assert (part.verdict, part.worst_view, part.label) == ("reject", "b", "dent")
    assert [seen.verdict for seen in part.views] == ["pass", "reject", "pass"]


def test_a_region_that_is_not_found_goes_to_review_and_says_so(inspector: Inspector) -> None:
    frame = draw_part()
    frame[:, 200:] = 0
    seen = inspected(inspector, View("no rivet", encoded(frame))).views[0]
    assert seen.verdict == "review"
    assert set(seen.scores) == {"fused", "classifier"}
    assert seen.reasons[0].startswith("rivet: not found in the frame; look at it")


def test_an_empty_frame_is_reviewed_not_passed(inspector: Inspector) -> None:
    part = inspected(inspector, View("dark", encoded(np.zeros((256, 320), np.uint8))))
    assert part.verdict == "review"
    assert len(part.views[0].reasons) == 2


def test_a_defect_still_rejects_where_another_region_is_missing(inspector: Inspector) -> None:
    frame = draw_part("dent")
    frame[:, 200:] = 0
    part = inspected(inspector, View("no rivet", encoded(frame)))
    assert (part.verdict, part.label) == ("reject", "dent")


def test_the_verdict_names_the_bytes_that_were_inspected(inspector: Inspector) -> None:
    seen = inspected(inspector, view()).views[0]
    assert seen.sha256 == hashlib.sha256(view().content).hexdigest()


def test_no_view_at_all_is_refused(inspector: Inspector) -> None:
    with pytest.raises(InspectionError, match="views: none given; send at least one"):
        inspector.inspect([])


def test_bytes_that_are_no_image_are_refused(inspector: Inspector) -> None:
    with pytest.raises(ImageError, match="not a JPEG"):
        inspected(inspector, view(), View("text", b"hello"))


def test_a_bundle_loaded_afresh_says_the_same(inspector: Inspector, tmp_path: Path) -> None:
    make_bundle(tmp_path)
    again = Inspector(tmp_path).inspect([view("slide")])
    before = inspected(inspector, view("slide"))
    assert again.views[0].scores == before.views[0].scores
    assert again.views[0].boxes == before.views[0].boxes


def test_a_part_the_wrong_way_round_is_turned_and_its_box_is_turned_back(tmp_path: Path) -> None:
    line = sample_line().model_copy(update={"orient": ("rivet", "rod")})
    make_bundle(tmp_path / "turning", line=line)
    make_bundle(tmp_path / "plain")
    turning, plain = (Inspector(tmp_path / name) for name in ("turning", "plain"))
    turned, upright = (one.measure(view("dent")) for one in (turning, plain))
    assert all(window.turned for window in turned.windows.values())
    np.testing.assert_array_equal(turned.crops["rod"], np.rot90(upright.crops["rod"], 2))
    boxes = [judge_view(one, plain.card).boxes[0].box for one in (turned, upright)]
    assert intersection_over_union(*boxes) > 0.8


def test_a_camera_of_twelve_bits_gets_the_verdict_of_eight(tmp_path: Path) -> None:
    make_bundle(tmp_path / "plain")
    make_bundle(tmp_path / "deep", line=sample_line().model_copy(update={"bit_depth": 12}))
    plain = Inspector(tmp_path / "plain").inspect([view("dent")])
    grey = np.round(draw_part("dent").astype(np.float64) * 4095 / 255).astype(np.uint16)
    part = Inspector(tmp_path / "deep").inspect([View("top", encoded(grey))])
    assert (part.verdict, part.views[0].boxes) == (plain.verdict, plain.views[0].boxes)


def test_a_model_that_is_exchanged_after_its_check_is_never_used(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    make_bundle(tmp_path)
    other = (tmp_path / "classifier.onnx").read_bytes() + b"\x12\x01x"  # another producer name

    def checked_then_exchanged(folder: Path) -> Card:
        card = verified(folder)
        (folder / "classifier.onnx").write_bytes(other)
        return card

    monkeypatch.setattr(module, "verified", checked_then_exchanged)
    with pytest.raises(InspectionError, match=r"classifier\.onnx: its hash is not the one on the"):
        Inspector(tmp_path)


def test_models_that_cannot_be_loaded_are_named_and_not_traced(tmp_path: Path) -> None:
    make_bundle(tmp_path)
    (tmp_path / "classifier.onnx").write_bytes(b"no model at all")
    card = read_card(tmp_path)
    files = card.files | {"classifier.onnx": sha256_of(tmp_path / "classifier.onnx")}
    text = card.model_copy(update={"files": files}).model_dump_json()
    (tmp_path / CARD).write_text(text, encoding="utf-8")
    with pytest.raises(InspectionError, match=r"classifier\.onnx: ONNX Runtime .* cannot load it"):
        Inspector(tmp_path)
