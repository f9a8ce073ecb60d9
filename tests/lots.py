"""A project with a champion and params, and folders of frames of drawn parts."""

import os
from collections.abc import Iterable
from functools import cache
from pathlib import Path
from typing import Any

from ruamel.yaml import YAML

from inspection.runtime.releases import promote, release
from pipelines.lots.journal import Journal
from stages import sections
from tests.architecture import ROOT
from tests.bundles import draw_jpeg, make_bundle, sample_line

PATTERN = "(?P<camera>[^_]+)_(?P<part>[^_]+)_(?P<label>[^_]+)"
LAYOUT: dict[str, Any] = {
    "layout": "flat",
    "images": ["images/*"],
    "pattern": PATTERN,
    "part_from": {"rule": "pattern", "group": "part"},
}
LABELS = ("normal", "dent", "slide", "under_press")


def make_project(folder: Path, **validate: Any) -> Path:
    """A folder with params.yaml and a champion, release 1."""
    line = sample_line().model_dump(mode="json", exclude_defaults=True)
    params: dict[str, Any] = {name: {} for name in sections.SECTIONS}
    params |= {"line": line, "validate": LAYOUT | validate}
    with (folder / "params.yaml").open("w", encoding="utf-8") as file:
        YAML().dump(params, file)
    promote_new(folder, "1")
    return folder


def promote_new(folder: Path, version: str) -> None:
    """Let a release of this name serve, with a card of its own."""
    make_bundle(folder / "bundle", version=version)
    release(folder / "bundle", folder / "models/releases", version)
    promote(folder / "models/releases", version)


def put_parts(folder: Path, numbers: Iterable[int]) -> list[Path]:
    """Two frames of each part, one a camera; every fourth part is good, from 0 on."""
    folder.mkdir(parents=True, exist_ok=True)
    paths = []
    for number in numbers:
        kind = LABELS[number % 4]
        for camera in ("Ch00", "Ch01"):
            path = folder / f"{camera}_{number:04d}_{number % 10}.jpg"
            path.write_bytes(_jpeg(kind, number % 8))
            paths.append(path)
    return paths


def environment() -> dict[str, str]:
    """What a command that a test starts elsewhere needs to find the project's modules."""
    return os.environ | {"PYTHONPATH": str(ROOT)}


@cache
def _jpeg(kind: str, seed: int) -> bytes:
    return draw_jpeg(kind, seed=seed)


def add_passed(journal: Journal, *part_ids: str, to_send: bool) -> None:
    """Note that parts without a frame have passed."""
    for part_id in part_ids:
        row = {"part_id": part_id, "verdict": "pass", "error": "", "views": []}
        journal.add(row, {}, to_send=to_send)
