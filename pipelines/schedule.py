"""Start all that runs by the clock: a Prefect server, the work pool, a worker, the deployments.

All of it lives in `.state/prefect` and ends with Ctrl-C, or with this program however it ends. What
the server and the worker print lies in `.state/prefect/*.log`.
"""

import argparse
import ctypes
import os
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Iterator, Mapping
from contextlib import ExitStack, contextmanager, suppress
from pathlib import Path
from types import FrameType
from urllib.error import URLError
from urllib.request import urlopen

import psutil

from inspection.errors import InspectionError
from inspection.plant import LINES, lines_in
from inspection.processes import die_with_parent
from pipelines.runs.deployments import DOT, POOL

ROOT = Path(__file__).parents[1]
HOME = Path(".state/prefect")
HOST = "127.0.0.1"
PORT = 4200  # Prefect's own
# a server needs 25 s on a busy machine, and migrates its database when it is new
SERVER_START_S = 180.0
POLL_S = 0.5
# a run that is told to stop cleans up after itself in a second or two
STOP_S = 15.0
# from linux/prctl.h: runs whose worker was killed become children of this process, and are found
PR_SET_CHILD_SUBREAPER = 36
PREFECT = (sys.executable, "-m", "prefect")


class _StopError(Exception):
    """Ctrl-C, or a signal to end."""


def main() -> None:
    """Start everything, say where to look, and stop it all when told to."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument(
        "--port", type=int, default=PORT, help="of the page and the API"
    )
    port = parser.parse_args().port
    for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
        signal.signal(number, _stop)
    try:
        with scheduling(port) as worker:
            _say(f"{_looks(port)}stop it with Ctrl-C")
            while True:
                worker.keep_alive()
                time.sleep(POLL_S)
    except _StopError:
        _say("stopped")
    except InspectionError as error:
        sys.stderr.write(f"schedule: failed\n{error}\n")
        raise SystemExit(1) from error


class Worker:
    """The worker and the runs that it has begun. It is started again when it has ended."""

    def __init__(self, environment: Mapping[str, str], log: Path) -> None:
        self._environment = environment
        self._log = log
        self._process: subprocess.Popen[bytes] | None = None

    def start(self) -> None:
        """Start it, once runs that nobody works at any longer are marked as crashed."""
        _prepare_pool(self._environment)
        words = ("worker", "start", "--pool", POOL, "--name", "knurl")
        self._process = _begun(words, self._environment, self._log)

    def keep_alive(self) -> None:
        """Start it anew if it has ended; what is left of its runs ends first."""
        if self._process is not None and self._process.poll() is not None:
            _say("the worker has ended; its runs are stopped, and it is started again")
            self.stop()
            self.start()

    def stop(self) -> None:
        """End the worker and every run, and mark these as crashed."""
        if self._process is None:
            return
        runs = _below(self._process.pid) + _adopted()
        _ended([*([_handle(self._process.pid)]), *runs])
        self._process.wait()
        with suppress(InspectionError):  # the server may be gone as well
            _prepare_pool(self._environment)


@contextmanager
def scheduling(port: int) -> Iterator[Worker]:
    """The server, the deployments and the worker, for as long as the block lasts."""
    _check_free(port)
    _adopt_orphans()
    HOME.mkdir(parents=True, exist_ok=True)
    environment = _environment(port)
    with ExitStack() as stack:
        _say("starting the server, half a minute")
        server = _begun(
            ("server", "start", "--host", HOST, "--port", str(port)),
            environment,
            HOME / "server.log",
        )
        stack.callback(_end_server, server)
        _wait_for(server, port)
        worker = Worker(environment, HOME / "worker.log")
        stack.callback(worker.stop)
        worker.start()
        # while the worker starts: both take some seconds
        _run("pipelines.runs.deployments", environment=environment)
        yield worker


def _environment(port: int) -> dict[str, str]:
    here = {
        "PREFECT_HOME": str(HOME.absolute()),
        "PREFECT_API_URL": f"http://{HOST}:{port}/api",
        "PREFECT_SERVER_ANALYTICS_ENABLED": "false",
        # by itself it lets the pages of any site read what runs here, and begin runs
        "PREFECT_SERVER_CORS_ALLOWED_ORIGINS": f"http://{HOST}:{port},http://localhost:{port}",
        "PREFECT_SERVER_CSRF_PROTECTION_ENABLED": "true",
        # flows are modules of this checkout, and their stages programs of its environment
        "PYTHONPATH": str(ROOT),
        "PATH": f"{Path(sys.executable).parent}{os.pathsep}{os.environ.get('PATH', '')}",
    }
    return os.environ | here


def _looks(port: int) -> str:
    return (
        f"scheduled: retrain each Sunday at two, watch each hour, the inbox at half past\n"
        f"  lines    {_lines()}\n"
        f"  page     http://{HOST}:{port}\n"
        f"  logs     {HOME}/server.log, {HOME}/worker.log\n"
        f"  by hand  export PREFECT_API_URL=http://{HOST}:{port}/api, then\n"
        "           prefect deployment run retrain/weekly\n"
    )


def _lines() -> str:
    """The lines whose flows these are, and how a deployment of each is called."""
    others = [f"lines/{name} (retrain/{name}{DOT}weekly)" for name in lines_in(LINES)]
    return ", ".join(["that in the root (retrain/weekly)", *others])


def _check_free(port: int) -> None:
    with socket.socket() as probe:
        # as the server binds: a port whose last connections are still closing counts as free
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind((HOST, port))
        except OSError as error:
            raise InspectionError(
                f"{HOST}:{port}: cannot be listened on ({error.strerror}); stop what does, or give "
                "another port: `make schedule PORT=4201`"
            ) from error


def _begun(
    words: tuple[str, ...], environment: Mapping[str, str], log: Path
) -> subprocess.Popen[bytes]:
    """A Prefect command that runs on, in a session of its own: Ctrl-C reaches only this program."""
    with log.open("ab") as file:
        return subprocess.Popen(
            [*PREFECT, *words],
            env=environment,
            stdin=subprocess.DEVNULL,
            stdout=file,
            stderr=subprocess.STDOUT,
            start_new_session=True,
            preexec_fn=die_with_parent,
        )


def _run(*module: str, environment: Mapping[str, str]) -> str:
    """What a module of this project prints that talks to the server.

    In a process of its own: Prefect reads its settings when it is imported.
    """
    done = subprocess.run(
        [sys.executable, "-m", *module],
        env=dict(environment),
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        check=False,
    )
    said = done.stdout.strip()
    if done.returncode:
        raise InspectionError(f"{' '.join(module)}: {said[-500:]}")
    return said


def _wait_for(server: subprocess.Popen[bytes], port: int) -> None:
    deadline = time.monotonic() + SERVER_START_S
    while time.monotonic() < deadline:
        if server.poll() is not None:
            raise InspectionError(
                f"the server ended with {server.returncode}; see {HOME}/server.log"
            )
        with (
            suppress(URLError, OSError),
            urlopen(f"http://{HOST}:{port}/api/health", timeout=5),
        ):
            return
        time.sleep(POLL_S)
    raise InspectionError(
        f"the server does not answer after {SERVER_START_S:.0f} s; see {HOME}/server.log"
    )


def _prepare_pool(environment: Mapping[str, str]) -> None:
    """Make the pool, and mark runs as crashed that nobody works at."""
    said = _run("pipelines.runs.pool", POOL, environment=environment)
    if said:
        _say(said)


def _end_server(server: subprocess.Popen[bytes]) -> None:
    _ended([_handle(server.pid), *_below(server.pid)])
    server.wait()


def _ended(processes: list[psutil.Process | None]) -> None:
    """Ask processes to end, and kill those that do not."""
    there = [one for one in processes if one is not None]
    for process in there:
        with suppress(psutil.NoSuchProcess):
            process.terminate()
    _, alive = psutil.wait_procs(there, timeout=STOP_S)
    for process in alive:
        with suppress(psutil.NoSuchProcess):
            process.kill()


def _handle(pid: int) -> psutil.Process | None:
    with suppress(psutil.NoSuchProcess):
        return psutil.Process(pid)
    return None


def _below(pid: int) -> list[psutil.Process | None]:
    handle = _handle(pid)
    if handle is None:
        return []
    with suppress(psutil.NoSuchProcess):
        return list(handle.children(recursive=True))
    return []


def _adopted() -> list[psutil.Process | None]:
    """The runs that a killed worker has left, which are children of this process now."""
    mine = psutil.Process().children()
    left = [one for one in mine if _is_run(one)]
    return [process for run in left for process in (run, *_below(run.pid))]


def _is_run(process: psutil.Process) -> bool:
    with suppress(psutil.Error):
        return any("prefect.flow_engine" in word or "prefect.engine" in word
                   for word in process.cmdline())  # fmt: skip
    return False


def _adopt_orphans() -> None:
    if sys.platform == "linux":
        ctypes.CDLL(None).prctl(PR_SET_CHILD_SUBREAPER, 1)


def _stop(number: int, frame: FrameType | None) -> None:
    # one is enough: a second Ctrl-C must not interrupt the cleaning up
    for each in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
        signal.signal(each, signal.SIG_IGN)
    raise _StopError


def _say(text: str) -> None:
    sys.stdout.write(text + "\n")
    sys.stdout.flush()


if __name__ == "__main__":
    main()
