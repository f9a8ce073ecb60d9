"""From the inbox to the data and back; what may not enter is kept with its reason."""

import os
import tempfile
import threading
import time
from contextlib import suppress
from pathlib import Path
from typing import Any

import pandas as pd
import pytest
from ruamel.yaml import YAML

from inspection.errors import InspectionError
from inspection.storage import locked
from pipelines.intake.inbox import (
    DATA,
    INBOX,
    LOCK,
    STEPS,
    Sorted,
    arrived,
    mark_trained,
    sorted_out,
    take,
    take_new,
    undo,
    untrained,
    waiting,
)
from pipelines.intake.steps import RETRAINING, move_whole
from stages import sections
from tests.architecture import ROOT
from tests.bundles import draw_jpeg, sample_line

LABELS = ("normal", "dent", "slide", "under_press")
LAYOUT = {
    "layout": "flat",
    "images": ["images/*"],
    "pattern": "(?P<camera>[^_]+)_(?P<part>[^_]+)_(?P<label>.+)_(?P<view>[^_]+)",
    "part_from": {"rule": "pattern", "group": "part"},
    "unknown": {"action": "quarantine", "max_fraction": 0.2},
}


@pytest.fixture
def project(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A project with two images of every class, and an empty inbox; the current folder."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("PYTHONPATH", str(ROOT))
    line = sample_line().model_dump(mode="json", exclude_defaults=True)
    line |= {"bit_depth": 16, "max_pixels": 64_000_000}
    params = {name: {} for name in sections.SECTIONS} | {"line": line, "validate": LAYOUT}
    with Path("params.yaml").open("w", encoding="utf-8") as file:
        YAML().dump(params, file)
    for number in range(8):
        put(DATA, f"images/Ch00_{number}_{LABELS[number % 4]}_1.jpg", seed=number)
    INBOX.mkdir()
    return tmp_path


def put(folder: Path, name: str, *, seed: int = 0, content: bytes | None = None) -> str:
    """A file that has lain there for an hour."""
    path = folder / name
    path.parent.mkdir(parents=True, exist_ok=True)
    label = next((one for one in LABELS if one in name), "normal")
    path.write_bytes(draw_jpeg(label, seed=seed) if content is None else content)
    hour_ago_s = time.time() - 3600
    os.utime(path, (hour_ago_s, hour_ago_s))
    return name


def below(folder: Path) -> dict[str, bytes]:
    return {p.relative_to(folder).as_posix(): p.read_bytes()
            for p in folder.rglob("*") if p.is_file()}  # fmt: skip


def test_what_is_still_being_written_hidden_linked_or_refused_has_not_arrived(
    project: Path,
) -> None:
    (INBOX / "new.jpg").write_bytes(b"half")
    put(INBOX, ".hidden.jpg")
    put(INBOX, ".copying/a.jpg")
    put(INBOX, "refused/2026/b.jpg")
    (INBOX / "link.jpg").symlink_to(project / "data/images/Ch00_0_normal_1.jpg")
    put(INBOX, "images/c.jpg")

    assert arrived(INBOX) == ["images/c.jpg"]
    assert arrived(INBOX, at_s=time.time() + 61) == ["images/c.jpg", "new.jpg"]


@pytest.mark.slow
def test_good_files_enter_the_data_others_are_kept_with_the_reason_and_all_can_be_taken_back(
    project: Path,
) -> None:
    before = below(DATA)
    good = put(INBOX, "images/Ch01_90_dent_1.jpg", seed=90)
    cut = put(INBOX, "images/Ch01_91_dent_1.jpg", content=draw_jpeg("dent", seed=91)[:2000])
    nobody = put(INBOX, "images/Ch01_92_bubble_1.jpg", seed=92)
    same = put(INBOX, "images/Ch00_0_normal_1.jpg", seed=0)
    other = put(INBOX, "images/Ch00_1_dent_1.jpg", seed=99)
    arrived_all = below(INBOX)

    (Path(".state") / "inbox-of-a-step-that-was-killed").mkdir(parents=True)
    found, said = take_new()
    # nothing of the killed step is left; plots of other libraries may keep their fonts there
    left = {path.name for path in Path(".state").iterdir()} - {"matplotlib"}
    assert left == {"locks"}
    assert found.accepted == [good]
    assert set(found.refused) == {cut, nobody, same, other}
    assert found.refused[same] == "is in the data already"
    assert "is another file" in found.refused[other]

    assert said.startswith("1 files into data, 4 into inbox/refused; now `dvc repro`")
    assert set(below(DATA)) == {*before, good}
    assert waiting() == 1
    (folder,) = (INBOX / "refused").iterdir()
    reasons = pd.read_csv(folder / "reasons.csv").set_index("path")["reason"]
    assert dict(reasons) == found.refused
    kept = {name: content for name, content in below(folder).items() if name != "reasons.csv"}
    assert kept == {name: arrived_all[name] for name in (cut, nobody, same, other)}
    assert arrived(INBOX) == []

    assert undo() == "taken back: 1 of 1 files, into inbox; now `dvc repro`"
    assert below(DATA) == before
    assert (INBOX / good).read_bytes() == arrived_all[good]
    with pytest.raises(InspectionError, match=r"reviews/inbox: holds no step to take back"):
        undo()


@pytest.mark.slow
def test_files_at_which_the_stage_stops_are_refused_with_what_it_says(project: Path) -> None:
    """Far more strangers than `validate.unknown.max_fraction` lets pass."""
    names = [put(INBOX, f"images/Ch01_{n}_bubble_1.jpg", seed=n) for n in range(20)]
    before = below(DATA)
    found = sorted_out()

    assert found.accepted == []
    assert set(found.refused) == set(names)
    assert all("stage validate stops with it" in why for why in found.refused.values())
    assert not any(str(project) in why for why in found.refused.values())
    assert below(DATA) == before


def test_wrong_parameters_are_told_and_refuse_no_file(project: Path) -> None:
    new = put(INBOX, "images/Ch01_90_dent_1.jpg")
    text = Path("params.yaml").read_text(encoding="utf-8")
    Path("params.yaml").write_text(text.replace("bit_depth: 16", "bit_depth: 99"), "utf-8")
    with pytest.raises(InspectionError, match=r"params\.yaml: line\.bit_depth"):
        take_new()

    assert (INBOX / new).is_file()


def test_what_was_changed_in_the_data_since_is_not_taken_back(project: Path) -> None:
    name = put(INBOX, "images/Ch01_90_dent_1.jpg", seed=90)
    take(INBOX, Sorted([name]))
    (DATA / name).write_bytes(b"edited")

    assert undo().startswith("taken back: 0 of 1 files")
    assert (DATA / name).read_bytes() == b"edited"


def test_the_last_step_is_taken_back_also_where_the_clock_was_set_back(
    project: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    names = [f"images/Ch01_{number}_dent_1.jpg" for number in range(3)]
    for name, hour in zip(names, ("12", "11", "11"), strict=True):
        at = f"2026-11-25T{hour}:00:00.000+00:00"
        monkeypatch.setattr("pipelines.intake.steps.now", lambda at=at: at)
        take(INBOX, Sorted([put(INBOX, name)]))
    assert waiting() == 3

    for name in reversed(names):
        undo()
        assert (INBOX / name).is_file()
        assert not (DATA / name).exists()


def test_what_a_killed_write_of_a_step_has_left_is_no_step(project: Path) -> None:
    """As `storage.replacing` names a file until it is whole."""
    STEPS.mkdir(parents=True)
    (STEPS / ".2026-11-25T120000.000+0000.json.ab12.json").write_text("{")
    take(INBOX, Sorted([put(INBOX, "images/Ch01_90_dent_1.jpg")]))
    assert waiting() == 1

    assert undo().startswith("taken back: 1 of 1 files")
    with pytest.raises(InspectionError, match="holds no step to take back"):
        undo()


def test_an_empty_inbox_or_none_is_no_step(project: Path) -> None:
    assert take_new() == (Sorted([], {}), "nothing new")
    INBOX.rmdir()
    assert take_new() == (Sorted([], {}), "nothing new")
    assert not STEPS.exists()


def test_two_steps_never_overlap(project: Path) -> None:
    with (
        locked(LOCK, holder="the inbox"),
        pytest.raises(InspectionError, match=r"inbox\.lock: the inbox is running already"),
    ):
        take_new()


@pytest.mark.slow
@pytest.mark.filterwarnings("default")
@pytest.mark.usefixtures("prefect_server")
@pytest.mark.parametrize(
    ("retrain_after", "n_runs", "n_waiting"), [(None, 0, 2), (3, 0, 2), (2, 1, 0)]
)
def test_a_retraining_begins_once_as_many_files_wait_as_the_policy_says(
    project: Path,
    monkeypatch: pytest.MonkeyPatch,
    retrain_after: int | None,
    n_runs: int,
    n_waiting: int,
) -> None:
    """What retrain does is its own tests' matter: here a recorder stands in its place."""
    from pipelines.intake import inbox_flow

    begun: list[dict[str, Any]] = []
    monkeypatch.setattr(inbox_flow, "retrain", lambda **given: begun.append(given))
    for number in (90, 91):
        take(INBOX, Sorted([put(INBOX, f"images/Ch01_{number}_dent_1.jpg", seed=number)]))
        time.sleep(0.01)

    done = inbox_flow.inbox(retrain_after=retrain_after, promote=True, by="Ada")

    assert done == {"taken": 0, "refused": 0, "waiting": n_waiting, "retrained": n_runs == 1}
    assert begun == [{"promote": True, "by": "Ada"}] * n_runs
    assert waiting() == n_waiting
    mark_trained(untrained())
    assert waiting() == 0


def test_what_comes_while_a_run_trains_still_waits(project: Path) -> None:
    take(INBOX, Sorted([put(INBOX, "images/Ch01_90_dent_1.jpg")]))
    before = untrained()
    take(INBOX, Sorted([put(INBOX, "images/Ch01_91_dent_1.jpg", seed=1)]))
    mark_trained(before)

    assert waiting() == 1


def test_the_data_stay_as_they_are_while_a_retraining_reads_them(project: Path) -> None:
    new = put(INBOX, "images/Ch01_90_dent_1.jpg")
    with (
        locked(RETRAINING, holder="flow retrain"),
        pytest.raises(InspectionError, match="flow retrain is running already"),
    ):
        take(INBOX, Sorted([new]))

    assert (INBOX / new).is_file()
    assert not (DATA / new).exists()
    assert not STEPS.exists()


@pytest.mark.skipif(not Path("/dev/shm").is_dir(), reason="there is no second file system")
def test_a_file_of_another_file_system_is_in_the_data_whole_or_not_at_all(tmp_path: Path) -> None:
    """A share of the network, say: somebody looks at the data while 64 MB are brought over."""
    n_bytes = 64 * 2**20
    target = tmp_path / "data/a.bin"
    sizes: set[int] = set()
    done = threading.Event()

    def look() -> None:
        while not done.is_set():
            with suppress(FileNotFoundError):
                sizes.add(target.stat().st_size)

    with tempfile.NamedTemporaryFile(dir="/dev/shm", delete=False) as file:
        file.write(bytes(n_bytes))
    if os.stat(file.name).st_dev == tmp_path.stat().st_dev:
        pytest.skip("/dev/shm is no second file system")
    watcher = threading.Thread(target=look)
    watcher.start()
    try:
        move_whole(Path(file.name), target)
        time.sleep(0.05)
    finally:
        done.set()
        watcher.join()
        Path(file.name).unlink(missing_ok=True)

    assert sizes == {n_bytes}
    assert [path.name for path in target.parent.iterdir()] == ["a.bin"]
