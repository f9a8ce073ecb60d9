import os
import signal
import subprocess
import sys
import time
from pathlib import Path
from types import SimpleNamespace

import pytest

from inspection.processes import keep_freed_memory

CHILD = """
import os, subprocess, sys
child = subprocess.Popen([sys.executable, "-c", {work!r}])
print(child.pid, flush=True)
child.wait()
"""
DIES = "from inspection.processes import die_with_parent; die_with_parent(); import time; "
READY = "print('ready', flush=True); time.sleep(60)"
LIVES = "import time; "


def is_running(pid: int) -> bool:
    try:
        state = Path(f"/proc/{pid}/stat").read_text().rsplit(")", 1)[1].split()[0]
    except FileNotFoundError:
        return False
    return state != "Z"


def outlives_its_parent(work: str) -> bool:
    """Whether a process that runs `work` is there after its parent has been killed."""
    command = [sys.executable, "-c", CHILD.format(work=work + READY)]
    parent = subprocess.Popen(command, stdout=subprocess.PIPE, text=True)
    assert parent.stdout is not None
    child = int(parent.stdout.readline())
    assert parent.stdout.readline() == "ready\n"
    parent.kill()
    parent.wait()
    parent.stdout.close()

    deadline = time.monotonic() + (5 if work == DIES else 0.3)
    while is_running(child) and time.monotonic() < deadline:
        time.sleep(0.02)

    survived = is_running(child)
    if survived:
        os.kill(child, signal.SIGKILL)
    return survived


def test_a_process_that_asks_for_it_dies_with_its_parent() -> None:
    assert not outlives_its_parent(DIES)


def test_another_process_would_outlive_its_parent() -> None:
    assert outlives_its_parent(LIVES)


STEPS = """
import resource, torch
from inspection.processes import keep_freed_memory

keep_freed_memory()
torch.set_num_threads(1)
for step in range(30):
    if step == 10:
        before = resource.getrusage(resource.RUSAGE_SELF).ru_minflt
    activations = [torch.ones(1_500_000) for _ in range(8)]
    del activations
print(resource.getrusage(resource.RUSAGE_SELF).ru_minflt - before)
"""


def test_memory_that_is_kept_need_not_be_asked_for_again_at_every_step() -> None:
    # 20 steps of eight times 6 MB; by itself glibc asks for most of their 234,000 pages anew
    done = subprocess.run([sys.executable, "-c", STEPS], capture_output=True, text=True, check=True)
    assert int(done.stdout) < 100


def test_malloc_is_asked_to_keep_a_gigabyte_and_blocks_of_32_mebibytes(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """By the numbers of malloc.h: -1 is M_TRIM_THRESHOLD, -3 is M_MMAP_THRESHOLD."""
    asked = []
    library = SimpleNamespace(mallopt=lambda option, value: asked.append((option, value)))
    monkeypatch.setattr("ctypes.CDLL", lambda _: library)
    keep_freed_memory()
    assert asked == [(-1, 1_073_741_824), (-3, 33_554_432)]
