"""What counts as dropped or mixed while releases change, and the real load for some seconds."""

import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from benchmarks.promotions import Move, Request, Watched, release_of, with_three_releases
from inspection.runtime.bundle import CARD
from inspection.runtime.inspector import Inspector
from inspection.runtime.releases import champion, promote, release
from inspection.runtime.views import View
from serving.answers import inspect, part_answer
from serving.champion import load
from tests.architecture import ROOT
from tests.bundles import draw_jpeg, make_bundle

MOVES = [Move(float("-inf"), "first"), Move(100.0, "second")]


@pytest.fixture
def releases(tmp_path: Path) -> Path:
    make_bundle(tmp_path / "bundle")
    release(tmp_path / "bundle", tmp_path / "own", "1")
    promote(tmp_path / "own", "1")
    return tmp_path / "own"


@pytest.mark.parametrize(
    ("request_", "n_mixed"),
    [
        (Request(50, 51, 200, "first"), 0),
        (Request(50, 51, 200, "second"), 1),
        (Request(99.5, 100.5, 200, "first"), 0),
        (Request(99.5, 100.5, 200, "second"), 0),
        (Request(105, 106, 200, "first"), 0),  # the pick-up may take ten seconds
        (Request(111, 112, 200, "first"), 1),
        (Request(111, 112, 200, "second"), 0),
        (Request(111, 112, 200, ""), 1),
        (Request(111, 112, 429), 0),
    ],
)
def test_an_answer_of_a_release_that_was_champion_at_no_time_near_it_is_mixed(
    request_: Request, n_mixed: int
) -> None:
    assert Watched([request_], MOVES).mixed() == n_mixed


def test_what_has_no_verdict_is_counted_by_what_became_of_it() -> None:
    statuses = (200, 0, 0, 500, 503, 429)
    seen = Watched([Request(1, 2, status, "first") for status in statuses], MOVES)

    assert (seen.dropped(), seen.server_errors(), seen.refused()) == (2, 2, 1)


def test_the_pick_up_is_timed_by_the_first_answer_of_the_release() -> None:
    answers = [(99.0, "first"), (100.4, "first"), (100.9, "second"), (101.5, "second")]
    seen = Watched([Request(at - 0.1, at, 200, name) for at, name in answers], MOVES)

    assert seen.picked_up_s(1) == pytest.approx(0.9)
    assert Watched([], MOVES).picked_up_s(1) == float("inf")


def test_an_answer_shows_which_release_judged_and_that_it_is_of_one(
    releases: Path, tmp_path: Path
) -> None:
    marks = with_three_releases(releases, tmp_path)
    answers = {name: _answer(tmp_path / "releases" / name) for name in marks}

    for name, answer in answers.items():
        assert release_of(json.dumps(answer).encode(), marks) == name
        other = answers["second" if name == "first" else "first"]
        spliced = answer | {"model": other["model"]}
        assert release_of(json.dumps(spliced).encode(), marks) == ""
    assert release_of(b"{}", marks) == ""


def test_the_three_releases_decide_alike(releases: Path, tmp_path: Path) -> None:
    with_three_releases(releases, tmp_path)
    views = [View("a.jpg", draw_jpeg("dent"))]
    verdicts = {
        Inspector(tmp_path / "releases" / name).inspect(views).verdict
        for name in ("first", "second", "third")
    }

    assert verdicts == {"reject"}
    assert champion(tmp_path / "releases").name == "first"


def _answer(folder: Path) -> dict[str, Any]:
    served = load(folder, (folder / CARD).read_bytes())
    found = inspect(served, [View("a.jpg", draw_jpeg())], deadline_s=float("inf"))
    answer = part_answer(served, found, request_id="1", part_id=None, heatmap=False)
    return answer.model_dump(mode="json")


@pytest.mark.slow
def test_nothing_is_dropped_or_mixed_while_two_are_promoted_and_one_is_rolled_back_to(
    releases: Path, tmp_path: Path
) -> None:
    (tmp_path / "good.jpg").write_bytes(draw_jpeg())
    command = [sys.executable, "-m", "benchmarks.promotions", "--minutes", "0.2"]
    given = ["--picture", str(tmp_path / "good.jpg"), "--releases", str(releases)]
    done = subprocess.run([*command, *given], cwd=ROOT, capture_output=True, text=True, check=False)

    assert done.returncode == 0, done.stdout + done.stderr
    assert "dropped 0, mixed 0, 5xx 0" in done.stdout
    assert done.stdout.count("promoted, answers after") == 3
    assert " inf s" not in done.stdout
