"""What several checkouts of one line share: commits by git's remote, data and models by DVC's.

A run in one of them takes what the others have pushed, and pushes the branch of its results.
"""

import subprocess
import sys

from inspection.errors import InspectionError
from pipelines.dvc_process import PassingError
from pipelines.runs import branch


def take() -> str:
    """Bring this checkout to what the others have pushed, and return its commit.

    What a run has left uncommitted is put on a branch first. Raises InspectionError where git or
    DVC has no remote or a file was edited that others have changed, and PassingError where a remote
    does not answer.
    """
    if not _printed("git", "remote"):
        raise InspectionError(
            "shared: git has no remote here; add one by `git remote add origin <address>`"
        )
    if not dvc_remote():
        raise InspectionError(
            "shared: DVC has no remote here; add one by `dvc remote add --default <name> <address>`"
        )
    _put_aside()
    _run("git", "fetch", "--quiet")
    # from here on no remote is asked: what fails now is not mended by another try
    _run("git", "merge", "--quiet", "--ff-only", "@{upstream}", may_pass=False)
    _run(sys.executable, "-m", "dvc", "pull", "--allow-missing")
    return _printed("git", "rev-parse", "--short", "HEAD")


def dvc_remote() -> str:
    """The name of DVC's default remote; '' where none is set."""
    return _printed(sys.executable, "-m", "dvc", "config", "core.remote")


def hand_on(name: str) -> None:
    """Push a branch. Raises PassingError where the remote does not answer."""
    remote = _printed("git", "remote").split()[0]
    _run("git", "push", "--quiet", remote, name)


def _put_aside() -> None:
    """Keep what a run has written and nobody committed on a branch, and go back to the commit."""
    branch.commit("retrain: what lay here uncommitted")
    for name in branch.RESULTS:
        if _printed("git", "ls-files", "--", name):
            _run("git", "checkout", "--quiet", "HEAD", "--", name, may_pass=False)
    # those that the commit does not have would stand in the way; the branch has them
    _run(
        "git",
        "clean",
        "--quiet",
        "--force",
        "-d",
        "--",
        *branch.RESULTS,
        may_pass=False,
    )


def _run(*command: str, may_pass: bool = True) -> None:
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    if done.returncode:
        words = " ".join(
            word for word in command[:4] if not word.startswith(("/", "-"))
        )
        said = done.stderr.strip() or done.stdout.strip()
        kind = PassingError if may_pass else InspectionError
        raise kind(f"shared: {words}: {said}; see `git status`")


def _printed(*command: str) -> str:
    """What a command prints; '' where it fails."""
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    return "" if done.returncode else done.stdout.strip()
