import base64
import io
import json
import os
import re
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import pytest
from PIL import Image
from ruamel.yaml import YAML

from inspection.errors import InspectionError
from inspection.storage import locked, write_json, write_text
from tests.pipelines.conftest import change, make_fail
from tests.servers import answering

pytestmark = [
    pytest.mark.slow,
    pytest.mark.usefixtures("prefect_server"),
    pytest.mark.filterwarnings("default"),
]

ROOT = Path(__file__).parents[2]
# Both import Prefect at the same time, on a machine that is busy with other tests.
PATIENCE_S = 300.0


@pytest.fixture
def artifacts(monkeypatch: pytest.MonkeyPatch) -> dict[str, list[Any]]:
    """The tables and pictures that a run published, by their key, as the server has them."""
    from prefect.artifacts import create_image_artifact, create_table_artifact
    from prefect.client.orchestration import get_client
    from prefect.client.schemas.filters import ArtifactFilter, ArtifactFilterId

    published: dict[str, list[Any]] = {}

    def reading_back(create: Any) -> Any:
        def create_and_read_back(content: Any, *, key: str, description: str) -> None:
            made = create(content, key=key, description=description)
            wanted = ArtifactFilter(id=ArtifactFilterId(any_=[made]))
            with get_client(sync_client=True) as client:
                (found,) = client.read_artifacts(artifact_filter=wanted)
            published.setdefault(key, []).append(found.data)

        return create_and_read_back

    for create in (create_table_artifact, create_image_artifact):
        monkeypatch.setattr(f"pipelines.runs.records.{create.__name__}", reading_back(create))
    return published


def outcomes(done: list[dict[str, Any]]) -> list[tuple[str, str]]:
    return [(row["stage"], row["outcome"]) for row in done]


def test_a_run_brings_every_stage_up_to_date_and_publishes_what_it_did(
    project: Path, artifacts: dict[str, list[Any]]
) -> None:
    from pipelines.retrain import retrain

    change(project, "  double:", "  assemble:")
    write_json(project / "metrics/assemble.json", {"test": {"escapes": 0, "bound": 0.05512}})
    assert outcomes(retrain()) == [("assemble", "ran"), ("report", "ran")]
    assert outcomes(retrain()) == [("assemble", "up to date"), ("report", "up to date")]
    assert (project / "report.txt").read_text() == "7\n7\n"
    assert len(artifacts["retrain-stages"]) == 2
    assert '"test.bound"' in str(artifacts["retrain-metrics"][0])
    assert "0.05512" in str(artifacts["retrain-metrics"][0])


def test_confusion_and_gallery_are_published_as_pictures_that_need_no_server(
    project: Path, artifacts: dict[str, list[Any]]
) -> None:
    from pipelines.retrain import retrain

    change(project, "  double:", "  assemble:")
    change(project, "  report:", "  evaluate_cam:")
    leave_pictures(project)
    retrain()

    confusion = picture_in(artifacts["retrain-confusion-picture"][0]).decode()
    assert re.findall(r">([^<>]+)</text>", confusion) == [
        "a&amp;b", "ok", "a&amp;b", "1", "1", "ok", "0", "2",
    ]  # fmt: skip
    assert confusion.count("rgba(200,0,0,0.50)") == 1
    with Image.open(io.BytesIO(picture_in(artifacts["retrain-gallery"][0]))) as sheet:
        assert sheet.size == (4 * 224, 240)
        red, green, blue = (sheet.getpixel((x, 100)) for x in (100, 324, 548))
    assert red[0] > 200 > 60 > red[1]
    assert green[1] > 100 > 60 > green[0]
    assert blue[2] > 200 > 60 > blue[0]


def leave_pictures(project: Path) -> None:
    """What the stages leave of confusion and gallery."""
    table = "actual,predicted\na&b,a&b\na&b,ok\nok,ok\nok,ok\n"
    write_text(project / "artifacts/test_fold/confusion.csv", table)
    gallery = project / "artifacts/cam/gallery"
    gallery.mkdir(parents=True)
    shown = [("red", "dent"), ("blue", "dent"), ("green", "ok")]
    for colour, _ in shown:
        Image.new("RGB", (256, 256), colour).save(gallery / f"{colour}.png")
    write_json(gallery / "index.json", [{"file": f"{colour}.png", "label": label}
                                        for colour, label in shown])  # fmt: skip


def picture_in(data: str) -> bytes:
    head, _, content = data.partition(";base64,")
    assert head.startswith("data:image/")
    return base64.b64decode(content)


def test_a_stage_that_is_wrong_is_tried_once_fails_the_run_and_stops_what_follows(
    project: Path, artifacts: dict[str, list[Any]]
) -> None:
    from pipelines.retrain import retrain

    make_fail(project)
    write_json(project / "metrics/assemble.json", {"of": "the run before"})
    leave_pictures(project)
    with pytest.raises(InspectionError, match=r"(?s)stage double: .*the camera is gone"):
        retrain()
    assert (project / "tries.txt").read_text() == "try\n"
    assert not (project / "report.txt").exists()
    assert '"failed"' in str(artifacts["retrain-stages"][-1])
    assert '"not begun"' in str(artifacts["retrain-stages"][-1])
    assert set(artifacts) == {"retrain-stages"}


def test_a_stage_that_was_killed_is_tried_again(
    project: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from pipelines import retrain as module

    monkeypatch.setattr(module.run_stage, "retry_delay_seconds", 0)
    killed_once = "test -f tried || { touch tried; kill -9 $$; }; cat in.txt in.txt > double.txt"
    change(project, "cat in.txt in.txt > double.txt", killed_once)

    assert outcomes(module.retrain()) == [("double", "ran"), ("report", "ran")]


def test_stages_that_do_not_need_each_other_run_side_by_side(project: Path) -> None:
    from pipelines.retrain import retrain

    waits = "for i in $(seq 300); do test -f {other} && break; sleep 0.1; done; test -f {other}"
    stages = {
        name: {
            "cmd": f"mkdir -p met; touch met/{name}; {waits.format(other=f'met/{other}')}; "
            f"echo {name} > {name}.txt",
            "deps": ["in.txt"],
            "outs": [f"{name}.txt"],
        }
        for name, other in (("left", "right"), ("right", "left"))
    }
    stages["both"] = {"cmd": "cat left.txt right.txt > both.txt",
                      "deps": ["left.txt", "right.txt"], "outs": ["both.txt"]}  # fmt: skip
    with (project / "dvc.yaml").open("w") as file:
        YAML().dump({"stages": stages}, file)

    done = retrain()
    assert {row["outcome"] for row in done} == {"ran"}
    assert (project / "both.txt").read_text() == "left\nright\n"
    assert {row["outcome"] for row in retrain()} == {"up to date"}


def test_a_task_runner_of_processes_can_take_the_stages(project: Path) -> None:
    """A task is given the name of a stage and no live object."""
    from prefect.task_runners import ProcessPoolTaskRunner

    from pipelines.retrain import retrain

    in_processes = retrain.with_options(task_runner=ProcessPoolTaskRunner(max_workers=2))
    assert outcomes(in_processes()) == [("double", "ran"), ("report", "ran")]
    assert (project / "report.txt").read_text() == "7\n7\n"


def test_only_the_stages_that_are_named_run_and_one_that_is_not_there_is_one_line(
    project: Path,
) -> None:
    from pipelines.retrain import retrain

    assert outcomes(retrain(stages=["double"])) == [("double", "ran")]
    assert not (project / "report.txt").exists()
    with pytest.raises(InspectionError, match=r"stages: 'dubble' not in dvc.yaml; it has double"):
        retrain(stages=["dubble"])


def test_a_registry_that_is_none_is_told_before_anything_is_trained(
    project: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    from pipelines.retrain import retrain

    change(project, "  double:", "  train:")
    (project / "params.yaml").write_text("tracking: {store: mlruns}\n")
    with answering("<html>", status=404) as address:
        monkeypatch.setenv("MLFLOW_TRACKING_URI", address)
        with pytest.raises(InspectionError, match="not as an MLflow server does"):
            retrain()

    assert not (project / "double.txt").exists()
    assert "Traceback" not in caplog.text


def test_the_results_are_committed_on_a_branch_that_can_be_merged(project: Path) -> None:
    from pipelines.retrain import retrain

    first_commit(project)
    retrain()
    (branch,) = branches()
    assert git("log", "-1", "--format=%s %an", branch) == "retrain: all stages up to date Knurl"
    assert "report.txt" in git("show", f"{branch}:dvc.lock")
    assert git("log", "--format=%s") == "the first"  # what is checked out has not moved

    retrain()
    assert branches() == [branch]  # nothing new

    git("add", "--update", ".")
    git("merge", "--quiet", branch)
    assert git("log", "-1", "--format=%s") == "retrain: all stages up to date"
    assert git("status", "--porcelain", "--untracked-files=no") == ""


def test_overrides_hold_for_one_run_whose_results_are_on_the_branch(project: Path) -> None:
    from pipelines.retrain import retrain

    change(project, "deps: [in.txt]", "deps: [in.txt]\n    params: [train.epochs]")
    (project / "params.yaml").write_text("train:\n  epochs: 10  # enough\n")
    retrain()
    first_commit(project)
    before, known = (project / "dvc.lock").read_text(), branches()

    assert outcomes(retrain(overrides=["train.epochs=3"]))[0] == ("double", "ran")
    (branch,) = set(branches()) - set(known)
    assert "epochs: 3" in git("show", f"{branch}:params.yaml")
    assert "train.epochs: 3" in git("show", f"{branch}:dvc.lock")
    assert (project / "params.yaml").read_text() == "train:\n  epochs: 10  # enough\n"
    assert (project / "dvc.lock").read_text() == before
    assert git("status", "--porcelain", "--untracked-files=no") == ""
    assert outcomes(retrain()) == [("double", "up to date"), ("report", "up to date")]


def test_an_override_of_no_parameter_is_one_line_and_changes_nothing(project: Path) -> None:
    from pipelines.retrain import retrain

    (project / "params.yaml").write_text("train:\n  epochs: 10\n")
    with pytest.raises(InspectionError, match=r"overrides: \['train.epoch=3'\]: .*epoch"):
        retrain(overrides=["train.epoch=3"])
    assert (project / "params.yaml").read_text() == "train:\n  epochs: 10\n"
    assert not (project / "double.txt").exists()


def test_what_an_overridden_run_left_that_was_killed_is_put_back_by_the_next(
    project: Path,
) -> None:
    from pipelines.retrain import retrain
    from pipelines.runs.overrides import overridden

    (project / "params.yaml").write_text("train:\n  epochs: 10\n")
    context = overridden(["train.epochs=1"])
    context.__enter__()  # and never left, as by a process that is killed
    assert "epochs: 1\n" in (project / "params.yaml").read_text()

    retrain()
    assert (project / "params.yaml").read_text() == "train:\n  epochs: 10\n"


def test_parameters_are_whole_at_every_moment_of_an_override(
    project: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from pipelines.runs.overrides import overridden

    (project / "params.yaml").write_text("train:\n  epochs: 10\n")

    def killed(path: Path, overrides: list[str]) -> None:
        """As DVC's own, which empties the file first, killed there."""
        Path(path).write_text("")
        seen.append((project / "params.yaml").read_text())
        raise KeyboardInterrupt

    seen: list[str] = []
    monkeypatch.setattr("dvc.utils.hydra.apply_overrides", killed)
    with pytest.raises(KeyboardInterrupt), overridden(["train.epochs=1"]):
        pytest.fail("ran with parameters that are not there")
    assert seen == ["train:\n  epochs: 10\n"]


def test_a_run_that_fails_is_told_at_the_webhook(
    project: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from pipelines.retrain import retrain

    make_fail(project)
    with webhook() as (url, received):
        monkeypatch.setenv("KNURL_WEBHOOK", url)
        with pytest.raises(InspectionError):
            retrain()
    assert len(received) == 1
    assert received[0]["text"].startswith("retrain/")
    assert "the camera is gone" in received[0]["text"]


def test_no_run_begins_beside_another(project: Path) -> None:
    from pipelines.retrain import LOCK, retrain

    with (
        locked(LOCK, holder="flow retrain"),
        pytest.raises(InspectionError, match=r"retrain\.lock: flow retrain is running already"),
    ):
        retrain()
    assert not (project / "double.txt").exists()


def test_of_two_runs_that_begin_at_once_one_runs_and_the_other_says_so(project: Path) -> None:
    """Each in a process of its own; the stage waits until one of the two has ended."""
    waits = "until test -f go; do sleep 0.1; done"
    again = f"echo ran >> runs.txt; {waits}; cat in.txt in.txt > double.txt"
    change(project, "cat in.txt in.txt > double.txt", again)
    runs = [
        subprocess.Popen(
            [sys.executable, "-m", "pipelines.retrain"],
            env=os.environ | environment(),
            stdout=subprocess.DEVNULL,
            stderr=subprocess.PIPE,
            text=True,
        )
        for _ in range(2)
    ]
    deadline = time.monotonic() + PATIENCE_S
    while all(run.poll() is None for run in runs) and time.monotonic() < deadline:
        time.sleep(0.1)
    (project / "go").touch()
    texts = [run.communicate()[1] for run in runs]
    said = dict(zip([run.returncode for run in runs], texts, strict=True))

    assert set(said) == {0, 1}, said
    assert "retrain: failed\n.state/locks/retrain.lock: flow retrain is running already" in said[1]
    assert "Traceback" not in said[1]
    assert (project / "runs.txt").read_text() == "ran\n"
    assert (project / "report.txt").read_text() == "7\n7\n"


def test_a_temporary_server_that_comes_too_late_is_told_in_one_line(project: Path) -> None:
    """It is granted no time at all."""
    no_server = environment() | {"PREFECT_API_URL": "", "PREFECT_HOME": str(project / "prefect")}
    impatient = "from pipelines import retrain; retrain.SERVER_START_S = 0; retrain.main()"
    done = subprocess.run(
        [sys.executable, "-c", impatient],
        env=os.environ | no_server,
        capture_output=True,
        text=True,
    )
    assert done.returncode == 1
    assert "retrain: Prefect's server did not answer within 0 s" in done.stderr
    assert "Traceback" not in done.stderr
    assert not (project / "double.txt").exists()


def test_the_deployments_name_their_flows_and_retrain_runs_weekly_one_at_a_time() -> None:
    from prefect.flows import load_flow_from_entrypoint

    deployments = YAML(typ="safe").load((ROOT / "prefect.yaml").read_text())["deployments"]
    flows: list[Any] = [load_flow_from_entrypoint(one["entrypoint"]) for one in deployments]
    named = [f"{flow.name}/{one['name']}" for flow, one in zip(flows, deployments, strict=True)]

    assert named == [
        "retrain/weekly", "watch/hourly", "inbox/half-past", "promote/by-hand", "rollback/by-hand",
        "inspect-lot/by-hand", "retrain/docker", "retrain/kubernetes",
    ]  # fmt: skip
    assert deployments[0]["schedules"][0]["cron"] == "0 2 * * 0"
    assert deployments[0]["concurrency_limit"]["limit"] == 1


def test_results_are_never_pickled() -> None:
    from pipelines.retrain import retrain, run_stage

    for runnable in (retrain, run_stage):
        assert runnable.result_serializer == "json"
        assert runnable.persist_result is False


def test_nested_metrics_become_rows_of_name_and_value() -> None:
    from pipelines.runs.records import flat

    metrics = {"test": {"escapes": 0, "rate": 0.123456}, "classes": ["dent"], "gate": None}
    assert [(row["metric"], row["value"]) for row in flat(metrics)] == [
        ("test.escapes", "0"),
        ("test.rate", "0.1235"),
        ("classes", '["dent"]'),
        ("gate", "null"),
    ]


def git(*words: str) -> str:
    identity = {f"GIT_{role}_{key}": "Ada@here" for role in ("AUTHOR", "COMMITTER")
                for key in ("NAME", "EMAIL")}  # fmt: skip
    command = ["git", *words]
    env = os.environ | identity
    done = subprocess.run(command, capture_output=True, text=True, check=True, env=env)
    return done.stdout.strip()


def first_commit(project: Path) -> None:
    (project / "metrics").mkdir(exist_ok=True)
    (project / "metrics/n.json").write_text("{}")
    (project / "dvc.lock").touch()
    git("add", "dvc.yaml", "dvc.lock", "in.txt", "metrics", ".dvc")
    if (project / "params.yaml").exists():
        git("add", "params.yaml")
    git("commit", "--quiet", "-m", "the first")


def branches() -> list[str]:
    return git("for-each-ref", "--format=%(refname:short)", "refs/heads/retrain/").split()


@contextmanager
def webhook() -> Iterator[tuple[str, list[dict[str, Any]]]]:
    """A server that keeps what is posted to it, and its address."""
    received: list[dict[str, Any]] = []

    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            received.append(json.loads(self.rfile.read(int(self.headers["content-length"]))))
            self.send_response(204)
            self.end_headers()

        def log_message(self, *_: Any) -> None:
            pass

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    try:
        yield f"http://127.0.0.1:{server.server_port}/", received
    finally:
        server.shutdown()
        server.server_close()


def environment() -> dict[str, str]:
    """This process's, with the project importable and the test's Prefect server."""
    from prefect.settings import get_current_settings

    return get_current_settings().to_environment_variables(exclude_unset=True) | {
        "PYTHONPATH": str(ROOT)
    }


def test_two_checkouts_share_their_runs_by_the_remotes_of_git_and_dvc(
    project: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from pipelines.retrain import retrain

    for key in ("name", "email"):
        git("config", f"user.{key}", "Ada@here")
    first_commit(project)
    git("rm", "--quiet", "--cached", "dvc.lock")
    (project / "dvc.lock").unlink()
    git("commit", "--quiet", "-m", "nothing has run")
    with pytest.raises(InspectionError, match="shared: git has no remote here"):
        retrain(shared=True)

    plant = tmp_path / "plant.git"
    git("init", "--quiet", "--bare", str(plant))
    git("remote", "add", "origin", str(plant))
    with pytest.raises(InspectionError, match="shared: DVC has no remote here"):
        retrain(shared=True)

    dvc("remote", "add", "--default", "plant", str(tmp_path / "store"))
    git("commit", "--quiet", "--all", "-m", "a remote for all")
    main = git("branch", "--show-current")
    git("push", "--quiet", "--set-upstream", "origin", main)
    other = tmp_path / "other"
    git("clone", "--quiet", "--branch", main, str(plant), str(other))

    # the other checkout runs the stages, and this one takes what they made
    monkeypatch.chdir(other)
    assert outcomes(retrain(shared=True)) == [("double", "ran"), ("report", "ran")]
    (made,) = branches()
    monkeypatch.chdir(project)
    git("fetch", "--quiet")
    git("merge", "--quiet", f"origin/{made}")
    git("push", "--quiet")
    assert outcomes(retrain(shared=True)) == [("double", "up to date"), ("report", "up to date")]
    assert (project / "report.txt").read_text() == "7\n7\n"

    # and what is changed here is what the other one runs next, though it never committed its run
    (project / "in.txt").write_text("8\n")
    git("commit", "--quiet", "--all", "-m", "another input")
    git("push", "--quiet")
    monkeypatch.chdir(other)
    assert outcomes(retrain(shared=True)) == [("double", "ran"), ("report", "ran")]
    assert (other / "report.txt").read_text() == "8\n8\n"
    assert len(branches()) == 2
    assert git("rev-parse", "HEAD") == git("rev-parse", f"origin/{main}")


def test_a_file_that_was_edited_here_and_changed_elsewhere_is_not_overwritten(
    project: Path, tmp_path: Path
) -> None:
    from pipelines.runs import shared

    first_commit(project)
    plant, other = tmp_path / "plant.git", tmp_path / "other"
    git("init", "--quiet", "--bare", str(plant))
    git("remote", "add", "origin", str(plant))
    dvc("remote", "add", "--default", "plant", str(tmp_path / "store"))
    main = git("branch", "--show-current")
    git("push", "--quiet", "--set-upstream", "origin", main)
    git("clone", "--quiet", "--branch", main, str(plant), str(other))
    (other / "in.txt").write_text("9\n")
    git("-C", str(other), "commit", "--quiet", "--all", "-m", "nine")
    git("-C", str(other), "push", "--quiet")

    (project / "in.txt").write_text("mine\n")
    with pytest.raises(
        InspectionError, match=r"(?s)shared: git merge: .*in\.txt.*see `git status`"
    ):
        shared.take()
    assert (project / "in.txt").read_text() == "mine\n"


def dvc(*words: str) -> None:
    subprocess.run([sys.executable, "-m", "dvc", *words, "--quiet"], check=True)


def test_stages_that_are_none_are_told_before_a_server_is_started(
    project: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    from pipelines import retrain

    def no_server(*_: Any, **__: Any) -> None:
        raise AssertionError("a server was started")

    monkeypatch.setattr(retrain, "retrain", no_server)
    monkeypatch.setattr("sys.argv", ["retrain", "--stages", "dubble"])
    with pytest.raises(SystemExit, match="1"):
        retrain.main()
    assert "stages: 'dubble' not in dvc.yaml; it has " in capsys.readouterr().err
