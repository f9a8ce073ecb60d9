import io
import sys
from pathlib import Path

import pytest

from inspection.errors import InspectionError
from inspection.storage import write_json
from pipelines import repro
from pipelines.dvc_process import Dvc
from pipelines.repro import FOUND, Screen, found
from tests.pipelines.conftest import make_fail

ROOT = Path(__file__).parents[2]
DRAWS_A_BAR = """\
import sys
from tqdm import tqdm
for _ in tqdm(range(3), desc="photos", disable=None, mininterval=0):
    pass
sys.stderr.write("double: n_views 3\\n")
"""


class Terminal(io.StringIO):
    def isatty(self) -> bool:
        return True


def lines_of(out: io.StringIO) -> list[str]:
    return out.getvalue().splitlines()


def test_a_stage_is_one_line_of_its_name_its_time_and_what_it_found() -> None:
    out, log = io.StringIO(), io.StringIO()
    screen = Screen(out, log)
    screen.begin("crop")
    screen.line("> exec python -m stages.crop")
    screen.line("FutureWarning: timm.models.layers is deprecated")
    screen.line("crop: n_views 93")
    screen.end("93 views cropped")

    assert lines_of(out) == ["crop             0 s   93 views cropped"]
    assert "timm.models.layers" in log.getvalue()
    assert screen.numbers == "n_views 93"


def test_warnings_of_a_stage_are_shown_once_below_its_line_and_not_below_the_next() -> None:
    out = io.StringIO()
    screen = Screen(out, io.StringIO())
    screen.begin("crop")
    for _ in range(2):
        screen.line("warning: val: 6 normal views only")
    screen.end("done")
    screen.begin("train")
    screen.end("done")

    assert lines_of(out)[1:] == [
        "  warning: val: 6 normal views only",
        "train            0 s   done",
    ]


def test_on_a_terminal_the_bars_of_the_stage_are_shown_and_those_of_dvc_are_not() -> None:
    out = Terminal()
    screen = Screen(out, io.StringIO())
    screen.begin("crop")
    screen.bar("hashing a file of the project: 10%")
    screen.line("> exec python -m stages.crop")
    screen.bar("\x1b[32mfit locator: 43%\x1b[0m")
    screen.line("crop: n_views 93")
    screen.bar("committing to the cache: 10%")
    screen.end("93 views cropped")

    assert "fit locator: 43%" in out.getvalue()
    assert "\x1b[32m" not in out.getvalue()
    assert "hashing" not in out.getvalue()
    assert "committing" not in out.getvalue()
    assert out.getvalue().endswith("\r\x1b[Kcrop             0 s   93 views cropped\n")


@pytest.mark.parametrize(
    "stage", sorted(set(FOUND) - {"train"})
)  # train's metrics are in the cache
def test_the_words_of_a_stage_fit_the_metrics_of_the_run_that_is_committed(
    stage: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(ROOT)

    assert found(stage, "its own line") != "its own line"


def test_what_could_not_be_measured_is_a_dash_and_other_metrics_give_the_stages_own_line(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    fitted = {"back": {"n_fitted": 9, "val_auroc": None}, "part": {"n_fitted": 8, "val_auroc": 0.5}}
    write_json(tmp_path / "metrics/fit_anomaly.json", {"regions": fitted})
    write_json(tmp_path / "metrics/register.json", {"number": 1})

    assert found("fit_anomaly", "") == (
        "back: 9 normal views, AUROC - on unseen parts; "
        "part: 8 normal views, AUROC 0.500 on unseen parts"
    )
    assert found("register", "number 1") == "number 1"
    assert found("report", "reports/index.html") == "reports/index.html"


def test_of_heads_on_a_frozen_backbone_and_of_unmarked_defects_other_words_are_said(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    trained = {"epochs": 60, "n_out_of_fold_crops": 104, "out_of_fold_macro_f1": 0.4377}
    write_json(tmp_path / "metrics/train.json", trained)
    write_json(tmp_path / "metrics/evaluate_cam.json", {"method": "gradcam", "layer": "fused"})

    assert found("train", "").startswith("macro-F1 0.438 on 104 crops")
    assert found("evaluate_cam", "").startswith("gradcam on layer fused; no mark says where")


def test_where_tracked_data_is_missing_it_says_what_brings_it(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "data.dvc").write_text("outs: []")

    with pytest.raises(InspectionError, match=r"data: missing; draw .* with `make demo`"):
        repro.repro(Screen(io.StringIO(), io.StringIO()))


@pytest.mark.slow
def test_every_stage_is_brought_up_to_date_and_a_second_run_says_that_it_was(project: Path) -> None:
    first, second = io.StringIO(), io.StringIO()
    repro.repro(Screen(first, io.StringIO()))
    repro.repro(Screen(second, io.StringIO()))

    assert (project / "report.txt").read_text() == "7\n7\n"
    assert [line.split()[0] for line in lines_of(first)] == ["double", "report"]
    assert ["up to date" in line for line in lines_of(first)] == [False, False]
    assert ["up to date" in line for line in lines_of(second)] == [True, True]


@pytest.mark.slow
def test_a_stage_that_fails_stops_the_run_and_names_the_log(
    project: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    make_fail(project)
    monkeypatch.setattr(sys, "argv", ["repro"])

    with pytest.raises(SystemExit) as ended:
        repro.main()

    said = capsys.readouterr()
    assert ended.value.code == 1
    assert "the camera is gone" in said.err
    assert ".state/repro.log" in said.err
    assert "report" not in said.out
    assert "the camera is gone" in (project / ".state/repro.log").read_text()


@pytest.mark.slow
def test_a_stage_draws_its_progress_bars_where_someone_sees_them(project: Path) -> None:
    (project / "draws.py").write_text(DRAWS_A_BAR)
    text = (project / "dvc.yaml").read_text()
    drawing = f"{sys.executable} draws.py; cat in.txt in.txt > double.txt"
    (project / "dvc.yaml").write_text(text.replace("cat in.txt in.txt > double.txt", drawing))
    bars, lines = list[str](), list[str]()

    with Dvc(lines.append, show_bar=bars.append) as dvc:
        dvc.run("double", lines.append)
    assert any("photos" in bar and "1/3" in bar for bar in bars)
    assert "double: n_views 3" in lines

    (project / "in.txt").write_text("8\n")
    lines.clear()
    with Dvc(lines.append) as dvc:
        dvc.run("double", lines.append)
    assert not any("photos" in line for line in lines)
    assert "double: n_views 3" in lines


@pytest.mark.slow
def test_a_dvc_that_ends_on_its_terminal_is_an_error_and_no_hang(project: Path) -> None:
    with Dvc(lambda _: None, show_bar=lambda _: None) as dvc:
        stage = "double"
        text = (project / "dvc.yaml").read_text()
        (project / "dvc.yaml").write_text(text.replace("cat; cat", "kill -9 $PPID; cat"))
        with pytest.raises(InspectionError, match=r"stage double: DVC ended with -9"):
            dvc.run(stage, lambda _: None)
