"""The crop stage's way and the inspector's way, both real, and each sabotaged in turn."""

from collections.abc import Callable
from typing import Any

import cv2
import numpy as np
import pandas as pd
import pytest

from inspection import geometry
from inspection.errors import InspectionError
from inspection.evaluation.golden.frames import (
    StoredCrops,
    golden_frames,
    require_same_crops,
)
from inspection.geometry import CropWindow, Image
from inspection.models.crops import Crops, window_columns
from inspection.runtime import framing
from inspection.runtime import inspector as inspector_module
from inspection.runtime.inspector import Inspector
from inspection.runtime.views import View
from tests.bundles import draw_part, make_bundle, sample_line
from tests.pictures import encoded

PATHS = [f"{kind}.png" for kind in ("normal", "dent", "slide", "under_press")]


def textured(path: str) -> Image:
    """A drawn part with texture on it, so that a shift or another interpolation shows."""
    grain = np.random.default_rng(0).integers(0, 30, (256, 320))
    return (draw_part(path.split(".")[0]) * 0.8 + grain).astype(np.uint8)


VIEWS = [View(path, encoded(textured(path))) for path in PATHS]


@pytest.fixture(scope="module")
def inspector(tmp_path_factory: pytest.TempPathFactory) -> Inspector:
    """Of a line whose parts lie the wrong way round: every crop is turned, and made smaller."""
    folder = tmp_path_factory.mktemp("bundle")
    line = sample_line()
    regions = {
        name: region.model_copy(update={"size_px": (96, 64)})
        for name, region in line.regions.items()
    }
    changes = {"orient": ("rivet", "rod"), "regions": regions}
    make_bundle(folder, line=line.model_copy(update=changes))
    return Inspector(folder)


@pytest.fixture(scope="module")
def stored(inspector: Inspector) -> StoredCrops:
    """The crops as the crop stage stores them: cut from what is read of the file."""
    measured = [inspector.measure(view) for view in VIEWS]
    crops = {}
    for region in ("rod", "rivet"):
        images = [
            geometry.cut(textured(view.name), view.windows[region])[:, :, None] for view in measured
        ]
        rows = [row(view.name, view.windows[region]) for view in measured]
        crops[region] = crops_of(images, rows)
    return golden_frames(crops)


def row(path: str, window: CropWindow, framed_by: str = "located") -> dict[str, Any]:
    return {"path": path, "framed_by": framed_by, **window_columns(window)}


def crops_of(images: list[Image], rows: list[dict[str, Any]]) -> Crops:
    return Crops(np.stack(images), np.zeros((len(rows), 1, 1), np.uint8), pd.DataFrame(rows))


def check(inspector: Inspector, stored: StoredCrops) -> None:
    require_same_crops(stored, {"1": [inspector.measure(view) for view in VIEWS]})


def test_the_inspector_crops_as_the_crop_stage_does(
    inspector: Inspector, stored: StoredCrops
) -> None:
    assert list(stored) == PATHS
    assert all(crop.window.turned for by_region in stored.values() for crop in by_region.values())
    check(inspector, stored)


def without_turning(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(framing, "is_turned", lambda boxes, orient: False)


def twenty_pixels_off(monkeypatch: pytest.MonkeyPatch) -> None:
    honest = framing.box_from_mask

    def shifted(*arguments: Any) -> Any:
        found = honest(*arguments)
        if found is None:
            return None
        box, confidence = found
        return geometry.Box(box.x_px + 20, box.y_px, box.width_px, box.height_px), confidence

    monkeypatch.setattr(framing, "box_from_mask", shifted)


def with_a_gain(monkeypatch: pytest.MonkeyPatch) -> None:
    honest = framing.cut

    def brightened(*arguments: Any) -> Image:
        return np.clip(1.3 * honest(*arguments), 0, 255).astype(np.uint8)

    monkeypatch.setattr(framing, "cut", brightened)


def with_another_interpolation(monkeypatch: pytest.MonkeyPatch) -> None:
    honest = cv2.resize
    for name in ("INTER_AREA", "INTER_LINEAR"):
        monkeypatch.setattr(geometry.cv2, name, cv2.INTER_NEAREST)
    # The locator goes on as before: only crops are cut with the other one.
    monkeypatch.setattr(
        inspector_module,
        "locator_input",
        lambda frame, size_px: honest(frame, size_px, interpolation=3),
    )


@pytest.mark.parametrize(
    ("sabotage", "said"),
    [
        (without_turning, "is turned by one of the two alone"),
        (twenty_pixels_off, "is cut at"),
        (with_a_gain, "grey levels"),
        (with_another_interpolation, "grey levels"),
    ],
)
def test_an_inspector_that_crops_otherwise_is_stopped(
    inspector: Inspector,
    stored: StoredCrops,
    monkeypatch: pytest.MonkeyPatch,
    sabotage: Callable[[pytest.MonkeyPatch], None],
    said: str,
) -> None:
    sabotage(monkeypatch)
    with pytest.raises(InspectionError) as caught:
        check(inspector, stored)
    problems = str(caught.value).splitlines()
    assert len(problems) == 2 * len(PATHS)
    assert all(said in problem and "do not deploy" in problem for problem in problems)


def test_a_region_that_one_of_the_two_does_not_find_is_named(
    inspector: Inspector, stored: StoredCrops
) -> None:
    blind = {path: {"rod": by_region["rod"]} for path, by_region in stored.items()}
    with pytest.raises(InspectionError, match="rivet is found by the inspector alone"):
        check(inspector, blind)
    dark = [View(path, encoded(np.zeros((256, 320), np.uint8))) for path in PATHS]
    with pytest.raises(InspectionError, match="rod is found by stage crop alone"):
        require_same_crops(stored, {"1": [inspector.measure(view) for view in dark]})


def test_a_frame_that_was_not_measured_is_no_agreement(stored: StoredCrops) -> None:
    with pytest.raises(InspectionError, match="were not measured"):
        require_same_crops(stored, {})


def test_a_view_that_a_label_framed_is_left_out_and_the_others_are_drawn_evenly() -> None:
    window = CropWindow(0, 0, 8, 8, size_px=(8, 8))
    paths = [f"{n:03}" for n in range(101)]
    image = np.zeros((8, 8, 1), np.uint8)
    located = crops_of([image] * 101, [row(path, window) for path in paths])
    labelled = crops_of([image], [row("100", window, "labelled")])
    found = golden_frames({"rod": located, "rivet": labelled})
    assert len(found) == 16
    assert (min(found), max(found)) == ("000", "099")
    assert golden_frames({"rivet": labelled}) == {}
