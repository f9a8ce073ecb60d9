from pathlib import Path

import pytest

from tests.lots import make_project


@pytest.fixture
def project(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A project with params.yaml and a champion; the current folder."""
    monkeypatch.chdir(tmp_path)
    return make_project(tmp_path)
