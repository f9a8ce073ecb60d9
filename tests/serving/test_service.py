"""The real thing: `bentoml serve` in a process of its own."""

import json
import os
import signal
import socket
import stat
import subprocess
import sys
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import httpx
import psutil
import pytest

from benchmarks.attacks.attacker import TWO_LENGTHS
from inspection.runtime.inspector import Inspector
from inspection.runtime.releases import champion
from inspection.runtime.views import View
from tests.bundles import draw_jpeg

pytestmark = pytest.mark.slow

ROOT = Path(__file__).parents[2]
READY_WITHIN_S = 120
MUST_NOT_BE_LOADED = ("torch", "mlflow", "pandas", "prefect", "streamlit", "sklearn")
LOADS_AND_INSPECTS = f"""
import json, sys
from pathlib import Path
from serving.service import Inspection
from starlette.testclient import TestClient
with TestClient(Inspection.to_asgi()) as client:
    files = {{"views": ("a.jpg", Path(sys.argv[1]).read_bytes())}}
    verdict = client.post("/inspect?heatmap=true", files=files).json()["verdict"]
    health = [client.get(path).status_code for path in ("/healthz", "/readyz")]
loaded = [name for name in {MUST_NOT_BE_LOADED} if name in sys.modules]
sys.stdout.write(json.dumps([verdict, health, loaded]))
"""


def environment(releases: Path, home: Path) -> dict[str, str]:
    return os.environ | {
        "KNURL_RELEASES": str(releases),
        "KNURL_TOKEN": "",
        "KNURL_VERDICTS": str(home / "verdicts"),
        "BENTOML_HOME": str(home),
        "BENTOML_DO_NOT_TRACK": "True",
    }


def serve_command(port: int) -> list[str]:
    serve = [sys.executable, "-m", "bentoml", "serve", "serving.service:Inspection"]
    return [*serve, "--host", "127.0.0.1", "--port", str(port)]


@dataclass(frozen=True)
class Server:
    """`bentoml serve` at work: the manager's process, and where it listens."""

    pid: int
    port: int
    log: Path


@pytest.fixture(scope="module")
def address(server: Server) -> str:
    return f"http://127.0.0.1:{server.port}"


@pytest.fixture(scope="module")
def server(releases: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    home = tmp_path_factory.mktemp("bentoml")
    with (home / "log").open("w") as log:
        process = subprocess.Popen(
            serve_command(port),
            cwd=ROOT,
            env=environment(releases, home),
            stdout=log,
            stderr=log,
            start_new_session=True,
        )
    try:
        wait_until_ready(f"http://127.0.0.1:{port}", process, home / "log")
        yield Server(process.pid, port, home / "log")
    finally:
        os.killpg(process.pid, signal.SIGTERM)
        process.wait(timeout=30)


def wait_until_ready(address: str, process: "subprocess.Popen[bytes]", log: Path) -> None:
    deadline = time.monotonic() + READY_WITHIN_S
    while time.monotonic() < deadline:
        assert process.poll() is None, log.read_text()
        try:
            if httpx.get(f"{address}/readyz").is_success:
                return
        except httpx.TransportError:
            time.sleep(0.2)
    pytest.fail(f"not ready within {READY_WITHIN_S} s: {log.read_text()}")


@pytest.mark.parametrize("defect", ["normal", "dent", "under_press"])
def test_the_served_verdict_is_the_inspectors(address: str, releases: Path, defect: str) -> None:
    content = draw_jpeg(defect, seed=3)
    files = [("views", ("a.jpg", content)), ("views", ("b.jpg", draw_jpeg(seed=4)))]
    answer = httpx.post(f"{address}/inspect", files=files).raise_for_status().json()
    said = Inspector(champion(releases)).inspect(
        [View("a.jpg", content), View("b.jpg", draw_jpeg(seed=4))]
    )
    assert (answer["verdict"], answer["label"]) == (said.verdict, said.label)
    assert answer["views"][0]["scores"] == pytest.approx(said.views[0].scores)
    assert answer["views"][0]["sha256"] == said.views[0].sha256


def test_health_readiness_metrics_and_card_are_served(address: str) -> None:
    for path in ("/healthz", "/readyz", "/metrics", "/model", "/openapi.json"):
        assert httpx.get(f"{address}{path}").status_code == 200


def listening(pids: set[int]) -> set[tuple[str, int]]:
    """The addresses at which these processes listen, as the kernel has them."""
    found = set()
    for pid in pids:
        for connection in psutil.Process(pid).net_connections(kind="inet"):
            if connection.status == psutil.CONN_LISTEN:
                found.add((connection.laddr.ip, connection.laddr.port))
    return found


def family(pid: int) -> set[int]:
    return {pid, *(child.pid for child in psutil.Process(pid).children(recursive=True))}


def test_nothing_listens_but_the_service_itself(server: Server) -> None:
    """No control port of the process manager: what it is told there it would run."""
    assert len(family(server.pid)) >= 2
    assert listening(family(server.pid)) == {("127.0.0.1", server.port)}


def test_the_managers_control_sockets_lie_in_a_folder_of_its_user(server: Server) -> None:
    paths = {
        Path(connection.laddr).parent
        for pid in family(server.pid)
        for connection in psutil.Process(pid).net_connections(kind="unix")
        if isinstance(connection.laddr, str) and "/knurl-" in connection.laddr
    }

    (folder,) = paths
    assert stat.S_IMODE(folder.stat().st_mode) == 0o700


def test_two_lengths_are_refused_on_the_wire(server: Server) -> None:
    with socket.create_connection(("127.0.0.1", server.port), 10) as connection:
        connection.sendall(TWO_LENGTHS)
        answer = connection.makefile("rb").read()

    assert answer.startswith(b"HTTP/1.1 400 ")


def test_an_upload_of_300_mb_is_refused_and_the_client_reads_why(address: str) -> None:
    def body() -> Iterator[bytes]:
        yield b'--b\r\ncontent-disposition: form-data; name="views"; filename="a"\r\n\r\n'
        for _ in range(300):
            yield bytes(2**20)

    headers = {"content-type": "multipart/form-data; boundary=b"}
    response = httpx.post(f"{address}/inspect", content=body(), headers=headers, timeout=60)
    assert response.status_code == 413
    assert response.json()["error"]["code"] == "too_large"
    assert httpx.get(f"{address}/healthz").is_success


def test_the_service_process_loads_nothing_it_does_not_need(releases: Path, tmp_path: Path) -> None:
    (tmp_path / "dent.jpg").write_bytes(draw_jpeg("dent"))
    done = subprocess.run(
        [sys.executable, "-c", LOADS_AND_INSPECTS, str(tmp_path / "dent.jpg")],
        cwd=ROOT,
        env=environment(releases, tmp_path),
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    assert json.loads(done.stdout) == ["reject", [200, 200], []]


@pytest.mark.parametrize(
    ("broken", "expected"),
    [
        ("champion.json", "champion.json: there is no champion yet; run `dvc repro`"),
        ("1/anomaly.onnx", "1/anomaly.onnx: missing; fetch the bundle again"),
    ],
)
def test_without_a_whole_champion_it_does_not_start_and_says_why(
    releases: Path, tmp_path: Path, broken: str, expected: str
) -> None:
    copy = tmp_path / "releases"
    copy.mkdir()
    for path in releases.rglob("*"):
        if path.is_file() and str(path.relative_to(releases)) != broken:
            target = copy / path.relative_to(releases)
            target.parent.mkdir(exist_ok=True)
            target.write_bytes(path.read_bytes())
    done = subprocess.run(
        serve_command(0),
        cwd=ROOT,
        env=environment(copy, tmp_path),
        capture_output=True,
        text=True,
        check=False,
        timeout=120,
    )
    assert done.returncode == 1
    assert expected in done.stderr
    assert "Traceback" not in done.stderr
    assert len(done.stderr.strip().splitlines()) == 2
