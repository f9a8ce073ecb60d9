"""Make the deployments of every line on Prefect's server: `python -m pipelines.runs.deployments`.

Those of prefect.yaml are of the line in the root. Each line in `lines/` has the same ones, with its
name before theirs, as in `retrain/tiles.weekly`, whose runs work in its folder. What prefect.yaml
says itself under such a name overrules that. Those of lines that are no longer there are deleted.
Only the pool `line` is meant: others want machinery of their own.
"""

import argparse
import json
import subprocess
import sys
import tempfile
from collections.abc import Collection, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from inspection.errors import InspectionError, first_three
from inspection.failures import PlainErrors
from inspection.plant import LINES, TAG, lines_in
from stages.sections import read_yaml

if TYPE_CHECKING:
    from prefect.client.orchestration import SyncPrefectClient
    from prefect.client.schemas.responses import DeploymentResponse

DEPLOYMENTS = Path("prefect.yaml")
POOL = "line"
# Between the name of a line, which has none, and that of a deployment.
DOT = "."
# As many as Prefect hands out at once.
PAGE = 200


def main() -> None:
    """Make them, and delete those of lines that are gone."""
    argparse.ArgumentParser(description=(__doc__ or "").split("\n\n")[0]).parse_args()
    with PlainErrors("deployments"):
        lines = list(lines_in(LINES))
        content = read_yaml(DEPLOYMENTS)
        made = of_all_lines(content["deployments"], lines)
        _deploy({**content, "definitions": {}, "deployments": made})
        delete_those_of_others(lines)


def of_all_lines(
    written: Sequence[dict[str, Any]], lines: Collection[str]
) -> list[dict[str, Any]]:
    """The deployments of the root's line and of each other one, from those of prefect.yaml.

    Raises InspectionError where one there is named like that of a line, and there is none such.
    """
    own = {_key(one): one for one in written if DOT in one["name"]}
    of_root = [
        one
        for one in written
        if DOT not in one["name"] and one["work_pool"]["name"] == POOL
    ]
    of_lines = [of_line(one, line) for line in lines for one in of_root]
    unknown = own.keys() - {_key(one) for one in of_lines}
    if unknown:
        names = first_three(sorted(name for _, name in unknown))
        raise InspectionError(
            f"{DEPLOYMENTS}: {names}: of no line and flow here; correct name or entrypoint"
        )
    return [*of_root, *(one | own.get(_key(one), {}) for one in of_lines)]


def of_line(deployment: dict[str, Any], line: str) -> dict[str, Any]:
    """The root's deployment, for a line in `lines/`."""
    pool = deployment["work_pool"]
    # the code lies two folders above, also for a worker that somebody starts by hand
    there = {"working_dir": f"{LINES}/{line}", "env": {"PYTHONPATH": "../.."}}
    return deployment | {
        "name": f"{line}{DOT}{deployment['name']}",
        "description": f"{line}: {deployment['description']}",
        "tags": [*deployment.get("tags", []), f"{TAG}{line}"],
        "work_pool": pool | {"job_variables": pool["job_variables"] | there},
    }


def delete_those_of_others(lines: Collection[str]) -> None:
    """Delete the deployments of lines that are not among these: their folder is gone."""
    from prefect.client.orchestration import get_client

    with get_client(sync_client=True) as client:
        for one in _all(client):
            of = {tag.removeprefix(TAG) for tag in one.tags if tag.startswith(TAG)}
            if of - set(lines):
                client.delete_deployment(one.id)


def _all(client: "SyncPrefectClient") -> "list[DeploymentResponse]":
    found: list[DeploymentResponse] = []
    while True:
        page = client.read_deployments(limit=PAGE, offset=len(found))
        found += page
        if len(page) < PAGE:
            return found


def _deploy(content: dict[str, Any]) -> None:
    # the checkout may be mounted to be read only
    with tempfile.NamedTemporaryFile("w", suffix=".yaml", encoding="utf-8") as file:
        json.dump(content, file)  # which is YAML, too
        file.flush()
        words = ("--no-prompt", "deploy", "--all", "--prefect-file", file.name)
        command = [sys.executable, "-m", "prefect", *words]
        done = subprocess.run(command, capture_output=True, text=True, check=False)
    if done.returncode:
        said = f"{done.stdout}{done.stderr}".strip()
        raise InspectionError(f"prefect deploy: {said}")


def _key(deployment: dict[str, Any]) -> tuple[str, str]:
    """What Prefect knows it by: the flow, and the name."""
    return deployment["entrypoint"], deployment["name"]


if __name__ == "__main__":
    main()
