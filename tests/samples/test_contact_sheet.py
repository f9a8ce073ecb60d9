from __future__ import annotations

import json
from pathlib import Path

import cv2
import pytest

from samples.contact_sheet import AMBER, CAPTIONS, MAX_BYTES, ROW_PX, contact_sheet, main
from samples.parts import CLASSES
from tests.samples.conftest import Line


def test_every_class_has_a_row_and_each_defect_its_true_box(line: Line) -> None:
    sheet = contact_sheet(line.data / "images", line.views, pick=0)
    assert tuple(CAPTIONS) == CLASSES
    assert sheet.shape[0] == 34 + ROW_PX * len(CLASSES)
    for row, label in enumerate(CAPTIONS):
        part = sheet[34 + row * ROW_PX : 34 + (row + 1) * ROW_PX]
        boxed = (abs(part.astype(int) - AMBER).max(axis=2) < 12).any()
        assert boxed == (label != "normal")


def test_the_sheet_fits_into_a_readme(line: Line, tmp_path: Path) -> None:
    out = tmp_path / "docs" / "sheet.jpg"
    assert main(["--data", str(line.data), "--truth", str(line.truth_dir), "--out", str(out)]) == 0
    assert 20_000 < out.stat().st_size <= MAX_BYTES
    assert cv2.imread(str(out)) is not None


def test_a_line_without_a_sound_view_of_a_class_is_refused_in_words(
    line: Line, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    spoiled = {
        name: view | {"spoiled": view["true_class"] == "slide"} for name, view in line.views.items()
    }
    (tmp_path / "truth.json").write_text(json.dumps({"views": spoiled}), encoding="utf-8")
    assert main(["--data", str(line.data), "--truth", str(tmp_path)]) == 1
    assert "no camera shows a sound view of class slide; draw more parts" in caplog.text


def test_without_a_drawn_line_the_remedy_is_named(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    assert main(["--data", str(tmp_path), "--truth", str(tmp_path)]) == 1
    assert "draw a line first with python -m samples.draw" in caplog.text
