from pathlib import Path

import pytest

from inspection.errors import InspectionError
from inspection.line import Line
from inspection.storage import read_json
from pipelines.runs.overrides import overridden
from pipelines.trials import drill
from pipelines.trials.beside import tried_beside
from tests.bundles import sample_line


@pytest.mark.slow
def test_of_a_class_that_was_never_shown_its_verdicts_and_scores_are_told(
    project: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr("sys.argv", ["drill", "dent"])
    drill.main()

    (one,) = read_json(Path("metrics/drill.json"))["classes"].values()
    assert {name: one[name] for name in ("n_parts", "pass", "review", "reject")} == {
        "n_parts": 2, "pass": 1, "review": 0, "reject": 1,
    }  # fmt: skip
    assert one["auroc"] == {"fused": 1.0, "classifier": 1.0, "anomaly": 1.0}
    assert one["escape_upper_bound"] > 0.9
    assert "'unseen': 'dent'" in (project / "runs.txt").read_text()
    assert "each defect judged by a line that was never shown it" in capsys.readouterr().out
    assert "dent 1 of 2 passed, 0 reviewed" in tried_beside()


@pytest.mark.slow
def test_what_a_trial_left_that_was_killed_is_put_back_before_the_classes_are_read(
    project: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    before = Path("params.yaml").read_bytes()
    trial = overridden(["++split.unseen=slide"])
    trial.__enter__()  # and never left, as by a process that is killed
    Path("params.yaml").write_text("")
    monkeypatch.setattr("sys.argv", ["drill", "dent"])
    drill.main()

    assert list(read_json(Path("metrics/drill.json"))["classes"]) == ["dent"]
    assert Path("params.yaml").read_bytes() == before


def test_there_is_a_trial_for_each_defect_and_none_for_what_is_none() -> None:
    line: Line = sample_line()
    found = [one.overrides for one in drill.one_by_one(line)]
    assert found == [
        ("++split.unseen=dent",), ("++split.unseen=slide",), ("++split.unseen=under_press",),
    ]  # fmt: skip
    with pytest.raises(InspectionError, match=r"normal: is no defect.* dent, slide, under_press"):
        drill.one_by_one(line, ["normal"])
