from __future__ import annotations

import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from samples.draw import draw_line

SMALL = (308, 257)


@dataclass(frozen=True)
class Line:
    """A drawn line: where it lies, the truth by file name, and the summary."""

    data: Path
    truth_dir: Path
    views: dict[str, dict[str, Any]]
    summary: dict[str, Any]


def draw(folder: Path, *, parts: int, seed: int = 7, workers: int = 1) -> Line:
    data, truth = folder / "data", folder / "truth"
    draw_line(out=data, truth=truth, n_parts=parts, size=SMALL, seed=seed, workers=workers)
    content = json.loads((truth / "truth.json").read_text(encoding="utf-8"))
    return Line(data, truth, content["views"], content["summary"])


@pytest.fixture(scope="session")
def line(tmp_path_factory: pytest.TempPathFactory) -> Line:
    """A line of 40 parts, the smallest on which every kind of mess has room."""
    return draw(tmp_path_factory.mktemp("line"), parts=40)
