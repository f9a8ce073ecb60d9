"""The results of a run in git: a commit on a branch of its own, beside whatever is checked out.

The commit holds every tracked file as the run had it, so `params.yaml` and the sources beside
`dvc.lock` and `metrics/`. Neither the current branch nor the index is touched.
"""

import os
import subprocess
import tempfile
from contextlib import suppress
from datetime import UTC, datetime
from pathlib import Path

from inspection.errors import InspectionError

PREFIX = "retrain"
# What a run writes, also where git does not know the file yet.
RESULTS = ("dvc.lock", "metrics")
IDENTITY = {"NAME": "Knurl", "EMAIL": "knurl@localhost"}


class NoRepositoryError(InspectionError):
    """The folder is in no git repository."""


def commit(message: str) -> str | None:
    """Commit the results on a new branch and return its name; None where there is nothing new.

    Nothing is new where the last commit, or the branch of a run before, holds the same files.
    Raises NoRepositoryError.
    """
    head = _head()
    tree = _tree(head)
    if tree in _known_trees(head):
        return None

    parents = ["-p", head] if head else []
    made = _git("commit-tree", tree, *parents, "-m", message)
    name = f"{PREFIX}/{datetime.now(UTC):%Y%m%d-%H%M%S}"
    # the empty old value: the branch must not exist
    _git("update-ref", f"refs/heads/{name}", made, "")
    return name


def _head() -> str | None:
    """The commit that is checked out; None before the first one."""
    _git("rev-parse", "--git-dir")
    with suppress(InspectionError):
        return _git("rev-parse", "--verify", "--quiet", "HEAD")
    return None


def _tree(head: str | None) -> str:
    """The tree of all tracked files as they are now, made in an index of its own."""
    with tempfile.TemporaryDirectory() as folder:
        index = {"GIT_INDEX_FILE": str(Path(folder) / "index")}
        if head:
            _git("read-tree", head, **index)
        # of the whole repository, also where a run works in the folder of a line
        _git("add", "--update", ":/", **index)
        present = [name for name in RESULTS if Path(name).exists()]
        if present:
            _git("add", "--", *present, **index)
        return _git("write-tree", **index)


def _known_trees(head: str | None) -> set[str]:
    branches = _git("for-each-ref", "--format=%(tree)", f"refs/heads/{PREFIX}/")
    known = set(branches.split())
    return known | {_git("rev-parse", f"{head}^{{tree}}")} if head else known


def _git(*words: str, **variables: str) -> str:
    """What git prints; its commits name this program. Raises InspectionError."""
    identity = {
        f"GIT_{role}_{key}": value
        for role in ("AUTHOR", "COMMITTER")
        for key, value in IDENTITY.items()
    }
    done = subprocess.run(
        ["git", *words],
        env=os.environ | identity | variables,
        capture_output=True,
        text=True,
        check=False,
    )
    if done.returncode:
        said = done.stderr.strip()
        kind = NoRepositoryError if "not a git repository" in said else InspectionError
        raise kind(f"git {words[0]}: {said or done.returncode}; see `git status`")
    return done.stdout.strip()
