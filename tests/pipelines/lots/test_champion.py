from pathlib import Path

import pytest

from pipelines.lots.champion import Champion
from tests.lots import promote_new


def test_the_next_champion_judges_the_next_part_and_a_broken_one_does_not(
    project: Path, caplog: pytest.LogCaptureFixture
) -> None:
    champion = Champion(project / "models/releases")
    promote_new(project, "2")
    assert champion.now().folder.name == "2"

    promote_new(project, "3")
    (project / "models/releases/3/classifier.onnx").write_bytes(b"broken")
    assert champion.now().folder.name == "2"
    assert "a release is refused, 2 stays" in caplog.text
