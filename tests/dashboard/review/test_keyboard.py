"""A shift at the review desk: twenty suspects by keys, in a real Chromium, and the `dvc repro`."""

import shutil
import subprocess
import sys
from pathlib import Path

import pandas as pd
import pytest
from ruamel.yaml import YAML

from benchmarks.apps.servers import Server
from benchmarks.chromium import Browser, chromium
from inspection.curation.box_reviews import BOX_REVIEW_COLUMNS
from inspection.curation.reviews import REVIEW_COLUMNS
from inspection.runtime.bundle import read_card
from tests.architecture import ROOT
from tests.bundles import draw_jpeg, make_bundle, sample_line
from tests.dashboard.conftest import save
from tests.surroundings import plain_environment

pytestmark = [
    pytest.mark.slow,
    pytest.mark.skipif(chromium() is None, reason="needs Chromium"),
]

CLASSES = ("normal", "dent", "slide", "under_press")
# Of the first parts one view of two bears the next class's name, so that both are held.
N_PARTS, N_MISNAMED = 22, 10
N_SUSPECTS = 2 * N_MISNAMED
MANIFEST = "artifacts/labels/manifest.parquet"
PAGE = "document.body.innerText"


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A project whose first two stages have run, with the bundle that knows its parts."""
    folder = tmp_path_factory.mktemp("line")
    for name in ("inspection", "stages"):
        shutil.copytree(ROOT / name, folder / name)
    for name in ("dvc.yaml", "libraries.yaml"):
        shutil.copy(ROOT / name, folder / name)
    write_params(folder / "params.yaml")

    images = folder / "data/images"
    images.mkdir(parents=True)
    for part in range(N_PARTS):
        for view in (1, 2):
            content = draw_jpeg(drawn(part), seed=2 * part + view)
            (images / f"C0_{part}_{named(part, view)}_{view}.jpg").write_bytes(content)

    (folder / "reviews").mkdir()
    for name, columns in (("labels", REVIEW_COLUMNS), ("boxes", BOX_REVIEW_COLUMNS)):
        (folder / f"reviews/{name}.csv").write_text(",".join(columns) + "\n", encoding="utf-8")
    dvc(folder, "init", "--quiet", "--no-scm")
    dvc(folder, "repro", "clean_labels")

    views = pd.read_parquet(folder / MANIFEST)
    free = views.loc[~views["held"], ["view_id"]]
    save(folder / "artifacts/folds/folds.parquet", free.assign(fold="val"))
    make_bundle(folder / "models/bundle")
    return folder


def drawn(part: int) -> str:
    """What the frames of a part show."""
    return CLASSES[part % len(CLASSES)]


def named(part: int, view: int) -> str:
    """What the name of a frame says."""
    is_misnamed = part < N_MISNAMED and view == 1
    return drawn(part + 1) if is_misnamed else drawn(part)


def write_params(path: Path) -> None:
    """The project's params, with the line of the drawn parts."""
    yaml = YAML()
    params = yaml.load(ROOT / "params.yaml")
    line = sample_line(bit_depth=16, max_pixels=64_000_000, channels=1)
    params["line"] = line.model_dump(mode="json")
    params["validate"] = {
        "layout": "flat",
        "images": ["images/*"],
        "pattern": "(?P<camera>[^_]+)_(?P<part>[^_]+)_(?P<label>.+)_(?P<view>[^_]+)",
        "part_from": {"rule": "pattern", "group": "part"},
    }
    yaml.dump(params, path)


def dvc(folder: Path, *words: str) -> None:
    done = subprocess.run(
        [sys.executable, "-m", "dvc", *words],
        cwd=folder,
        env=plain_environment() | {"DVC_NO_ANALYTICS": "1"},
        capture_output=True,
        text=True,
    )
    assert done.returncode == 0, done.stdout[-3000:] + done.stderr[-3000:]


def test_twenty_suspects_are_reviewed_by_keys_and_the_next_run_does_what_was_foretold(
    browser: Browser, server: Server, folder: Path
) -> None:
    before = pd.read_parquet(folder / MANIFEST).set_index("image_sha256")
    assert int(before["held"].sum()) == N_SUSPECTS
    classes = list(read_card(folder / "models/bundle").line.classes)
    browser.open(f"{server.address}/review?reviewer=Grace&kind=part_disagreement")

    # the third is pressed wrong and taken back, and the last one is left out
    sha256 = ""
    for number in range(N_SUSPECTS):
        sha256 = next_item(browser, sha256)
        if number == 2:
            press(browser, "x", n_done=3)
            press(browser, "u", n_done=2)
            assert next_item(browser, "") == sha256
        row = before.loc[sha256]
        key = key_of(row["label"], drawn(int(row["part_id"])), classes)
        press(browser, "x" if number == N_SUSPECTS - 1 else key, n_done=number + 1)

    left_out = sha256
    assert "Nothing left to decide here" in browser.value(PAGE)
    is_relabelled = [
        row.label != drawn(int(row.part_id)) and row.Index != left_out
        for row in before[before["held"]].itertuples()
    ]
    foretold = (
        f"{sum(is_relabelled)} labels change, 1 views are left out, "
        f"{N_SUSPECTS - 1} held views return"
    )
    assert foretold in browser.value(PAGE)

    dvc(folder, "repro", "clean_labels")
    after = pd.read_parquet(folder / MANIFEST).set_index("image_sha256")
    assert set(before.index) - set(after.index) == {left_out}
    assert not after["held"].any()
    assert [row.label for row in after.itertuples()] == [
        drawn(int(row.part_id)) for row in after.itertuples()
    ]
    browser.open(f"{server.address}/review?reviewer=Grace")
    assert "The next dvc repro changes: nothing" in browser.value(PAGE)


def next_item(browser: Browser, before: str) -> str:
    """The view that the address names, once it is another one than before."""
    item = "new URLSearchParams(location.search).get('item')"
    browser.wait(f"{item} && {item} !== '{before}'")
    browser.wait()
    return str(browser.value(item))


def press(browser: Browser, key: str, *, n_done: int) -> None:
    """Press a key, and wait until the page counts so many as done, of all that it asks about."""
    browser.press(key)
    browser.wait(f"/^{n_done} of \\d+ done/m.test({PAGE})")
    browser.wait()


def key_of(label: str, shown: str, classes: list[str]) -> str:
    """K keeps a label; a digit is the place of the class that it should have."""
    return "k" if label == shown else str(1 + classes.index(shown))
