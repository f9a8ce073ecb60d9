"""Registering in a real store, and which version is and stays the champion of which line."""

import json
import logging
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pandas as pd
import pytest

from inspection.errors import InspectionError
from inspection.runtime.bundle import CARD, verified
from inspection.runtime.releases import champion, champion_line
from inspection.storage import locked, sha256_of, write_text
from stages import champions, register, tracking
from tests.architecture import ROOT
from tests.bundles import draw_jpeg, make_bundle
from tests.lines import run_stage

pytestmark = [pytest.mark.slow, pytest.mark.filterwarnings("default")]

Register = Callable[..., dict[str, Any]]


@pytest.fixture
def line(tmp_path: Path) -> str:
    """A line that no other test registers."""
    return f"line-of-{tmp_path.name}"


@pytest.fixture
def registered(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, tracked: tracking.TrackingParams, line: str
) -> Register:
    """Runs the stage on a bundle of this version of the line; returns the receipt."""
    (tmp_path / "data").mkdir()
    (tmp_path / "data/a.jpg").write_bytes(draw_jpeg())
    pd.DataFrame({"path": ["a.jpg"], "part_id": ["1"]}).to_parquet(tmp_path / "manifest.parquet")
    (tmp_path / "inspection").symlink_to(ROOT / "inspection")

    def run(version: str, of_line: str = line, trained_in: str | None = None) -> dict[str, Any]:
        make_line_bundle(tmp_path / "models/bundle", version, of_line, trained_in)
        run_stage(
            register,
            tmp_path,
            monkeypatch,
            params={"tracking": tracked.model_dump()},
            bundle="models/bundle",
            data="data",
            manifest="manifest.parquet",
            out="receipt.json",
            metrics="metrics.json",
        )
        receipt: dict[str, Any] = json.loads((tmp_path / "receipt.json").read_text())
        return receipt

    return run


@pytest.fixture
def releases(tmp_path: Path) -> Path:
    return tmp_path / "models/releases"


@pytest.fixture
def registry(tracked: tracking.TrackingParams) -> Any:
    return tracking.connect(tracked).MlflowClient()


def make_line_bundle(folder: Path, version: str, line: str, run_id: str | None) -> None:
    card = make_bundle(folder, version=version)
    lineage = {"mlflow_run": run_id, "git_revision": None, "git_clean": None}
    lineage |= {"data": "", "params": ""}
    renamed = card.line.model_copy(update={"name": line})
    card = card.model_copy(update={"line": renamed, "lineage": lineage})
    write_text(folder / CARD, card.model_dump_json())


def test_the_first_version_serves_and_the_second_only_challenges(
    registered: Register, releases: Path, registry: Any, line: str
) -> None:
    first, second = registered("a"), registered("b")

    assert (first["aliases"], second["aliases"]) == (["challenger", "champion"], ["challenger"])
    assert champion(releases).name == first["release"]
    assert champions.aliases(registry, line) == {"challenger": "2", "champion": "1"}
    assert registry.get_model_version(line, "2").tags["release"] == second["release"]


def test_lost_releases_promote_no_challenger_the_champion_is_fetched_back(
    registered: Register, releases: Path, registry: Any, line: str
) -> None:
    first = registered("a")
    shutil.rmtree(releases)
    second = registered("b")

    assert second["aliases"] == ["challenger"]
    assert champion(releases).name == first["release"]
    assert sha256_of(champion(releases) / CARD) == first["card_sha256"]
    assert verified(champion(releases)).version == "a"
    assert champions.aliases(registry, line)["champion"] == "1"


def test_a_lost_pointer_is_written_again_from_the_release_that_is_there(
    registered: Register, releases: Path, caplog: pytest.LogCaptureFixture
) -> None:
    first = registered("a")
    (releases / "champion.json").unlink()
    with caplog.at_level(logging.INFO):
        registered("b")

    assert champion(releases).name == first["release"]
    assert "its champion, version 1, serves again (its release was there)" in caplog.text


@pytest.mark.parametrize("broken", ["anomaly.onnx", CARD])
def test_a_champion_that_broke_with_its_pointer_lost_is_fetched_whole(
    registered: Register, releases: Path, broken: str
) -> None:
    first = registered("a")
    (releases / first["release"] / broken).write_bytes(b"broken")
    (releases / "champion.json").unlink()
    registered("b")

    assert champion(releases).name == first["release"]
    assert verified(champion(releases)).version == "a"


def test_a_champion_lost_in_both_places_stops_the_stage_before_anything_is_registered(
    registered: Register, releases: Path, registry: Any, line: str
) -> None:
    registered("a")
    shutil.rmtree(releases)
    place = registry.get_model_version_download_uri(line, "1")
    shutil.rmtree(place.removeprefix("file://"))
    with pytest.raises(InspectionError, match=r"version 1, is whole neither there nor") as caught:
        registered("b")

    assert "or give alias 'champion' to another version" in str(caught.value)
    assert champions.aliases(registry, line) == {"challenger": "1", "champion": "1"}
    assert len(registry.search_model_versions(f"name = '{line}'")) == 1
    assert not list(releases.glob(".*fetched"))


def test_another_lines_first_version_serves_and_going_back_serves_the_old_champion(
    registered: Register,
    releases: Path,
    registry: Any,
    line: str,
    caplog: pytest.LogCaptureFixture,
) -> None:
    first = registered("a")
    with caplog.at_level(logging.INFO):
        other = registered("c", of_line=f"{line}-other")

    assert champion(releases).name == other["release"]
    assert champion_line(releases) == f"{line}-other"
    assert champions.aliases(registry, line)["champion"] == "1"
    told = f"line '{line}' served, params.yaml describes '{line}-other': {other['release']} serves"
    assert caplog.text.count(told) == 1

    registered("b")
    assert champion(releases).name == first["release"]
    assert champions.aliases(registry, f"{line}-other")["champion"] == "1"


def test_a_champion_that_the_registry_lost_is_registered_again_and_stays_champion(
    registered: Register, releases: Path, registry: Any, line: str
) -> None:
    registered("a")
    registry.delete_registered_model(line)
    challenger = registered("b")

    assert champions.aliases(registry, line) == {"challenger": "2", "champion": "1"}
    assert challenger["aliases"] == ["challenger"]
    assert verified(champion(releases)).version == "a"
    assert champion(releases).name == registry.get_model_version(line, "1").tags["release"]


def test_a_run_that_this_store_does_not_know_is_named_by_a_new_one(
    registered: Register, registry: Any, line: str
) -> None:
    """As on a clone that took the trained classifier from the DVC cache."""
    registered("a", trained_in="f" * 32)

    tags = registry.get_model_version(line, "1").tags
    assert tags["trained_in_run"] == "f" * 32
    assert registry.get_run(tags["run_id"]).info.run_id != "f" * 32


def test_aliases_wait_for_another_writer(
    registered: Register, tracked: tracking.TrackingParams, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(tracking, "PATIENCE_S", 0.2)
    with (
        locked(Path(tracked.store) / ".aliases.lock", holder="the test"),
        pytest.raises(InspectionError, match="another change of the registry's aliases is running"),
    ):
        registered("a")
