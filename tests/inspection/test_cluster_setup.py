import pickle
from collections.abc import Iterator
from pathlib import Path

import pytest

from inspection import cluster_setup as module
from inspection.cluster_setup import CARD, Needed, done_alike, setup, speech
from inspection.errors import InspectionError
from inspection.runtime import bundle
from tests.labour import square

NEEDED = Needed(("inspection",), ("numpy", "pillow"), frame=None, held=True)
SQUARE = pickle.dumps(square)


@pytest.fixture(autouse=True)
def unseen() -> Iterator[None]:
    """A process that has not looked at itself."""
    module._check_once.cache_clear()
    yield
    module._check_once.cache_clear()


def test_a_worker_like_this_process_does_the_work() -> None:
    assert done_alike(SQUARE, NEEDED, setup(NEEDED), 7) == 49


def test_what_is_otherwise_than_here_is_told_by_name(monkeypatch: pytest.MonkeyPatch) -> None:
    here = setup(NEEDED)
    monkeypatch.setattr(module, "version", lambda name: "0.1")

    assert setup(NEEDED).differences(here) == [
        f"{name} 0.1, here {here.found[name]}"
        for name in ("dask", "distributed", "numpy", "pillow")
    ]
    with pytest.raises(
        InspectionError,
        match=r"^a worker on \S+ would compute otherwise: dask 0\.1, here .*; start scheduler and",
    ):
        done_alike(SQUARE, NEEDED, here, 7)


def test_a_library_or_file_that_is_not_there_is_none(tmp_path: Path) -> None:
    (tmp_path / "frame.png").write_bytes(b"four")
    (tmp_path / CARD).write_text("{}")
    missing = Needed(("inspection",), ("no-such-library",), tmp_path / "gone", tmp_path / "gone")
    there = Needed(("inspection",), (), tmp_path / "frame.png", tmp_path)

    assert list(setup(missing).found.values()).count("none") == 3
    assert setup(there).found[f"bytes of {tmp_path / 'frame.png'}"] == "4"
    assert "none" not in setup(there).found.values()
    assert CARD == bundle.CARD


def test_code_is_what_the_folders_hold_that_are_named(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name, text in {"one": "1", "other": "2"}.items():
        (tmp_path / name).mkdir()
        (tmp_path / name / "module.py").write_text(text)
    monkeypatch.setattr(module, "ROOT", tmp_path)

    codes = {
        names: speech(names).found["code"] for names in [("one",), ("other",), ("one", "other")]
    }
    assert len(set(codes.values())) == 3
    (tmp_path / "other" / "module.py").write_text("3")
    module._sources_sha256.cache_clear()
    assert [speech(names).found["code"] == code for names, code in codes.items()] == [
        True,
        False,
        False,
    ]
    module._sources_sha256.cache_clear()
