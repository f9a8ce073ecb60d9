"""The service in processes of its own, for benchmarks: on a free port, its log in a folder."""

import os
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import httpx
import psutil

# BentoML needs some ten seconds to start, and ten times that on a machine that is busy.
READY_WITHIN_S = 120.0
# What a process may still do with its requests after SIGTERM.
STOP_WITHIN_S = 30.0


@dataclass(frozen=True)
class Server:
    """A server at work."""

    address: str
    port: int
    pid: int
    log: Path

    def processes(self) -> list[psutil.Process]:
        """Its processes: the one that was started, and what that has started."""
        first = psutil.Process(self.pid)
        return [first, *first.children(recursive=True)]

    def cpu_s(self) -> float:
        """The seconds of CPU that they have used."""
        times = [process.cpu_times() for process in self.processes()]
        return sum(one.user + one.system for one in times)

    def memory_mb(self) -> float:
        """The memory that the largest of them holds, in megabytes."""
        return max(process.memory_info().rss for process in self.processes()) / 1e6

    def peak_mb(self) -> float:
        """The most that one of them has held, in megabytes, as the kernel keeps it (VmHWM)."""
        return max(_peak_mb(process.pid) for process in self.processes())

    def forget_peak(self) -> None:
        """Let the peak begin anew from what they hold now (proc(5), clear_refs)."""
        for process in self.processes():
            Path(f"/proc/{process.pid}/clear_refs").write_text("5", encoding="ascii")


def bentoml_command(service: str, port: int) -> list[str]:
    """How BentoML is started."""
    serve = [sys.executable, "-m", "bentoml", "serve", service]
    return [*serve, "--host", "127.0.0.1", "--port", str(port)]


def free_port() -> int:
    """A port of the loopback device that nobody uses now."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


@contextmanager
def running(
    command: Sequence[str],
    port: int,
    folder: Path,
    variables: dict[str, str],
    cwd: Path | None = None,
    ready: str = "/readyz",
    within_s: float = READY_WITHIN_S,
) -> Iterator[Server]:
    """Start a server and wait until it answers at `ready`; its output goes to `folder/log`."""
    folder.mkdir(parents=True, exist_ok=True)
    environment = os.environ | {"BENTOML_HOME": str(folder / "bentoml")} | variables
    with (folder / "log").open("w") as log:
        process = subprocess.Popen(
            command,
            cwd=cwd,
            env=environment,
            stdout=log,
            stderr=log,
            start_new_session=True,
        )
    log_path = folder / "log"
    server = Server(f"http://127.0.0.1:{port}", port, process.pid, log_path)
    try:
        _wait(f"{server.address}{ready}", process, folder / "log", within_s)
        yield server
    finally:
        if process.poll() is None:
            os.killpg(process.pid, signal.SIGTERM)
        process.wait(timeout=STOP_WITHIN_S)


def _peak_mb(pid: int) -> float:
    """VmHWM is in KiB (proc(5))."""
    lines = Path(f"/proc/{pid}/status").read_text(encoding="ascii").splitlines()
    (peak,) = [line.split()[1] for line in lines if line.startswith("VmHWM")]
    return int(peak) * 1024 / 1e6


def _wait(
    address: str, process: "subprocess.Popen[bytes]", log: Path, within_s: float
) -> None:
    deadline = time.monotonic() + within_s
    while time.monotonic() < deadline:
        if process.poll() is not None:
            raise SystemExit(f"{log}: the server has ended\n{log.read_text()}")
        try:
            if httpx.get(address).is_success:
                return
        except httpx.TransportError:
            pass
        time.sleep(0.2)
    raise SystemExit(f"{log}: not ready within {within_s:.0f} s")
