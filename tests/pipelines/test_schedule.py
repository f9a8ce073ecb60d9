import json
import os
import re
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path
from typing import Any

import httpx
import psutil
import pytest
from ruamel.yaml import YAML

from tests.pipelines.conftest import change
from tests.readme import COMMANDS
from tests.waiting import wait_until
from tests.webhooks import Received, receiving

pytestmark = pytest.mark.slow

ROOT = Path(__file__).parents[2]
COMMAND = (sys.executable, "-m", "pipelines.schedule")
# what the README promises: a run of a one-minute cron within three minutes of `make schedule`
PROMISE_S = 180.0
# of what nothing is promised, on a machine that is busy with other tests
PATIENCE_S = 600.0
# What the pages say to begin by hand, and the parameters that the run is to have.
BY_HAND: dict[str, dict[str, Any]] = {
    "prefect deployment run retrain/weekly --param 'overrides=[\"train.epochs=3\"]' "
    "--param promote=true": {"overrides": ["train.epochs=3"], "promote": True},
    "prefect deployment run promote/by-hand --param by=Grace": {"by": "Grace"},
    "prefect deployment run retrain/weekly --param shared=true": {"shared": True},
}
WORKER = "prefect worker start --pool line"


class Scheduled:
    """The program at work in a project, and what its server says."""

    def __init__(self, project: Path, home: Path) -> None:
        self.port = free_port()
        self.api = f"http://127.0.0.1:{self.port}/api"
        self.began = time.monotonic()
        self.process = subprocess.Popen(
            [*COMMAND, "--port", str(self.port)],
            cwd=project,
            env=environment(home),
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
        )

    def runs(self, *states: str) -> list[dict[str, Any]]:
        asked = {"flow_runs": {"state": {"type": {"any_": list(states)}}}}
        return self.asked("flow_runs/filter", asked)

    def asked(self, path: str, body: dict[str, Any]) -> Any:
        try:
            headers = self.token()
            return (
                httpx.post(f"{self.api}/{path}", json=body, headers=headers)
                .raise_for_status()
                .json()
            )
        except httpx.HTTPError:
            return []

    def token(self) -> dict[str, str]:
        """What Prefect's own pages and programs show with each request that may change anything."""
        asked = httpx.get(f"{self.api}/csrf-token", params={"client": "test"}).raise_for_status()
        return {"Prefect-Csrf-Token": asked.json()["token"], "Prefect-Csrf-Client": "test"}

    def wait_for_run(self, state: str, flow: str, within_s: float) -> dict[str, Any]:
        deadline = time.monotonic() + within_s
        while time.monotonic() < deadline:
            ids = {one["id"]: one["name"] for one in self.asked("flows/filter", {})}
            runs = [run for run in self.runs(state) if ids.get(run["flow_id"]) == flow]
            if runs:
                return runs[0]
            assert self.process.poll() is None, self.process.communicate()[0]
            time.sleep(1)
        raise AssertionError(f"no run of {flow} is {state} after {within_s:.0f} s")

    def worker(self) -> psutil.Process:
        children = psutil.Process(self.process.pid).children()
        return next(one for one in children if "worker" in one.cmdline())

    def stopped(self) -> str:
        self.process.send_signal(signal.SIGINT)
        said, _ = self.process.communicate(timeout=60)
        return said


@pytest.fixture
def webhook(monkeypatch: pytest.MonkeyPatch) -> Iterator[Received]:
    """Where people are told of runs that have failed."""
    with receiving() as received:
        monkeypatch.setenv("KNURL_WEBHOOK", received.url)
        yield received


@pytest.fixture
def scheduled(project: Path, tmp_path: Path) -> Iterator[Scheduled]:
    """`make schedule` in the project of two stages, every deployment each minute, a clean HOME."""
    text = (ROOT / "prefect.yaml").read_text(encoding="utf-8")
    for deployment in YAML(typ="safe").load(text)["deployments"]:
        for schedule in deployment.get("schedules", []):
            # with its quotes: one may be the end of another
            text = text.replace(f'"{schedule["cron"]}"', '"* * * * *"')
    (project / "prefect.yaml").write_text(text, encoding="utf-8")
    (tmp_path / "home").mkdir()

    at_work = Scheduled(project, tmp_path / "home")
    yield at_work
    if at_work.process.poll() is None:
        at_work.stopped()


def test_a_run_of_the_clock_completes_within_three_minutes_and_all_ends_with_ctrl_c(
    project: Path, tmp_path: Path, scheduled: Scheduled
) -> None:
    scheduled.wait_for_run("COMPLETED", "retrain", PROMISE_S)
    assert time.monotonic() - scheduled.began < PROMISE_S
    assert (project / "report.txt").read_text() == "7\n7\n"
    scheduled.wait_for_run("COMPLETED", "watch", PROMISE_S)
    scheduled.wait_for_run("COMPLETED", "inbox", PROMISE_S)

    deployments = scheduled.asked("deployments/filter", {})
    assert {one["name"] for one in deployments} == {"weekly", "hourly", "half-past", "by-hand"}
    assert str(project) not in str(deployments)  # so that a checkout can be moved
    assert str(ROOT) not in str(deployments)

    check_pages_of_other_sites(scheduled.api)
    check_commands_of_the_pages(scheduled, project, tmp_path / "home")
    below = psutil.Process(scheduled.process.pid).children(recursive=True)
    said = scheduled.stopped()
    assert scheduled.process.returncode == 0, said
    assert f"page     http://127.0.0.1:{scheduled.port}" in said
    assert not [one for one in below if one.is_running() and one.status() != "zombie"]
    assert list((tmp_path / "home").rglob("*.db")) == []  # all of it lies in the project


def check_commands_of_the_pages(scheduled: Scheduled, project: Path, home: Path) -> None:
    """From another terminal, as they are written but for the port: each run is accepted."""
    shown = [command for command in COMMANDS if command.startswith("prefect deployment run")]
    (address,) = [command for command in COMMANDS if command.startswith("export PREFECT_API_URL")]
    address = address.replace(":4200/", f":{scheduled.port}/")
    terminal: dict[str, Any] = {"cwd": project, "env": terminal_of(home)}
    assert sorted(shown) == sorted(BY_HAND)
    assert WORKER in COMMANDS

    for command, wanted in BY_HAND.items():
        line = ["bash", "-c", f"{address}; {command}"]
        done = subprocess.run(line, capture_output=True, text=True, **terminal)
        assert done.returncode == 0, done.stdout + done.stderr
        (number,) = re.findall(r"UUID: ([0-9a-f-]{36})", done.stdout)
        begun = httpx.get(f"{scheduled.api}/flow_runs/{number}").raise_for_status().json()
        assert wanted.items() <= begun["parameters"].items()

    worker = subprocess.Popen(["bash", "-c", f"{address}; exec {WORKER}"], **terminal)
    deadline = time.monotonic() + PATIENCE_S
    try:
        while len(scheduled.asked("work_pools/line/workers/filter", {})) < 2:
            assert worker.poll() is None
            assert time.monotonic() < deadline
            time.sleep(1)
    finally:
        # told to end it would first wait for the runs that it has taken up
        at_work = psutil.Process(worker.pid).children(recursive=True)
        worker.kill()
        worker.wait()
        for process in at_work:
            with suppress(psutil.NoSuchProcess):
                process.kill()


def terminal_of(home: Path) -> dict[str, str]:
    """The environment after `source .venv/bin/activate`."""
    bin_dir = Path(sys.executable).parent
    return environment(home) | {"PATH": f"{bin_dir}{os.pathsep}{os.environ['PATH']}"}


def check_pages_of_other_sites(api: str) -> None:
    """A page of another site can neither read what runs here nor begin a run, unasked by a form."""
    foreign = {"Origin": "http://evil.example", "Content-Type": "text/plain"}
    assert httpx.post(f"{api}/deployments/filter", content="{}", headers=foreign).status_code == 403
    for path in ("csrf-token?client=evil", "health"):
        answer = httpx.get(f"{api}/{path}", headers=foreign)
        assert answer.status_code == 200
        assert "access-control-allow-origin" not in answer.headers


def test_the_runs_of_a_killed_worker_are_marked_as_crashed_and_told_and_the_next_one_begins(
    project: Path, webhook: Received, scheduled: Scheduled
) -> None:
    waits = "test -f go || { touch begun; sleep 600; }; cat in.txt in.txt > double.txt"
    change(project, "cat in.txt in.txt > double.txt", waits)
    scheduled.wait_for_run("RUNNING", "retrain", PATIENCE_S)
    deadline = time.monotonic() + PATIENCE_S
    while not (project / "begun").exists() and time.monotonic() < deadline:
        time.sleep(0.5)

    (project / "go").touch()
    scheduled.worker().kill()
    crashed = scheduled.wait_for_run("CRASHED", "retrain", PATIENCE_S)
    told = f"retrain/{crashed['name']}: Crashed: "
    # people are told once the state stands
    wait_until(lambda: any(told in said_to(body) for body in webhook.bodies))
    scheduled.wait_for_run("COMPLETED", "retrain", PATIENCE_S)


def said_to(body: bytes) -> str:
    """The text of what a webhook was sent."""
    return str(json.loads(body)["text"])


def test_an_occupied_port_is_one_line(project: Path, tmp_path: Path) -> None:
    with socket.socket() as holder:
        holder.bind(("127.0.0.1", 0))
        holder.listen()
        port = holder.getsockname()[1]
        done = subprocess.run(
            [*COMMAND, "--port", str(port)],
            env=environment(tmp_path),
            capture_output=True,
            text=True,
        )

    assert done.returncode == 1
    assert done.stderr.startswith(f"schedule: failed\n127.0.0.1:{port}: cannot be listened on")
    assert len(done.stderr.splitlines()) == 2
    assert not (project / ".state/prefect").exists()


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def environment(home: Path) -> dict[str, str]:
    """As of a user who has never used Prefect, with the project importable."""
    kept = {name: value for name, value in os.environ.items() if not name.startswith("PREFECT_")}
    return kept | {"HOME": str(home), "PYTHONPATH": str(ROOT)}
