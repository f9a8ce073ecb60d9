import os
import subprocess
import sys

import pytest

from tests.architecture import ROOT

# Pictures of 100 MB, in threads as in the service; `rest` is what pins the heap behind them.
DECODES = """
import sys, threading
from pathlib import Path
from PIL import Image
from serving.server.memory import give_back_at_once
if sys.argv[1] == "given back":
    give_back_at_once()
rest = []
def decode():
    # blocks are given back, so that glibc by itself raises its threshold
    for _ in range(2):
        image = Image.new("RGB", (5000, 5000), "white")
        rest.append(bytes(100_000))
def held_mb():
    lines = Path("/proc/self/status").read_text().splitlines()
    return int(next(line for line in lines if line.startswith("VmRSS")).split()[1]) / 1024
before = held_mb()
for _ in range(3):
    thread = threading.Thread(target=decode)
    thread.start()
    thread.join()
print(held_mb() - before)
"""


@pytest.mark.parametrize(("how", "most_mb"), [("given back", 20), ("kept", 1000)])
def test_what_a_frame_has_taken_is_given_back(how: str, most_mb: float) -> None:
    command = [sys.executable, "-c", DECODES, how]
    # Dask leaves a threshold of glibc's in the environment of who starts a cluster, and then glibc
    # no longer raises the other one by itself
    environment = {
        name: value for name, value in os.environ.items() if not name.startswith("MALLOC_")
    }
    done = subprocess.run(
        command, cwd=ROOT, env=environment, capture_output=True, text=True, check=True
    )

    assert float(done.stdout) < most_mb
    assert how == "given back" or float(done.stdout) > 50
