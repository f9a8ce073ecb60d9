"""The production line of the drawn squares, and how a stage is run on it within a test."""

import sys
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest
from ruamel.yaml import YAML

from inspection.line import Line
from tests.squares import SIZE_PX

SQUARES: dict[str, Any] = {
    "name": "squares",
    "normal": "normal",
    "classes": {"normal": {}, "bright": {}, "dark": {}},
    "regions": {
        "part": {"size_px": list(SIZE_PX), "shows": ["bright", "dark"], "whole_frame": True}
    },
    "classify": "part",
    "detect_anomalies": "part",
    "channels": 1,
    "bit_depth": 16,
    "max_pixels": 64_000_000,
    "orient": None,
}


# One region, which is classified and watched, and one defect that shows in it.
DENTED_LINE = Line.model_validate(
    {
        "name": "line",
        "normal": "normal",
        "classes": {"normal": {}, "dent": {}},
        "regions": {"knurling": {"size_px": [32, 32], "shows": ["dent"]}},
        "classify": "knurling",
        "detect_anomalies": "knurling",
    }
)


def squares_line(**changes: Any) -> Line:
    """The line of tests/squares.py."""
    return Line.model_validate(SQUARES | changes)


def run_stage(
    stage: ModuleType,
    folder: Path,
    monkeypatch: pytest.MonkeyPatch,
    *,
    params: dict[str, Any],
    **paths: str,
) -> None:
    """Run the `main` of a stage in `folder`, with these sections of params.yaml and these paths."""
    monkeypatch.chdir(folder)
    with (folder / "params.yaml").open("w", encoding="utf-8") as file:
        YAML().dump({"line": SQUARES} | params, file)
    flags = [text for name, path in paths.items() for text in (f"--{name}", path)]
    monkeypatch.setattr(sys, "argv", [stage.__name__, *flags])
    stage.main()
