"""Parameters changed for one run, as `dvc exp run -S` changes them, and put back after it.

The files as they were lie in `.state/overridden/` meanwhile: a run that was killed is cleaned up by
the next one.
"""

import shutil
import subprocess
import sys
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

from inspection.errors import InspectionError
from inspection.storage import replace_folder, write_bytes
from pipelines.dvc_state import PIPELINE

KEPT = Path(".state/overridden")
PARAMS = "params.yaml"
# What a run changes among the files that git knows.
CHANGED = (PARAMS, "dvc.lock", "metrics")


@contextmanager
def overridden(overrides: Sequence[str]) -> Iterator[None]:
    """Run the block with parameters changed; then all is as it was. Without any nothing is done.

    An override is `section.key=value`. Raises InspectionError where one is none, or names no key.
    """
    restore()
    if not overrides:
        yield
        return

    _keep()
    try:
        _apply(overrides)
        yield
    finally:
        restore()


def restore() -> None:
    """Put back what an overridden run has changed, if there was one; outputs from the cache."""
    if not KEPT.is_dir():
        return

    for name in CHANGED:
        kept, path = KEPT / name, Path(name)
        if path.is_dir():
            shutil.rmtree(path)
        elif not kept.exists():
            path.unlink(missing_ok=True)
        if kept.is_dir():
            shutil.copytree(kept, path)
        elif kept.exists():
            write_bytes(path, kept.read_bytes())
    command = [sys.executable, "-m", "dvc", "checkout", "--force", "--allow-missing"]
    # what this folder tracks: without a name DVC would put back the files of other lines, too
    tracked = [
        str(path) for path in (PIPELINE, *Path().glob("*.dvc")) if path.is_file()
    ]
    done = subprocess.run(
        [*command, "--quiet", *tracked], capture_output=True, text=True, check=False
    )
    if done.returncode:
        raise InspectionError(
            f"dvc checkout: {done.stderr.strip()}; run it again, then `dvc repro`"
        )
    shutil.rmtree(KEPT)


def _keep() -> None:
    partial = KEPT.with_name(f"{KEPT.name}.partial")
    shutil.rmtree(partial, ignore_errors=True)
    partial.mkdir(parents=True)
    for name in CHANGED:
        path = Path(name)
        if path.is_dir():
            shutil.copytree(path, partial / name)
        elif path.exists():
            shutil.copy2(path, partial / name)
    replace_folder(partial, KEPT)


def _apply(overrides: Sequence[str]) -> None:
    from dvc.exceptions import InvalidArgumentError
    from dvc.utils.hydra import apply_overrides

    # DVC empties the file before it writes it: a kill between the two would leave it empty
    changed = KEPT.with_name(f"{KEPT.name}.{PARAMS}")
    shutil.copy2(PARAMS, changed)
    try:
        apply_overrides(changed, list(overrides))
    except InvalidArgumentError as error:
        reason = " ".join(str(error.__cause__ or error).split())
        raise InspectionError(
            f"overrides: {list(overrides)}: {reason}; give section.key=value of {PARAMS}"
        ) from error
    write_bytes(Path(PARAMS), changed.read_bytes())
    changed.unlink()
