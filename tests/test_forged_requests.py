"""What a page of another site can do to the servers here, through the browser of their user.

The dashboard and the registry are started by the commands of the Makefile, and asked as a browser
asks for such a page.
"""

import base64
import http.client
import os
import signal
import socket
import subprocess
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.architecture import ROOT
from tests.surroundings import plain_environment
from tests.test_makefile import dry_run

pytestmark = pytest.mark.slow

# On a machine that is busy with other tests; alone the registry takes 10 s.
START_S = 240.0
FOREIGN = "http://evil.example"
CREATE = "/api/2.0/mlflow/registered-models/create"
UPLOAD = "/_stcore/upload_file/session/file"
STREAM = "/_stcore/stream"


class Server:
    """A server at work on a port of its own."""

    def __init__(self, command: str, port: int, folder: Path, log: Path) -> None:
        self.port = port
        self._log = log
        path = f"{ROOT / '.venv/bin'}{os.pathsep}{os.environ.get('PATH', '')}"
        quiet = {"MLFLOW_DISABLE_TELEMETRY": "true", "DO_NOT_TRACK": "true"}
        with log.open("wb") as file:
            self._process = subprocess.Popen(
                ["bash", "-c", command],
                cwd=folder,
                env=plain_environment() | {"PATH": path} | quiet,
                stdout=file,
                stderr=subprocess.STDOUT,
                start_new_session=True,
            )

    def ask(self, method: str, path: str, headers: dict[str, str], body: bytes = b"") -> int:
        """The status of an answer. Without a Host of its own it is asked by its address."""
        connection = http.client.HTTPConnection("127.0.0.1", self.port, timeout=30)
        try:
            named = {"Host": f"127.0.0.1:{self.port}"} | headers
            connection.request(method, path, body or None, named)
            return connection.getresponse().status
        finally:
            connection.close()

    def wait_for(self, path: str) -> None:
        """Wait until it serves this path."""
        deadline = time.monotonic() + START_S
        while not self._serves(path):
            is_up = self._process.poll() is None and time.monotonic() < deadline
            assert is_up, self._log.read_text()
            time.sleep(0.3)

    def stop(self) -> None:
        """End it with all that it has started."""
        os.killpg(self._process.pid, signal.SIGKILL)
        self._process.wait()

    def _serves(self, path: str) -> bool:
        try:
            return self.ask("GET", path, {}) == 200
        except OSError:
            return False


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


@pytest.fixture(scope="module")
def registry(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    """`make registry`, with a database of its own."""
    folder, port = tmp_path_factory.mktemp("registry"), free_port()
    command = dry_run("registry").stdout.replace("--port 5000", f"--port {port}")
    assert f"--port {port}" in command
    assert "sqlite:///mlruns/mlflow.db" in command
    (folder / "mlruns").mkdir()
    server = Server(command, port, folder, folder / "log.txt")
    try:
        server.wait_for("/health")
        yield server
    finally:
        server.stop()


@pytest.fixture(scope="module")
def dashboard(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    """`make dashboard`; no page of it is opened."""
    port = free_port()
    command = f"{dry_run('dashboard').stdout.strip()} --server.port {port}"
    server = Server(command, port, ROOT, tmp_path_factory.mktemp("dashboard") / "log.txt")
    try:
        server.wait_for("/_stcore/health")
        yield server
    finally:
        server.stop()


def as_json(**headers: str) -> dict[str, str]:
    return {"Content-Type": "application/json"} | headers


def as_form(**headers: str) -> dict[str, str]:
    """What a form of any site may send unasked."""
    return {"Content-Type": "text/plain"} | headers


def test_a_page_of_another_site_changes_nothing_in_the_registry(registry: Server) -> None:
    def create(headers: dict[str, str]) -> int:
        return registry.ask("POST", CREATE, headers, b'{"name": "forged"}')

    assert create(as_json(Origin=FOREIGN)) == 403
    assert create(as_form(Origin=FOREIGN)) == 403
    assert create(as_form(Origin="null")) == 403

    # what was refused was not done: the name is free, and its own page may take it
    assert create(as_json(Origin=f"http://127.0.0.1:{registry.port}")) == 200


def test_a_name_of_another_site_that_leads_here_opens_no_registry(registry: Server) -> None:
    """DNS rebinding: the browser takes the page and the registry for one site."""
    host = f"evil.example:{registry.port}"
    forged = as_json(Host=host, Origin=f"http://{host}")

    assert registry.ask("GET", "/api/2.0/mlflow/experiments/get?experiment_id=0", forged) == 403
    assert registry.ask("POST", CREATE, forged, b'{"name": "rebound"}') == 403


def handshake(dashboard: Server, **headers: str) -> int:
    """The status with which it answers a browser that opens its WebSocket."""
    upgrade = {
        "Connection": "Upgrade",
        "Upgrade": "websocket",
        "Sec-WebSocket-Version": "13",
        "Sec-WebSocket-Key": base64.b64encode(bytes(16)).decode("ascii"),
        "Sec-WebSocket-Protocol": "streamlit",
    }
    return dashboard.ask("GET", STREAM, upgrade | headers)


def test_a_page_of_another_site_opens_no_session_of_the_dashboard(dashboard: Server) -> None:
    """All that it does, a label that is decided above all, goes through its WebSocket."""
    assert handshake(dashboard, Origin=FOREIGN) == 403
    assert handshake(dashboard, Origin="null") == 403
    host = f"evil.example:{dashboard.port}"
    assert handshake(dashboard, Origin=f"http://{host}", Host=host) == 403

    assert handshake(dashboard, Origin=f"http://127.0.0.1:{dashboard.port}") == 101


def test_an_upload_to_the_dashboard_needs_its_token(dashboard: Server) -> None:
    form = {"Content-Type": "multipart/form-data; boundary=x"}
    body = b'--x\r\nContent-Disposition: form-data; name="file"; filename="a"\r\n\r\na\r\n--x--\r\n'

    for headers in ({}, {"Origin": FOREIGN}, {"X-Xsrftoken": "guessed"}):
        assert dashboard.ask("PUT", UPLOAD, form | headers, body) == 403
