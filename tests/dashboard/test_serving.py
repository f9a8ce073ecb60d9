from pathlib import Path

from dashboard.serving import shown
from dashboard.versions import versions
from inspection.runtime.bundle import read_card
from inspection.runtime.releases import promote, release
from tests.bundles import make_bundle


def test_the_champion_is_shown_where_it_is_what_was_assembled_last(tmp_path: Path) -> None:
    releases, bundle = tmp_path / "releases", tmp_path / "bundle"
    card = make_bundle(bundle)
    found = shown(versions(releases, bundle), bundle, card)
    assert (found.folder, found.note) == (bundle, "")

    folder = release(bundle, releases, "line-1")
    promote(releases, "line-1")
    found = shown(versions(releases, bundle), bundle, card)
    assert (found.folder, found.note) == (folder, "")


def test_where_another_one_serves_what_was_assembled_last_is_shown_and_said(tmp_path: Path) -> None:
    releases, bundle = tmp_path / "releases", tmp_path / "bundle"
    make_bundle(bundle)
    release(bundle, releases, "line-1")
    promote(releases, "line-1")
    make_bundle(bundle, version="newer")
    found = shown(versions(releases, bundle), bundle, read_card(bundle))
    assert (found.folder, found.card.version) == (bundle, "newer")
    assert found.note.startswith("line-1 serves (bundle test-1).")
