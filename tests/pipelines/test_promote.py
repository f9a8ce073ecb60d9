"""Promotion in a real store: refused, overridden, superseded, synced, rolled back."""

import json
import logging
import shutil
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import httpx
import pandas as pd
import psutil
import pytest
from ruamel.yaml import YAML
from starlette.testclient import TestClient

from dashboard.registered import registered
from dashboard.versions import versions
from inspection.errors import InspectionError
from inspection.runtime import bundle
from inspection.runtime.bundle import CARD, verified
from inspection.runtime.releases import champion
from inspection.runtime.signatures import make_keys, read_public_key
from inspection.storage import read_json, write_table, write_text
from pipelines import promote as promotion
from pipelines import promotion_flows, watch_flow
from pipelines import rollback as back
from pipelines.champions import HISTORY, RELEASES, USUAL_TAG, Registry, usual_path
from pipelines.evidence import judge
from pipelines.promote import promote, sync
from pipelines.rollback import rollback
from pipelines.runs.store import opened
from pipelines.status import fetched, status
from pipelines.status import main as status_command
from serving.api import create_app
from serving.champion import Champion
from stages import tracking
from stages.tracking import CARD_TAG
from tests import bundles
from tests.architecture import ROOT
from tests.bundles import draw_jpeg
from tests.registering import N_PARTS, Project
from tests.surroundings import plain_environment

# Two processes that import MLflow, on a machine that is busy with other tests.
PATIENCE_S = 300.0
# From a promotion to the first answer of what was promoted.
PROMISE_S = 10.0
# As many at once as the light lane has threads, and one that waits.
N_CLIENTS = 3

pytestmark = [pytest.mark.slow, pytest.mark.filterwarnings("default")]


@pytest.fixture(scope="module")
def store(tmp_path_factory: pytest.TempPathFactory) -> tracking.TrackingParams:
    folder = tmp_path_factory.mktemp("mlflow") / "mlruns"
    return tracking.TrackingParams(store=str(folder), experiment="promotion")


@pytest.fixture
def project(tmp_path: Path, store: tracking.TrackingParams) -> Project:
    return Project(tmp_path, store, f"line-of-{tmp_path.name}")


@pytest.fixture
def promoted(project: Project, monkeypatch: pytest.MonkeyPatch) -> Registry:
    """A project whose first version serves."""
    project.register(monkeypatch, "a")
    assert promote(by="Ada") == "promoted"
    return opened()[2]


def outcomes(registry: Registry) -> list[str]:
    return [entry["outcome"] for entry in registry.entries()]


def test_the_first_version_is_promoted_by_the_same_gate_and_entered(promoted: Registry) -> None:
    (entry,) = promoted.entries()

    assert promoted.aliases() == {"challenger": "1", "champion": "1"}
    assert champion(RELEASES).name == promoted.tags("1")["release"]
    assert (entry["from"], entry["to"], entry["who"]) == (None, "1", "Ada")
    assert {"parity", "latency", "golden parts"} <= {rule["name"] for rule in entry["rules"]}
    assert len((RELEASES / HISTORY).read_text().splitlines()) == 1


def test_what_normal_test_parts_look_like_is_kept_with_what_was_promoted(
    project: Project, monkeypatch: pytest.MonkeyPatch
) -> None:
    views = pd.read_parquet(project.root / "manifest.parquet")
    write_table(project.root / "artifacts/manifest/manifest.parquet", views.assign(camera="Ch00"))
    project.register(monkeypatch, "a")
    promote(by="Ada")
    (usual,) = RELEASES.glob("*.usual.json")
    looks = read_json(usual)

    assert usual == usual_path(RELEASES, champion(RELEASES).name)
    assert set(looks) == {"Ch00"}
    # of the normal test parts: their rods are drawn with a grey of 120, dents are brighter
    assert len(looks["Ch00"]["brightness of rod"]) == N_PARTS
    assert looks["Ch00"]["brightness of rod"] == pytest.approx([120.0] * N_PARTS, abs=3)
    assert max(looks["Ch00"]["score of classifier"]) < 0.3


def test_a_host_that_follows_gets_what_is_usual_by_the_hash_of_the_record(
    promoted: Registry, tmp_path: Path
) -> None:
    release = promoted.tags("1")["release"]
    kept = usual_path(RELEASES, release)
    host = Registry(promoted.mlflow, promoted.line, tmp_path / "host")
    host.bring_usual("1")
    there = usual_path(host.releases, release)
    assert there.read_bytes() == kept.read_bytes()

    # one that was changed there is fetched anew, and one that was changed in the registry is not
    there.write_text("{}")
    host.bring_usual("1")
    assert there.read_bytes() == kept.read_bytes()
    there.unlink()
    run = promoted.client.get_run(promoted.tags("1")["run_id"])
    recorded = f"usual/{promoted.tags('1')[USUAL_TAG]}.json"
    artifact = Path(run.info.artifact_uri) / recorded
    artifact.write_text("{}")
    with pytest.raises(InspectionError, match="is in the registry not what was recorded"):
        host.bring_usual("1")
    artifact.unlink()
    with pytest.raises(InspectionError, match="cannot be fetched"):
        host.bring_usual("1")
    assert not there.exists()

    # of a version that was promoted before there was a record of it
    promoted.client.delete_model_version_tag(promoted.line, "1", USUAL_TAG)
    host.bring_usual("1")
    assert not there.exists()

    assert promote(by="Ada") == "champion already"
    host.bring_usual("1")
    assert there.read_bytes() == kept.read_bytes()


def test_a_worse_challenger_is_refused_with_rule_and_numbers_as_a_tag(
    promoted: Registry, project: Project, monkeypatch: pytest.MonkeyPatch
) -> None:
    before = champion(RELEASES)
    project.register(monkeypatch, "b", spoiled=True)

    assert promote(by="Ada") == "refused"
    assert promoted.aliases() == {"challenger": "2", "champion": "1"}
    assert champion(RELEASES) == before
    tags = promoted.tags("2")
    assert tags["gate"] == "refused"
    assert "escapes: dent: 0 -> 6 of 6 parts (worse 6, better 0, p 0.016)" in tags["gate_reason"]


def test_an_override_promotes_with_name_and_reason(
    promoted: Registry, project: Project, monkeypatch: pytest.MonkeyPatch
) -> None:
    project.register(monkeypatch, "b", spoiled=True)

    assert promote(override="trial on line 3", by="Grace") == "overridden"
    entry = promoted.entries()[-1]
    assert (entry["who"], entry["why"]) == ("Grace", "trial on line 3")
    assert any(not rule["passed"] for rule in entry["rules"])
    assert promoted.aliases() == {"challenger": "2", "champion": "2", "previous": "1"}


def test_a_champion_that_this_software_cannot_judge_by_wants_an_override(
    project: Project, monkeypatch: pytest.MonkeyPatch
) -> None:
    older = bundle.SCHEMA_VERSION - 1
    with monkeypatch.context() as before:
        for module in (bundle, bundles):
            before.setattr(module, "SCHEMA_VERSION", older)
        project.register(before, "a")
        assert promote(by="Ada") == "promoted"
    project.register(monkeypatch, "b")
    registry = opened()[2]

    assert promote(by="Ada") == "refused"
    assert "schema version" in registry.tags("2")["gate_reason"]

    assert promote(override="new software", by="Grace") == "overridden"
    assert registry.aliases()["champion"] == "2"
    assert champion(RELEASES).name == registry.tags("2")["release"]


def test_an_equal_challenger_is_promoted_and_rollback_brings_the_old_one_back(
    promoted: Registry, project: Project, monkeypatch: pytest.MonkeyPatch
) -> None:
    first = champion(RELEASES)
    project.register(monkeypatch, "b")
    assert promote(by="Ada") == "promoted"
    assert champion(RELEASES) != first

    rollback(reason="overkill on Monday", by="Grace")
    assert champion(RELEASES) == first
    assert promoted.aliases() == {"challenger": "2", "champion": "1", "previous": "2"}
    assert outcomes(promoted) == ["promoted", "promoted", "rolled back"]

    assert promote(by="Ada") == "refused"
    assert "by Grace: overkill on Monday" in promoted.tags("2")["gate_reason"]
    assert "rolled back" in status(promoted)


def test_the_dashboard_knows_challenger_and_previous_and_what_is_in_the_registry_alone(
    promoted: Registry, project: Project, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Of three versions the first served before, the second serves, the third challenges."""
    project.register(monkeypatch, "b")
    assert promote(by="Ada") == "promoted"
    project.register(monkeypatch, "c")
    seen = registered(RELEASES, project.root / "receipt.json")
    assert [(one.number, one.aliases) for one in seen] == [
        ("3", ("challenger",)), ("2", ("champion",)), ("1", ("previous",)),
    ]  # fmt: skip

    monkeypatch.setattr("sys.argv", ["status"])
    status_command()
    seen = registered(RELEASES, Path("no receipt"))
    assert [(one.number, one.aliases) for one in seen] == [
        ("3", ("challenger",)), ("2", ("champion",)), ("1", ("previous",)),
    ]  # fmt: skip
    roles = {one.name: one.role for one in versions(RELEASES, project.root / "bundle", seen)}
    names = [promoted.tags(number)["release"] for number in "12"]
    assert [roles[name] for name in names] == ["previous", "champion"]
    assert "challenger, assembled last" in roles.values()


def test_a_version_that_is_in_the_registry_alone_is_fetched_by_its_number(
    promoted: Registry, project: Project, monkeypatch: pytest.MonkeyPatch
) -> None:
    project.register(monkeypatch, "b")
    folder = RELEASES / promoted.tags("2")["release"]
    assert not folder.exists()
    monkeypatch.setattr("sys.argv", ["status", "--fetch", "2"])
    status_command()
    assert verified(folder).version == "b"

    for number in ("3", "b"):
        with pytest.raises(InspectionError, match=f"has no version '{number}'"):
            fetched(promoted, number)


def test_under_load_promotion_and_rollback_serve_within_ten_seconds_and_nothing_fails(
    promoted: Registry, project: Project, monkeypatch: pytest.MonkeyPatch
) -> None:
    first = promoted.tags("1")["release"]
    project.register(monkeypatch, "b")
    second = promoted.tags("2")["release"]

    serving = Champion(RELEASES.absolute())
    serving.start()
    with TestClient(create_app(serving)) as client, under_load(client) as answers:
        wait_for_release(first, answers)
        assert promote(by="Ada") == "promoted"
        wait_for_release(second, answers)
        rollback(reason="overkill on Monday", by="Grace")
        wait_for_release(first, answers)
    serving.stop()

    assert {answer.status_code for answer in answers} == {200}
    cards = {(one["release"], one["card_sha256"]) for one in map(model_of, answers)}
    assert cards == {(promoted.tags(n)["release"], promoted.tags(n)[CARD_TAG]) for n in "12"}


@contextmanager
def under_load(client: TestClient) -> Iterator[list[httpx.Response]]:
    """Clients that ask for a verdict again and again; yields the answers as they come."""
    answers: list[httpx.Response] = []
    ended = threading.Event()

    def ask() -> None:
        while not ended.is_set():
            files = {"views": ("a.jpg", draw_jpeg("dent"))}
            answers.append(client.post("/inspect", files=files))

    threads = [threading.Thread(target=ask) for _ in range(N_CLIENTS)]
    for thread in threads:
        thread.start()
    try:
        yield answers
    finally:
        ended.set()
        for thread in threads:
            thread.join()


def wait_for_release(release: str, answers: list[httpx.Response]) -> None:
    """Until an answer that comes from now on names this release."""
    n_before, deadline = len(answers), time.monotonic() + PROMISE_S
    while release not in [model_of(answer)["release"] for answer in answers[n_before:]]:
        assert time.monotonic() < deadline
        time.sleep(0.05)


def model_of(answer: httpx.Response) -> dict[str, str]:
    model: dict[str, str] = answer.json()["model"]
    return model


def test_what_is_promoted_and_rolled_back_to_is_signed_where_a_key_is_named(
    promoted: Registry, project: Project, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    public = read_public_key(make_keys(tmp_path / "line.key"))
    monkeypatch.setenv("KNURL_SIGNING_KEY", str(tmp_path / "line.key"))
    with pytest.raises(InspectionError, match="only signed releases may serve"):
        champion(RELEASES, public)

    project.register(monkeypatch, "b")
    assert promote(by="Ada") == "promoted"
    second = champion(RELEASES, public)
    rollback(reason="", by="Grace")
    assert champion(RELEASES, public) != second


@pytest.mark.parametrize(
    ("cut_off_at", "call"),
    [
        ("set_registered_model_alias", 1),
        ("set_model_version_tag", 2),  # the first one writes the entry
        ("delete_registered_model_tag", 1),
    ],
)
def test_a_rollback_that_is_cut_off_is_finished_once_by_the_next_command(
    promoted: Registry,
    project: Project,
    monkeypatch: pytest.MonkeyPatch,
    cut_off_at: str,
    call: int,
) -> None:
    first = champion(RELEASES)
    project.register(monkeypatch, "b")
    assert promote(by="Ada") == "promoted"
    roll_back_killed(promoted, monkeypatch, cut_off_at, call)

    assert "run it again to go back" in rollback(reason="overkill", by="Grace")
    assert promoted.aliases() == {"challenger": "2", "champion": "1", "previous": "2"}
    assert champion(RELEASES) == first
    assert promoted.tags("2")["rolled_back"] == "by Grace: overkill"
    assert outcomes(promoted) == ["promoted", "promoted", "rolled back"]
    assert written() == promoted.entries()


@pytest.mark.parametrize(
    ("cut_off_at", "call"),
    [
        ("set_model_version_tag", 1),
        ("set_registered_model_tag", 2),  # the first one says that a move is under way
    ],
)
def test_a_rollback_that_is_cut_off_before_its_entry_has_not_begun(
    promoted: Registry,
    project: Project,
    monkeypatch: pytest.MonkeyPatch,
    cut_off_at: str,
    call: int,
) -> None:
    project.register(monkeypatch, "b")
    assert promote(by="Ada") == "promoted"
    roll_back_killed(promoted, monkeypatch, cut_off_at, call)
    assert outcomes(promoted) == ["promoted", "promoted"]

    assert rollback(reason="", by="Ada") == "version 1 is the champion again; before: 2"
    assert [entry["who"] for entry in promoted.entries()] == ["Ada", "Ada", "Ada"]
    assert written() == promoted.entries()


def roll_back_killed(
    registry: Registry, monkeypatch: pytest.MonkeyPatch, method: str, call: int
) -> None:
    """Roll back in the name of Grace, killed at so many calls of a method of MLflow's client."""
    client = registry.mlflow.MlflowClient
    really, called = getattr(client, method), []

    def killed(*given: object) -> None:
        called.append(given)
        if len(called) == call:
            raise KeyboardInterrupt
        really(*given)

    with monkeypatch.context() as patch:
        patch.setattr(client, method, killed)
        with pytest.raises(KeyboardInterrupt):
            rollback(reason="overkill", by="Grace")


def written() -> list[dict[str, Any]]:
    """The entries that the history holds."""
    return [json.loads(line) for line in (RELEASES / HISTORY).read_text().splitlines()]


def test_an_entry_is_kept_whole_and_in_brief_and_those_of_older_software_are_read(
    promoted: Registry,
) -> None:
    (first,) = promoted.entries()
    tag = json.loads(promoted.client.get_registered_model(promoted.line).tags["entry-000001"])
    assert tag == {key: value for key, value in first.items() if key != "rules"}
    assert first["rules"]

    older = {"from": None, "outcome": "refused", "rules": [{"passed": False}], "to": "1"}
    text = json.dumps(older | {"when": "2026-01-01", "who": "Ada", "why": "parity"})
    promoted.client.set_registered_model_tag(promoted.line, "entry-000002", text)
    assert promoted.entries() == [first, json.loads(text)]
    assert "1 of 1 rules stop  parity" in status(promoted)

    assert promote(dry_run=True, by="Ada") == "champion already"
    assert promoted.promoted() == "1"


def test_without_a_previous_champion_there_is_nothing_to_go_back_to(promoted: Registry) -> None:
    with pytest.raises(InspectionError, match="nothing to go back to"):
        rollback(reason="", by="Ada")


def test_a_dry_run_moves_nothing_and_counts_as_a_use_of_the_fold(
    promoted: Registry,
    project: Project,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    project.register(monkeypatch, "b")

    assert promote(dry_run=True, by="Ada") == "dry run"
    assert promoted.aliases() == {"challenger": "2", "champion": "1"}
    printed = capsys.readouterr().out
    assert "escapes: all classes" in printed
    assert "this test fold has gated 2 time(s); a fresh one is due after 20" in printed


def test_a_race_has_one_winner(
    promoted: Registry, project: Project, monkeypatch: pytest.MonkeyPatch
) -> None:
    """While one promotion judges version 3, another one makes version 2 the champion."""
    project.register(monkeypatch, "b")
    project.register(monkeypatch, "c")

    def overtaken(registry: Registry, challenger: str, *rest: Any) -> Any:
        judgement = judge(registry, challenger, *rest)
        with tracking.changing_aliases(project.store):
            who = {"outcome": "promoted", "who": "Grace", "why": "", "fold_sha256": ""}
            registry.move("2", previous="1", **who)
        return judgement

    monkeypatch.setattr("pipelines.promote.judge", overtaken)

    assert promote(by="Ada") == "superseded"
    assert promoted.aliases()["champion"] == "2"
    assert champion(RELEASES).name == promoted.tags("2")["release"]
    assert outcomes(promoted)[-1] == "superseded"


def test_two_promotions_that_begin_at_once_make_one_move(
    promoted: Registry, project: Project, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Both wait for the right to change aliases, get it one after the other, and judge."""
    project.register(monkeypatch, "b")
    with tracking.changing_aliases(project.store):
        commands = [
            subprocess.Popen(
                [sys.executable, "-m", "pipelines.promote", "--by", name],
                env=plain_environment() | {"PYTHONPATH": str(ROOT)},
                stdout=subprocess.DEVNULL,
                stderr=subprocess.PIPE,
                text=True,
            )
            for name in ("Ada", "Grace")
        ]
        deadline = time.monotonic() + PATIENCE_S
        while not all(map(waits_for_aliases, commands)) and time.monotonic() < deadline:
            time.sleep(0.05)
    said = [command.communicate(timeout=PATIENCE_S)[1] for command in commands]

    assert "Traceback" not in "".join(said)
    assert outcomes(promoted).count("promoted") == 2, said  # the first version's, and one of these
    assert set(outcomes(promoted)) <= {"promoted", "superseded"}
    assert promoted.aliases() == {"challenger": "2", "champion": "2", "previous": "1"}
    assert champion(RELEASES).name == promoted.tags("2")["release"]
    assert len((RELEASES / HISTORY).read_text().splitlines()) == len(outcomes(promoted))


def waits_for_aliases(command: "subprocess.Popen[str]") -> bool:
    """Whether it stands at the lock, which it has open then; or has ended, which it should not."""
    if command.poll() is not None:
        return True
    opened_files = psutil.Process(command.pid).open_files()
    return any(one.path.endswith(".aliases.lock") for one in opened_files)


def test_an_alias_that_was_moved_in_mlflow_takes_effect_with_the_gates_result(
    promoted: Registry,
    project: Project,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    project.register(monkeypatch, "b", spoiled=True)
    promoted.client.set_registered_model_alias(promoted.line, "champion", "2")
    assert "promote --sync" in status(promoted)

    with pytest.raises(InspectionError, match="sync follows the alias"):
        promotion_flows.promote.fn(by="Ada", sync=True, dry_run=True)
    monkeypatch.setattr("sys.argv", ["promote", "--sync", "--dry-run"])
    with pytest.raises(SystemExit, match="1"):
        promotion.main()
    assert "sync follows the alias" in capsys.readouterr().err
    assert promoted.served() == "1"
    assert promotion_flows.promote.fn(by="Ada", sync=True, bento=False) == "synced"
    assert champion(RELEASES).name == promoted.tags("2")["release"]
    assert promoted.aliases()["previous"] == "1"
    assert any(not rule["passed"] for rule in promoted.entries()[-1]["rules"])
    assert "warning: the gate would have refused it" in capsys.readouterr().out
    assert sync(by="Ada") == "champion already"


def test_the_watch_follows_an_alias_that_was_moved_in_mlflow(
    promoted: Registry, project: Project, monkeypatch: pytest.MonkeyPatch
) -> None:
    told: list[str] = []
    monkeypatch.setattr(watch_flow.alerts, "tell", told.append)
    monkeypatch.setattr(watch_flow, "get_run_logger", lambda: logging.getLogger("flow"))
    project.register(monkeypatch, "b")
    watch_flow.watch.fn(verdicts="none")
    assert (promoted.served(), told) == ("1", [])

    promoted.client.set_registered_model_alias(promoted.line, "champion", "2")
    watch_flow.watch.fn(verdicts="none", follow_alias=False)
    assert promoted.served() == "1"
    watch_flow.watch.fn(verdicts="none", bento=False)

    assert promoted.served() == "2"
    assert outcomes(promoted)[-1] == "synced"
    (said,) = told
    assert "alias 'champion' was moved" in said


def test_the_watch_of_a_line_without_a_champion_follows_nothing(
    project: Project, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(project.root / "..")  # where there is no params.yaml either
    assert promotion.sync_if_moved(by="watch") == "champion already"
    monkeypatch.chdir(project.root)
    project.register(monkeypatch, "a")
    assert promotion.sync_if_moved(by="watch") == "champion already"


def test_a_card_without_parity_stops_even_the_first_version(
    project: Project, monkeypatch: pytest.MonkeyPatch
) -> None:
    project.register(monkeypatch, "a", parity={})

    assert promote(by="Ada") == "refused"
    assert not (RELEASES / "champion.json").exists()


def test_a_golden_part_that_flips_stops_the_first_version(
    project: Project, monkeypatch: pytest.MonkeyPatch
) -> None:
    views = pd.read_parquet(project.root / "manifest.parquet")
    dent = views.loc[views["label"] == "dent", "image_sha256"].iloc[0]
    text = f"line,image_sha256,expected,reviewer,note\n{project.line.name},{dent},caught,Ada,\n"
    write_text(project.root / "reviews/golden.csv", text)
    project.register(monkeypatch, "a", spoiled=True)

    assert promote(by="Ada") == "refused"
    assert "1 golden parts, 1 flipped" in opened()[2].tags("1")["gate_reason"]


def test_an_image_of_the_fold_that_has_changed_stops(
    project: Project, monkeypatch: pytest.MonkeyPatch
) -> None:
    project.register(monkeypatch, "a")
    (project.root / "data/1.jpg").write_bytes(b"another")

    with pytest.raises(InspectionError, match=r"1 images of the frozen fold are missing"):
        promote(by="Ada")


def test_images_added_later_do_not_move_the_fold(
    project: Project, monkeypatch: pytest.MonkeyPatch
) -> None:
    project.register(monkeypatch, "a")
    (project.root / "data/new.jpg").write_bytes(b"new")
    promote(dry_run=True, by="Ada")
    promote(by="Ada")
    digests = {entry["fold_sha256"] for entry in opened()[2].entries()}

    assert len(digests) == 1


def test_a_release_that_was_lost_is_fetched_from_the_registry(
    promoted: Registry,
) -> None:
    shutil.rmtree(RELEASES)

    assert promote(by="Ada") == "promoted"
    assert champion(RELEASES).name == promoted.tags("1")["release"]


def test_two_that_want_a_lost_release_at_once_both_get_it_whole(promoted: Registry) -> None:
    shutil.rmtree(RELEASES)
    with ThreadPoolExecutor(2) as pool:
        folders = list(pool.map(promoted.released, ["1", "1"]))

    assert folders[0] == folders[1]
    assert verified(folders[0])
    assert not list(RELEASES.glob(".*.fetched"))


def test_a_bundle_that_dvc_brought_and_nobody_registered_is_told(
    promoted: Registry, project: Project, capsys: pytest.CaptureFixture[str]
) -> None:
    """As after `dvc exp apply` of a temporary run, whose registry is gone."""
    shutil.copytree(project.root / "bundle", project.root / "models/bundle")
    assert promote(by="Ada") == "champion already"
    assert "warning" not in capsys.readouterr().out + status(promoted)

    card = project.root / "models/bundle" / CARD
    card.write_text(card.read_text().replace('"version":"a"', '"version":"applied"'))
    warning = "warning: models/bundle is not in this registry; to fix: `make promote`"
    assert promote(by="Ada") == "champion already"
    assert warning in capsys.readouterr().out
    assert warning in status(promoted)


def test_a_line_without_a_version_says_what_to_do(
    project: Project, monkeypatch: pytest.MonkeyPatch
) -> None:
    with (project.root / "params.yaml").open("w", encoding="utf-8") as file:
        YAML().dump(project.params(), file)
    monkeypatch.chdir(project.root)
    with pytest.raises(InspectionError, match="has no challenger of this line; run `dvc repro`"):
        promote(by="Ada")


def test_every_move_packs_what_then_serves_with_its_card(
    project: Project, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    for name in ("serving", "inspection", "bentofile.yaml", "LICENSE"):
        (project.root / name).symlink_to(ROOT / name)
    monkeypatch.setenv("BENTOML_HOME", "bentos-of-a-test")
    monkeypatch.setattr(watch_flow, "get_run_logger", lambda: logging.getLogger("flow"))

    project.register(monkeypatch, "a")
    monkeypatch.setattr("sys.argv", ["promote", "--by", "Ada"])
    promotion.main()
    first = packed(project, "a")
    assert f"to serve it, anywhere: bentoml serve {first}\n" in capsys.readouterr().out

    project.register(monkeypatch, "b")
    assert promotion_flows.promote.fn(by="Ada") == "promoted"
    packed(project, "b")
    monkeypatch.setattr("sys.argv", ["rollback", "--by", "Ada"])
    back.main()
    assert packed(project, "a") == first
    promotion_flows.rollback.fn(by="Ada", reason="")
    packed(project, "b")

    registry = opened()[2]
    registry.client.set_registered_model_alias(registry.line, "champion", "1")
    watch_flow.watch.fn(verdicts="none")
    packed(project, "a")


def packed(project: Project, bundle_version: str) -> Path:
    """The latest Bento, which is of what serves, a bundle of this version; its folder."""
    bentos = project.root / "bentos-of-a-test/bentos/knurl"
    folder = bentos / (bentos / "latest").read_text()
    title = f"# {project.line.name}, bundle {bundle_version}\n"
    assert (folder / "README.md").read_text().startswith(title)
    card = champion(folder / "src" / RELEASES) / CARD
    assert card.read_bytes() == (champion(RELEASES) / CARD).read_bytes()
    return folder


@pytest.mark.parametrize("words", [[], ["--no-bento"]])
def test_a_bento_that_cannot_be_packed_is_told_and_the_move_stands(
    project: Project,
    monkeypatch: pytest.MonkeyPatch,
    caplog: pytest.LogCaptureFixture,
    words: list[str],
) -> None:
    project.register(monkeypatch, "a")
    in_the_way = project.root / "a-file"
    in_the_way.write_text("where Bentos are to lie")
    monkeypatch.setenv("BENTOML_HOME", str(in_the_way))
    monkeypatch.setattr("sys.argv", ["promote", *words])
    promotion.main()

    assert opened()[2].served() == "1"
    told = [one for one in caplog.messages if one.startswith("bento: none was packed")]
    assert len(told) == len(words) ^ 1
    assert all(in_the_way.name in one and one.endswith("`make bento`") for one in told)
