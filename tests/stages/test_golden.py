from pathlib import Path
from types import SimpleNamespace
from typing import cast

import numpy as np
import pytest
import torch

from inspection.errors import InspectionError
from inspection.evaluation.parity import Parity, require_parity
from inspection.geometry import Image
from inspection.models.export import export_locator
from inspection.models.locator import Locator, fit_locator
from inspection.runtime.bundle import LocatorCard, Settings
from stages.exported import Trained
from stages.golden import golden_locator_parity

SIZE = (64, 48)


def frame(left: int, top: int) -> Image:
    """A bright rectangle of 24 x 16 px on a dark frame."""
    drawn = np.full(SIZE[::-1], 20, np.uint8)
    drawn[top : top + 16, left : left + 24] = 200
    return drawn


FRAMES = [frame(left, top) for left in (4, 20, 36) for top in (4, 16, 28)]


@pytest.fixture(scope="module")
def locator() -> Locator:
    """A locator that finds the rectangles."""
    frames = np.stack(FRAMES)
    targets = (frames > 100).reshape(len(frames), 1, 12, 4, 16, 4).mean(axis=(3, 5))
    return fit_locator(
        frames,
        targets.astype(np.float32),
        epochs=60,
        learning_rate=0.02,
        batch_size=9,
        seed=0,
        progress=lambda *_: None,
    )


def parity(deployed: Locator, trained: Locator, folder: Path) -> dict[str, Parity]:
    export_locator(deployed, SIZE, folder / "locator.onnx")
    settings = cast(
        Settings,
        SimpleNamespace(locator=LocatorCard(file="locator.onnx", regions=("rod",), size_px=SIZE)),
    )
    reference = cast(Trained, SimpleNamespace(locator=trained))
    return golden_locator_parity(reference, settings, folder, np.stack(FRAMES))


def test_the_deployed_locator_finds_what_the_trained_one_finds(
    locator: Locator, tmp_path: Path
) -> None:
    reports = parity(locator, locator, tmp_path)
    assert set(reports) == {"locator on onnxruntime", "locator on openvino"}
    assert all(report.n == len(FRAMES) for report in reports.values())
    require_parity(reports, tolerance=1e-3)


def test_another_locator_is_not_deployed(locator: Locator, tmp_path: Path) -> None:
    torch.manual_seed(0)
    with pytest.raises(InspectionError, match=r"locator on onnxruntime: .*do not deploy"):
        require_parity(parity(Locator(1).eval(), locator, tmp_path), tolerance=1e-3)


def test_a_line_that_locates_nothing_has_no_locator_to_compare(tmp_path: Path) -> None:
    without = cast(Trained, SimpleNamespace(locator=None))
    settings = cast(Settings, SimpleNamespace(locator=None))
    assert golden_locator_parity(without, settings, tmp_path, np.stack(FRAMES)) == {}
