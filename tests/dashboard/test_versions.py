from pathlib import Path

import pytest

from dashboard.registered import Registered
from dashboard.versions import named, versions
from inspection.errors import InspectionError
from inspection.runtime.bundle import CARD
from inspection.runtime.releases import promote, release
from inspection.storage import sha256_of
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


def test_challenger_and_previous_are_named_as_the_registry_has_them(
    folders: tuple[Path, Path],
) -> None:
    releases, bundle = folders
    registered = []
    for number, alias in ((1, "previous"), (2, "champion"), (3, "challenger")):
        make_bundle(bundle, version=f"v{number}")
        card = sha256_of(bundle / CARD)
        registered.append(Registered(str(number), f"line-{number}", card, (alias,)))
        if number < 3:
            release(bundle, releases, f"line-{number}")
    promote(releases, "line-2")
    found = versions(releases, bundle, registered)
    assert [str(one) for one in found] == [
        "line-2 (champion)", "v3 (challenger, assembled last)", "line-1 (previous)",
    ]  # fmt: skip
    assert named(found, "challenger").name == "v3"
    assert named(found, "previous").name == "line-1"


def test_without_a_champion_the_bundle_leads(folders: tuple[Path, Path]) -> None:
    releases, bundle = folders
    make_bundle(bundle)
    assert [str(one) for one in versions(releases, bundle)] == ["test-1 (assembled last)"]


def test_without_any_model_the_remedy_is_named(folders: tuple[Path, Path]) -> None:
    with pytest.raises(InspectionError, match="dvc repro"):
        versions(*folders)
