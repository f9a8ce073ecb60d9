from pathlib import Path

import pytest

from inspection.errors import InspectionError
from pipelines.intake.steps import changing_data
from pipelines.trials.evidence import outer_folds
from pipelines.trials.trial import design, judged, key

pytestmark = pytest.mark.slow


def n_runs(project: Path) -> int:
    return len((project / "runs.txt").read_text().splitlines())


def test_each_trial_has_its_parameters_and_afterwards_all_is_as_it_was(project: Path) -> None:
    params = (project / "params.yaml").read_text()
    first, second = judged(outer_folds(2))

    assert list(first.table["part_id"]) == [f"part-{number}" for number in (0, 2, 4, 6, 8)]
    assert list(second.table["part_id"]) == [f"part-{number}" for number in (1, 3, 5, 7, 9)]
    assert (project / "params.yaml").read_text() == params
    assert not (project / "dvc.lock").exists()
    assert not (project / "registered.txt").exists()


def test_a_trial_that_was_run_is_not_run_again_until_something_changes(project: Path) -> None:
    list(judged(outer_folds(2)))
    again = list(judged(outer_folds(2)))
    assert n_runs(project) == 2
    assert [len(one.table) for one in again] == [5, 5]

    source = project / "judging.py"
    source.write_text(source.read_text() + "# another state of the code\n")
    list(judged(outer_folds(2)))
    assert n_runs(project) == 4


def test_trials_that_were_stopped_go_on_where_they_were(project: Path) -> None:
    params = (project / "params.yaml").read_text()
    (project / "camera-is-off").touch()
    with pytest.raises(InspectionError, match="the camera is off"):
        list(judged(outer_folds(2)))
    assert (project / "params.yaml").read_text() == params

    (project / "camera-is-off").unlink()
    assert len(list(judged(outer_folds(2)))) == 2
    assert (project / "runs.txt").read_text().count("'outer_fold': 0") == 1
    assert (project / "runs.txt").read_text().count("'outer_fold': 1") == 2


def test_no_trial_begins_while_something_else_changes_the_data(project: Path) -> None:
    with changing_data(), pytest.raises(InspectionError, match="running already"):
        list(judged(outer_folds(2)))
    assert not (project / "runs.txt").exists()


def test_the_name_of_a_trial_follows_from_what_it_depends_on(project: Path) -> None:
    first, second = outer_folds(2)
    names = {key(first), key(second), design()}
    assert len(names) == 3
    (project / "data.dvc").write_text("outs: []\n")
    assert not names & {key(first), key(second), design()}
