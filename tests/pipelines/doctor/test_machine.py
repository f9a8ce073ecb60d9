import sys
from collections import namedtuple
from pathlib import Path
from types import SimpleNamespace

import pytest

from pipelines.doctor import machine


def test_the_pinned_libraries_are_those_that_are_installed() -> None:
    finding = machine.libraries(machine.REQUIREMENTS)
    assert (finding.state, finding.remedy) == ("ok", "")


def test_libraries_of_another_version_and_missing_ones_are_named(tmp_path: Path) -> None:
    pins = "numpy==0.1 \\\n    --hash=sha256:00\nno-such-library[fast]==2.0\npytest=={}\n"
    file = tmp_path / "requirements.txt"
    file.write_text(pins.format(pytest.__version__))
    finding = machine.libraries(file)
    assert finding.state == "fault"
    assert "2 of 3 differ" in finding.text
    assert "no-such-library missing, not 2.0" in finding.text
    assert machine.libraries(tmp_path / "none").state == "fault"


def test_another_python_than_the_pins_are_for_is_a_fault(monkeypatch: pytest.MonkeyPatch) -> None:
    assert machine.python().state == "ok"
    other = namedtuple("other", "major minor")(3, 13)
    monkeypatch.setattr(sys, "version_info", other)
    assert machine.python().state == "fault"


@pytest.mark.parametrize(("gib", "state"), [(5.1, "ok"), (4.9, "warning")])
def test_a_disk_that_is_nearly_full_is_a_warning(
    monkeypatch: pytest.MonkeyPatch, gib: float, state: str
) -> None:
    found = SimpleNamespace(free=gib * 1024**3)
    monkeypatch.setattr(machine.shutil, "disk_usage", lambda _: found)
    assert machine.disk(Path()).state == state


@pytest.mark.parametrize(("gib", "state"), [(4.1, "ok"), (3.9, "warning")])
def test_too_little_memory_is_a_warning(
    monkeypatch: pytest.MonkeyPatch, gib: float, state: str
) -> None:
    found = SimpleNamespace(available=gib * 1024**3)
    monkeypatch.setattr(machine.psutil, "virtual_memory", lambda: found)
    assert machine.memory().state == state
