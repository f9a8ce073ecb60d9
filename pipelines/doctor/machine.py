"""This machine: its Python, the libraries that are pinned, room on the disk and in memory."""

import re
import shutil
import sys
from collections.abc import Iterator
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path

import psutil

from inspection.errors import first_three
from pipelines.doctor.finding import FAULT, OK, WARNING, Finding

REQUIREMENTS = Path("requirements.txt")
PIN = re.compile(r"([A-Za-z0-9._-]+)(?:\[[^]]*\])?==([^\s;\\]+)")
PYTHON = (3, 11)
GIB = 1024**3
# A run of the sample line writes 0.5 GiB, and DVC keeps a copy of all in its cache.
MIN_DISK_BYTES = 5 * GIB
# The sample line trains in 3 GB; a head on frozen features with its two processes in as much.
MIN_MEMORY_BYTES = 4 * GIB


def checks() -> Iterator[Finding]:
    """All that can be said of the machine."""
    yield python()
    yield libraries(REQUIREMENTS)
    yield disk(Path())
    yield memory()


def python() -> Finding:
    """The version of Python that runs this."""
    found = sys.version_info[:2]
    text = f"{found[0]}.{found[1]} in {sys.prefix}"
    if found == PYTHON:
        return Finding(OK, "Python", text)
    wanted = ".".join(map(str, PYTHON))
    return Finding(
        FAULT, "Python", text, f"`make setup PYTHON=/path/to/python{wanted}`"
    )


def libraries(requirements: Path) -> Finding:
    """Whether every pinned library is installed, in the version of its pin."""
    if not requirements.is_file():
        return Finding(
            FAULT, "libraries", f"{requirements} is missing", "`git checkout`"
        )

    pins = dict(PIN.findall(requirements.read_text(encoding="utf-8")))
    other = [
        f"{name} {_installed(name) or 'missing'}, not {wanted}"
        for name, wanted in pins.items()
        if _installed(name) != wanted
    ]
    if not other:
        return Finding(OK, "libraries", f"{len(pins)}, each in its pinned version")
    text = f"{len(other)} of {len(pins)} differ: {first_three(other)}"
    return Finding(FAULT, "libraries", text, "`make setup`")


def disk(folder: Path) -> Finding:
    """Room on the disk of the project."""
    free = shutil.disk_usage(folder).free
    text = f"{free / GIB:.1f} GiB free"
    if free >= MIN_DISK_BYTES:
        return Finding(OK, "disk", text)
    return Finding(
        WARNING, "disk", text, "`dvc gc --workspace` forgets results of earlier runs"
    )


def memory() -> Finding:
    """Memory that is free for a training."""
    available = psutil.virtual_memory().available
    text = f"{available / GIB:.1f} GiB available"
    if available >= MIN_MEMORY_BYTES:
        return Finding(OK, "memory", text)
    return Finding(
        WARNING, "memory", text, "end other programs, or set KNURL_PROCESSES=1"
    )


def _installed(name: str) -> str | None:
    try:
        return version(name)
    except PackageNotFoundError:
        return None
