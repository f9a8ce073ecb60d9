from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from types import SimpleNamespace

import pytest

from inspection.errors import InspectionError
from inspection.runtime.bundle import read_card, verified
from inspection.runtime.inspector import Inspector
from inspection.runtime.releases import champion, champion_line, promote, release, replace_broken
from inspection.runtime.views import View
from inspection.storage import locked, read_json, sha256_of, write_json
from tests.bundles import draw_jpeg, make_bundle


@pytest.fixture
def bundle(tmp_path: Path) -> Path:
    make_bundle(tmp_path / "bundle")
    return tmp_path / "bundle"


@pytest.fixture
def releases(tmp_path: Path) -> Path:
    return tmp_path / "releases"


def test_a_promoted_release_is_the_champion_and_judges_like_the_bundle(
    bundle: Path, releases: Path
) -> None:
    release(bundle, releases, "7")
    promote(releases, "7")
    view = View("a", draw_jpeg("dent"))
    assert champion(releases) == releases / "7"
    served, built = (Inspector(folder).inspect([view]) for folder in (releases / "7", bundle))
    assert (served.verdict, served.views[0].scores) == (built.verdict, built.views[0].scores)


def test_the_pointer_names_version_folder_line_and_card_hash(bundle: Path, releases: Path) -> None:
    folder = release(bundle, releases, "7")
    promote(releases, "7")
    assert read_json(releases / "champion.json") == {
        "version": "7",
        "folder": "7",
        "line": "test-line",
        "card_sha256": sha256_of(folder / "card.json"),
    }


def test_the_line_that_serves_is_told_also_by_a_pointer_of_before_it_held_it(
    bundle: Path, releases: Path
) -> None:
    release(bundle, releases, "7")
    promote(releases, "7")
    assert champion_line(releases) == "test-line"
    pointer = read_json(releases / "champion.json")
    write_json(releases / "champion.json", {k: v for k, v in pointer.items() if k != "line"})
    assert champion_line(releases) == "test-line"


@pytest.mark.parametrize("broken", ["card.json", "anomaly.onnx"])
def test_a_release_that_broke_on_disk_can_be_replaced_a_whole_one_never(
    bundle: Path, releases: Path, broken: str
) -> None:
    folder = release(bundle, releases, "7")
    (folder / broken).write_bytes(b"broken")
    assert verified(replace_broken(bundle, releases, "7")) == read_card(bundle)
    make_bundle(bundle, version="another")
    with pytest.raises(InspectionError, match="holds another bundle already"):
        replace_broken(bundle, releases, "7")


def test_a_release_holds_only_the_card_and_the_files_it_names(bundle: Path, releases: Path) -> None:
    (bundle / "notes.txt").write_text("not named by the card")
    folder = release(bundle, releases, "7")
    assert {path.name for path in folder.iterdir()} == {"card.json", *read_card(bundle).files}


def test_releasing_alone_promotes_nothing(bundle: Path, releases: Path) -> None:
    release(bundle, releases, "7")
    with pytest.raises(InspectionError, match=r"no champion yet; run `dvc repro`"):
        champion(releases)


def test_promoting_again_moves_the_pointer_and_keeps_the_old_release(
    bundle: Path, releases: Path
) -> None:
    for version in ("1", "2"):
        make_bundle(bundle, version=version)
        release(bundle, releases, version)
        promote(releases, version)
    assert champion(releases).name == "2"
    promote(releases, "1")
    assert champion(releases).name == "1"


def test_releasing_the_same_bundle_twice_changes_nothing(bundle: Path, releases: Path) -> None:
    folder = release(bundle, releases, "7")
    before = folder.stat().st_mtime_ns
    assert release(bundle, releases, "7") == folder
    assert folder.stat().st_mtime_ns == before


def test_another_bundle_under_a_version_in_use_is_refused(bundle: Path, releases: Path) -> None:
    release(bundle, releases, "7")
    make_bundle(bundle, version="another")
    with pytest.raises(InspectionError, match="holds another bundle already"):
        release(bundle, releases, "7")


def test_a_broken_bundle_is_not_released(bundle: Path, releases: Path) -> None:
    (bundle / "anomaly.onnx").write_bytes(b"broken")
    with pytest.raises(InspectionError, match="its hash is not the one on the card"):
        release(bundle, releases, "7")
    assert not (releases / "7").exists()


def test_a_release_that_broke_on_disk_is_not_promoted(bundle: Path, releases: Path) -> None:
    (release(bundle, releases, "7") / "anomaly.onnx").write_bytes(b"broken")
    with pytest.raises(InspectionError, match="its hash is not the one on the card"):
        promote(releases, "7")
    assert not (releases / "champion.json").exists()


def test_a_copy_that_was_cut_off_is_begun_anew(bundle: Path, releases: Path) -> None:
    partial = releases / ".7.partial"
    partial.mkdir(parents=True)
    (partial / "left over").write_text("from a release that was killed")
    folder = release(bundle, releases, "7")
    assert not partial.exists()
    assert not (folder / "left over").exists()


def test_a_champion_whose_card_was_changed_is_refused(bundle: Path, releases: Path) -> None:
    folder = release(bundle, releases, "7")
    promote(releases, "7")
    with (folder / "card.json").open("a") as file:
        file.write("\n")
    with pytest.raises(InspectionError, match="not the card that was promoted"):
        champion(releases)


def test_a_champion_that_was_removed_is_refused(bundle: Path, releases: Path) -> None:
    folder = release(bundle, releases, "7")
    promote(releases, "7")
    folder.rename(releases / "8")
    with pytest.raises(InspectionError, match="not found, yet"):
        champion(releases)


@pytest.mark.parametrize(
    "pointer", ["[]", '{"folder": "../7", "card_sha256": ""}', '{"folder": "7"}', "{"]
)
def test_a_pointer_that_makes_no_sense_is_refused(releases: Path, pointer: str) -> None:
    releases.mkdir()
    (releases / "champion.json").write_text(pointer)
    with pytest.raises(InspectionError, match=r"champion\.json"):
        champion(releases)


@pytest.mark.parametrize("version", ["", "..", "a/b", ".hidden", "champion.json", "x" * 101])
def test_a_version_that_cannot_name_a_folder_is_refused(
    bundle: Path, releases: Path, version: str
) -> None:
    with pytest.raises(InspectionError, match="cannot name a folder"):
        release(bundle, releases, version)


def test_who_waits_too_long_for_another_release_is_told_so(
    bundle: Path, releases: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("inspection.runtime.releases.PATIENCE_S", 0.2)
    with (
        locked(releases / ".lock", holder="a release"),
        pytest.raises(InspectionError, match="running already"),
    ):
        release(bundle, releases, "7")


def test_a_release_waits_a_minute_for_another(
    bundle: Path, releases: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    passed_s = 0.0

    def sleep(seconds: float) -> None:
        nonlocal passed_s
        passed_s += seconds

    monkeypatch.setattr(
        "inspection.storage.time", SimpleNamespace(monotonic=lambda: passed_s, sleep=sleep)
    )
    with (
        locked(releases / ".lock", holder="a release"),
        pytest.raises(InspectionError, match="running already"),
    ):
        release(bundle, releases, "7")
    assert passed_s == pytest.approx(60, abs=1)


def test_releases_at_once_wait_for_each_other(bundle: Path, releases: Path) -> None:
    with ThreadPoolExecutor(4) as pool:
        done = list(pool.map(lambda n: release(bundle, releases, str(n % 2)), range(8)))

    assert sorted({folder.name for folder in done}) == ["0", "1"]
    assert all(verified(folder) == read_card(bundle) for folder in done)
