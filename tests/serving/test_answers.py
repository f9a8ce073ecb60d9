import base64
import hashlib
import zlib

import numpy as np
import pytest
from starlette.testclient import TestClient

from benchmarks.attacks.pictures import chunk
from benchmarks.attacks.pictures import png as structured_png
from inspection.images import decode
from inspection.runtime.detectors import BEYOND
from inspection.runtime.views import View
from serving.champion import Served
from tests.bundles import UNUSUAL, draw_jpeg, draw_part
from tests.serving.requests import as_files, code_of, png


@pytest.mark.parametrize("defect", ["normal", "dent", "slide", "under_press"])
def test_the_service_answers_what_the_inspector_says(
    client: TestClient, served: Served, defect: str
) -> None:
    content = draw_jpeg(defect)
    answer = client.post("/inspect", files=as_files(content)).json()
    said = served.inspector.inspect([View("0.jpg", content)])
    (view,), (seen,) = answer["views"], said.views
    for key in ("verdict", "label", "cause", "worst_view"):
        assert answer[key] == getattr(said, key)
    for key in ("name", "sha256", "verdict", "label", "verdicts", "reasons"):
        assert view[key] == getattr(seen, key)
    assert view["scores"] == pytest.approx(seen.scores)
    assert view["probabilities"] == pytest.approx(seen.probabilities)
    assert [(box["x_px"], box["y_px"]) for box in view["boxes"]] == [
        (found.box.x_px, found.box.y_px) for found in seen.boxes
    ]


def test_a_defect_is_boxed_where_it_was_drawn(client: TestClient) -> None:
    answer = client.post("/inspect", files=as_files(draw_jpeg("dent"))).json()
    assert (answer["verdict"], answer["label"]) == ("reject", "dent")
    (box,) = answer["views"][0]["boxes"]
    assert [box[key] for key in ("x_px", "y_px", "width_px", "height_px")] == [84, 112, 24, 24]


def test_the_worst_view_decides_and_is_named(client: TestClient) -> None:
    files = as_files(*(draw_jpeg(kind) for kind in ("normal", "slide", "normal")))
    answer = client.post("/inspect", files=files).json()
    assert (answer["verdict"], answer["label"]) == ("reject", "slide")
    assert answer["worst_view"] == "1.jpg"
    assert [view["verdict"] for view in answer["views"]] == ["pass", "reject", "pass"]


def test_a_view_without_the_part_goes_to_review_with_reasons(client: TestClient) -> None:
    black = zlib.compress(bytes(257 * 256))
    answer = client.post("/inspect", files=as_files(png(256, 256, black))).json()
    assert answer["verdict"] == "review"
    assert len(answer["views"][0]["reasons"]) == 2
    assert answer["views"][0]["scores"] == {}


def test_the_answer_tells_model_input_and_thresholds(client: TestClient, served: Served) -> None:
    content = draw_jpeg()
    answer = client.post("/inspect", files=as_files(content)).json()
    assert answer["model"] == {
        "line": "test-line",
        "version": "test-1",
        "release": "1",
        "card_sha256": served.card_sha256,
    }
    assert answer["views"][0]["sha256"] == hashlib.sha256(content).hexdigest()
    assert answer["views"][0]["thresholds"] == {
        "fused": {"accept_below": 0.3, "reject_above": 0.9},
        "anomaly": {"accept_below": UNUSUAL, "reject_above": BEYOND},
    }


def test_heatmaps_come_only_when_asked_for(client: TestClient) -> None:
    for query, expected in (("", False), ("?heatmap=false", False), ("?heatmap=true", True)):
        answer = client.post(f"/inspect{query}", files=as_files(draw_jpeg())).json()
        (view,) = answer["views"]
        assert ("heatmaps" in view) is expected
        assert ("heat_recipes" in view) is expected


def test_heat_comes_from_both_detectors_with_the_name_of_its_recipe(
    client: TestClient,
) -> None:
    answer = client.post("/inspect?heatmap=true", files=as_files(draw_jpeg("dent"))).json()
    (view,) = answer["views"]
    assert set(view["heatmaps"]) == {"classifier", "anomaly"}
    assert view["heat_recipes"] == {
        "classifier": "drawn on brightness", "anomaly": "padim on filters features"
    }  # fmt: skip


def test_a_heatmap_is_warm_on_the_defect_and_grey_on_a_good_part(client: TestClient) -> None:
    def colour(defect: str) -> tuple[float, float]:
        answer = client.post("/inspect?heatmap=true", files=as_files(draw_jpeg(defect))).json()
        picture = decode(base64.b64decode(answer["views"][0]["heatmaps"]["classifier"]), channels=3)
        assert picture.shape == (80, 160, 3)
        spread = np.ptp(picture.astype(int), axis=2)
        return float(spread[24:48, 64:88].mean()), float(spread[:, :40].mean())

    assert colour("dent")[0] > 40
    assert max(colour("normal")) < 1
    assert colour("dent")[1] < 1


BAD_FILES = {
    "empty": (b"", 422, "empty"),
    "truncated": (draw_jpeg()[:-2000], 422, "truncated"),
    "text": (b"not a picture at all", 422, "not_an_image"),
    "html": (b"<html>404</html>", 422, "not_an_image"),
    "svg that names a file": (
        b"<svg xmlns:xlink='http://www.w3.org/1999/xlink'><image xlink:href='/etc/passwd'/></svg>",
        422,
        "not_an_image",
    ),
    "more chunks than any camera writes": (
        structured_png(40, 30, extra=chunk(b"abCd") * 20_000),
        422,
        "corrupt",
    ),
    "bomb of 10 gigapixels": (png(100_000, 100_000), 413, "too_large"),
}


@pytest.mark.parametrize(("content", "status", "code"), BAD_FILES.values(), ids=BAD_FILES)
def test_a_bad_file_is_refused_with_its_name_and_reason(
    client: TestClient, content: bytes, status: int, code: str
) -> None:
    response = client.post("/inspect", files=as_files(draw_jpeg(), content))
    assert (response.status_code, code_of(response)) == (status, code)
    assert response.json()["error"]["message"].startswith("1.jpg: ")


def test_every_bad_file_is_named_at_once(client: TestClient) -> None:
    response = client.post("/inspect", files=as_files(b"", draw_jpeg(), b"text"))
    lines = response.json()["error"]["message"].splitlines()
    assert [line.split(":")[0] for line in lines] == ["0.jpg", "2.jpg"]


@pytest.mark.parametrize("size", [(1, 1), (1, 3000), (3000, 1), (17, 13)])
def test_a_tiny_or_thin_frame_gets_a_verdict(client: TestClient, size: tuple[int, int]) -> None:
    width, height = size
    data = zlib.compress((b"\0" + b"\xc8" * width) * height)
    response = client.post("/inspect", files=as_files(png(width, height, data)))
    assert response.status_code == 200


def test_colour_and_sixteen_bit_frames_get_the_verdict_of_the_grey_one(client: TestClient) -> None:
    import cv2

    frame = draw_part("dent")
    deep = frame.astype(np.uint16) * 257
    colour = np.repeat(frame[:, :, None], 3, axis=2)
    files = as_files(*(cv2.imencode(".png", image)[1].tobytes() for image in (frame, deep, colour)))
    views = client.post("/inspect", files=files).json()["views"]
    assert [view["label"] for view in views] == ["dent"] * 3
    assert len({round(view["scores"]["classifier"], 4) for view in views}) == 1
