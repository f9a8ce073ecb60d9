import os
import signal
import subprocess
import sys
import time
from pathlib import Path
from typing import Any, Literal

import pytest
from pydantic import Field
from ruamel.yaml import YAML

from inspection.errors import InspectionError
from inspection.storage import read_json
from stages import program

ROOT = Path(__file__).parents[2]
BEGUN = "begun\n"
HOLDS = f"sys.stdout.write({BEGUN!r}); sys.stdout.flush(); time.sleep(60)"
SPAWNS = """
import subprocess, sys
subprocess.Popen([sys.executable, '-c', sys.argv[1]])
sys.stdin.read()
"""


class SplitParams(program.Params):
    val_fraction: float = Field(default=0.2, gt=0, lt=1)
    mode: Literal["by_part", "by_group"] = "by_part"
    seed: int


def source(body: str) -> str:
    """A program of the stage `drawn` whose main is `body`."""
    return (
        "import sys, time\nfrom inspection.errors import InspectionError\n"
        f"from stages import program\ndef main():\n    {body}\nprogram.run('drawn', main)\n"
    )


def environment() -> dict[str, str]:
    return os.environ | {"PYTHONPATH": str(ROOT)}


def ran(folder: Path, body: str) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-c", source(body)]
    return subprocess.run(
        command, cwd=folder, env=environment(), capture_output=True, text=True, timeout=60
    )


def started(folder: Path, *command: str) -> subprocess.Popen[str]:
    """Start a program, and wait until it says that the stage has begun."""
    process = subprocess.Popen(
        [sys.executable, "-c", *command],
        cwd=folder,
        env=environment(),
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    )
    assert process.stdout is not None
    assert process.stdout.readline() == BEGUN
    return process


def write_params(folder: Path, text: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(folder)
    (folder / "params.yaml").write_text(text, "utf-8")


def test_a_stage_that_ends_well_ends_with_zero(tmp_path: Path) -> None:
    done = ran(tmp_path, "program.log.info('n_parts 3')")
    assert (done.returncode, done.stderr, done.stdout) == (0, "n_parts 3\n", "")


def test_what_the_user_can_mend_ends_with_one_and_without_a_traceback(tmp_path: Path) -> None:
    done = ran(tmp_path, "raise InspectionError('label: 찍힘 unknown; add it')")
    assert done.returncode == 1
    assert done.stderr == "drawn: failed\nlabel: 찍힘 unknown; add it\n"


def test_our_own_bug_shows_its_traceback(tmp_path: Path) -> None:
    done = ran(tmp_path, "1 / 0")
    assert done.returncode == 1
    assert "Traceback" in done.stderr
    assert "ZeroDivisionError" in done.stderr


def test_a_second_run_of_a_stage_is_refused_until_the_first_is_dead(tmp_path: Path) -> None:
    first = started(tmp_path, source(HOLDS))
    refused = ran(tmp_path, "sys.stdout.write('ran')")
    first.kill()
    first.communicate()
    again = ran(tmp_path, "sys.stdout.write('ran')")
    assert refused.returncode == 1
    assert refused.stdout == ""
    assert "stage drawn is running already; wait for it to end" in refused.stderr
    assert "Traceback" not in refused.stderr
    assert (again.returncode, again.stdout) == (0, "ran")


@pytest.mark.skipif(sys.platform != "linux", reason="the kernel's signal is of Linux")
def test_a_stage_dies_with_the_process_that_started_it(tmp_path: Path) -> None:
    parent = started(tmp_path, SPAWNS, source(HOLDS))
    parent.send_signal(signal.SIGKILL)
    parent.wait()
    for pipe in (parent.stdin, parent.stdout):
        assert pipe is not None
        pipe.close()
    deadline = time.monotonic() + 20
    while (done := ran(tmp_path, "pass")).returncode and time.monotonic() < deadline:
        time.sleep(0.1)
    assert done.returncode == 0, "the orphan still holds the lock"


def test_arguments_are_paths_and_all_are_required(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(sys, "argv", ["drawn", "--val-scores", "a/b.csv"])
    assert program.arguments("Draws.", val_scores="scores").val_scores == Path("a/b.csv")
    with pytest.raises(SystemExit):
        program.arguments("Draws.", val_scores="scores", out="folder")
    assert "--out" in capsys.readouterr().err


def test_a_section_is_read_by_its_model_and_one_section_comes_bare(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    write_params(tmp_path, "split: {val_fraction: 0.1, seed: 3}\ncrop: {}\n", monkeypatch)
    assert program.params(split=SplitParams) == SplitParams(val_fraction=0.1, seed=3)
    both = program.params(split=SplitParams, crop=program.Params)
    assert both == (SplitParams(val_fraction=0.1, seed=3), program.Params())


@pytest.mark.parametrize(
    ("section", "told"),
    [
        ("{val_fraction: 20, seed: 1}", "split.val_fraction: should be < 1, got 20"),
        ("{val_fraction: 0, seed: 1}", "split.val_fraction: should be > 0, got 0"),
        ("{val_fraktion: 0.1, seed: 1}", "split.val_fraktion: unknown key; remove it or mend"),
        ("{}", "split.seed: missing; add it"),
        ("{seed: many}", "split.seed: should be an integer, unable to parse"),
        (
            "{seed: 1, mode: by_view}",
            "split.mode: should be 'by_part' or 'by_group', got",
        ),
        ("[1, 2]", "split: should be a dictionary or instance of SplitParams, got [1, 2]"),
    ],
)
def test_a_wrong_value_is_told_by_key_value_and_what_was_expected(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, section: str, told: str
) -> None:
    write_params(tmp_path, f"split: {section}\n", monkeypatch)
    with pytest.raises(InspectionError) as caught:
        program.params(split=SplitParams)
    assert str(caught.value).startswith(f"params.yaml: {told}")


def test_problems_of_all_sections_are_told_at_once(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    write_params(tmp_path, "split: {val_fraction: 20}\ncrop: {key: 1}\n", monkeypatch)
    with pytest.raises(InspectionError) as caught:
        program.params(split=SplitParams, crop=program.Params)
    assert len(str(caught.value).splitlines()) == 3


@pytest.mark.parametrize(
    ("text", "told"),
    [
        ("crop: {}\n", ["split: missing; add the section"]),
        ("split:\n", ["split: missing; add the section"]),
        (
            "spilt: {seed: 1}\n",
            [
                "spilt: unknown section; remove it or mend its spelling to 'split'",
                "split: missing; add the section",
            ],
        ),
        (
            "split: {seed: 1}\ntrackings: {}\n3: {}\n",
            [
                "trackings: unknown section; remove it or mend its spelling to 'tracking'",
                f"3: unknown section; remove it or use one of {', '.join(program.SECTIONS)}",
            ],
        ),
        ("split: []\n", ["split: should be a dictionary or instance of SplitParams, got []"]),
    ],
)
def test_an_unknown_section_and_one_that_is_missing_are_told_at_once(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, text: str, told: list[str]
) -> None:
    write_params(tmp_path, text, monkeypatch)
    with pytest.raises(InspectionError) as caught:
        program.params(split=SplitParams)
    assert str(caught.value).splitlines() == [f"params.yaml: {line}" for line in told]


def test_the_known_sections_are_those_of_the_projects_params() -> None:
    content = YAML(typ="safe").load((ROOT / "params.yaml").read_text(encoding="utf-8"))
    assert sorted(content) == sorted(program.SECTIONS)


@pytest.mark.parametrize(
    ("text", "told"),
    [
        (None, r"params\.yaml: not found; run from the project's root"),
        ("split: {", r"params\.yaml: is not YAML"),
        ("- split", r"params\.yaml: should hold sections, got (list|CommentedSeq)"),
    ],
)
def test_a_params_file_that_is_none_is_refused(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, text: str | None, told: str
) -> None:
    monkeypatch.chdir(tmp_path)
    if text is not None:
        write_params(tmp_path, text, monkeypatch)
    with pytest.raises(InspectionError, match=told):
        program.params(split=SplitParams)


def test_metrics_are_saved_and_their_numbers_logged_in_one_line(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    metrics: dict[str, Any] = {"n": 3, "rate": 0.12345, "of": {"a": 1}, "ok": True, "none": None}
    with caplog.at_level("INFO", logger="knurl"):
        program.save_metrics(tmp_path / "split.json", metrics)
    assert read_json(tmp_path / "split.json") == metrics
    assert caplog.messages == ["split: n 3, rate 0.123"]
