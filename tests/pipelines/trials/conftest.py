"""A project whose one stage judges parts that its parameters hold back."""

import json
from pathlib import Path

import pytest
from ruamel.yaml import YAML

from inspection.runtime.bundle import read_card, write_card
from tests.bundles import make_bundle
from tests.pipelines.conftest import empty_project

N_PARTS = 10
# Every fifth part is defective and scores high; `part-5` passes all the same.
JUDGING = """
import json, pathlib, shutil, sys
from ruamel.yaml import YAML

params = YAML(typ="safe").load(open("params.yaml"))
split = params.pop("split")
params.pop("line")
with open("runs.txt", "a") as runs:
    runs.write(f"{split} {params}\\n")
if pathlib.Path("camera-is-off").exists() and split.get("outer_fold") == 1:
    sys.exit("the camera is off")
rows = ["part_id,label,verdict,named,classified,worst_view,n_views,fused,classifier,anomaly"]
for number in range(%d):
    label = "dent" if number %% 5 == 0 else "normal"
    if "outer_fold" in split and number %% split["outer_folds"] != split["outer_fold"]:
        continue
    verdict = "reject" if label == "dent" and number != 5 else "pass"
    score = 0.9 if label == "dent" else 0.01 * number
    rows.append(f"part-{number},{label},{verdict},{label},{label},0,1,{score},{score},{score}")
folder = pathlib.Path("artifacts/test_fold")
folder.mkdir(parents=True)
(folder / "parts.csv").write_text("\\n".join([*rows, ""]))
shutil.copytree("made", "models/bundle")
"""
PIPELINE = """\
stages:
  assemble:
    cmd: python judging.py
    deps: [judging.py]
    params: [split]
    outs: [artifacts/test_fold, models/bundle]
  register:
    cmd: echo registered >> registered.txt
    deps: [models/bundle]
"""
COSTS = {"escape_cost": 100.0, "overkill_cost": 1.0, "review_cost": 0.3, "defect_rate": 0.05}


@pytest.fixture
def project(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The current folder: a DVC project with parameters `split.seed` and `line`, never run."""
    folder = empty_project(tmp_path, monkeypatch)
    (folder / "dvc.yaml").write_text(PIPELINE)
    (folder / "judging.py").write_text(JUDGING % N_PARTS)
    card = make_bundle(folder / "made")
    measured = {"fused_auroc": 0.9, "anomaly_auroc": None}
    write_card(folder / "made", card.model_copy(update={"metrics": measured, "costs": COSTS}))
    line = read_card(folder / "made").line.model_dump(mode="json", exclude_defaults=True)
    with (folder / "params.yaml").open("w") as file:
        YAML().dump({"split": {"seed": 0}, "line": json.loads(json.dumps(line))}, file)
    return folder
