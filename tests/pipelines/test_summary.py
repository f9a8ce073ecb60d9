from pathlib import Path

from inspection.runtime.releases import promote, release
from pipelines.summary import served_beside
from tests.bundles import make_bundle


def test_a_service_of_another_line_is_told_with_the_remedy(tmp_path: Path) -> None:
    card = make_bundle(tmp_path / "bundle")
    releases = tmp_path / "releases"
    assert served_beside(card, releases) == ""
    release(tmp_path / "bundle", releases, "1")
    promote(releases, "1")
    assert served_beside(card, releases) == ""
    other = card.model_copy(update={"line": card.line.model_copy(update={"name": "other"})})
    told = served_beside(other, releases)
    assert "serves line 'test-line', not 'other'" in told
    assert "dvc repro -f -s register" in told
