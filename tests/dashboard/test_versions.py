from pathlib import Path

import pytest

from dashboard.versions import named, versions
from inspection.errors import InspectionError
from inspection.runtime.releases import promote, release
from tests.bundles import make_bundle


@pytest.fixture
def folders(tmp_path: Path) -> tuple[Path, Path]:
    return tmp_path / "releases", tmp_path / "bundle"


def test_the_champion_comes_first_and_the_bundle_that_it_is_made_of_only_once(
    folders: tuple[Path, Path],
) -> None:
    releases, bundle = folders
    make_bundle(bundle)
    release(bundle, releases, "line-1")
    promote(releases, "line-1")
    assert [str(one) for one in versions(releases, bundle)] == ["line-1 (champion)"]


def test_a_newer_bundle_and_older_releases_follow(folders: tuple[Path, Path]) -> None:
    releases, bundle = folders
    for number in (1, 2):
        make_bundle(bundle, version=f"v{number}")
        release(bundle, releases, f"line-{number}")
    promote(releases, "line-1")
    make_bundle(bundle, version="v3")
    found = versions(releases, bundle)
    assert [one.name for one in found] == ["line-1", "v3", "line-2"]
    assert named(found, "champion").name == "line-1"
    assert named(found, "v3").folder == bundle
    assert named(found, "gone").name == "line-1"


def test_a_release_of_the_bundle_is_named_as_the_one_assembled_last(
    folders: tuple[Path, Path],
) -> None:
    releases, bundle = folders
    for number in (1, 2):
        make_bundle(bundle, version=f"v{number}")
        release(bundle, releases, f"line-{number}")
    promote(releases, "line-1")
    found = versions(releases, bundle)
    assert [str(one) for one in found] == ["line-1 (champion)", "line-2 (assembled last)"]


def test_without_a_champion_the_bundle_leads(folders: tuple[Path, Path]) -> None:
    releases, bundle = folders
    make_bundle(bundle)
    assert [str(one) for one in versions(releases, bundle)] == ["test-1 (assembled last)"]


def test_without_any_model_the_remedy_is_named(folders: tuple[Path, Path]) -> None:
    with pytest.raises(InspectionError, match="dvc repro"):
        versions(*folders)
