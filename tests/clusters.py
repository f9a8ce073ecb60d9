"""A Dask cluster, a real one, on the loopback device: a scheduler, and workers to be killed."""

import os
import socket
import subprocess
import sys
from collections.abc import Iterator, Mapping
from contextlib import ExitStack, contextmanager, suppress
from pathlib import Path

import psutil
import pytest

from inspection.processes import die_with_parent
from tests.architecture import ROOT
from tests.servers import HOST, INSTALL, PATIENCE_S, free_port
from tests.waiting import wait_until

# Where the processes of a cluster find this project.
PROJECT = {"PYTHONPATH": str(ROOT)}


class Scheduler:
    """A scheduler, and the workers that a test begins."""

    def __init__(self, folder: Path, stack: ExitStack, variables: Mapping[str, str]) -> None:
        self._folder = folder
        self._stack = stack
        self._variables = variables
        self._port = free_port()
        self.address = f"tcp://{HOST}:{self._port}"
        words = ("scheduler", "--host", HOST, "--port", str(self._port), "--no-dashboard")
        self.process = self._begun(*words)
        wait_until(self._listens, PATIENCE_S)

    def add_workers(self, number: int) -> subprocess.Popen[bytes]:
        """Begin workers of one thread each, and wait until the scheduler knows them."""
        from inspection.cluster import connected

        words = ("worker", self.address, "--host", HOST, "--nthreads", "1", "--no-dashboard",
                 "--nworkers", str(number), "--local-directory", str(self._folder))  # fmt: skip
        workers = self._begun(*words)
        with connected(self.address) as cluster:
            wait_until(lambda: len(cluster.workers()) >= number, PATIENCE_S)
        return workers

    def _begun(self, *words: str) -> subprocess.Popen[bytes]:
        others = {name: text for name, text in os.environ.items() if name != "PYTHONPATH"}
        with (self._folder / "log").open("ab") as log:
            process = subprocess.Popen(
                [sys.executable, "-m", "dask", *words],
                cwd=self._folder,
                env=others | self._variables,
                stdout=log,
                stderr=log,
                preexec_fn=die_with_parent,
            )
        self._stack.callback(_end, process)
        return process

    def _listens(self) -> bool:
        assert self.process.poll() is None, (self._folder / "log").read_text()
        with suppress(OSError), socket.create_connection((HOST, self._port), 1):
            return True
        return False


@contextmanager
def scheduler(folder: Path, variables: Mapping[str, str] = PROJECT) -> Iterator[Scheduler]:
    """A scheduler without workers, with its files in a new folder, for as long as the block lasts.

    `variables` are set for it and its workers.
    """
    pytest.importorskip("distributed", reason=INSTALL)
    folder.mkdir()
    with ExitStack() as stack:
        yield Scheduler(folder, stack, variables)


def processes_of(workers: subprocess.Popen[bytes]) -> list[psutil.Process]:
    """The processes that judge, without those that watch over them."""
    below = psutil.Process(workers.pid).children(recursive=True)
    return [one for one in below if "spawn_main" in " ".join(one.cmdline())]


def _end(process: subprocess.Popen[bytes]) -> None:
    """End a process and all below it at once: nothing that they have is to be kept."""
    below: list[psutil.Process] = []
    with suppress(psutil.NoSuchProcess):
        below = psutil.Process(process.pid).children(recursive=True)
    for one in (process, *below):
        with suppress(psutil.NoSuchProcess):
            one.kill()
    psutil.wait_procs(below, timeout=PATIENCE_S)
    process.wait(timeout=PATIENCE_S)
