"""What is asked over the network or a database: the remote of DVC, MLflow, Prefect, the service."""

import base64
import json
import os
import shutil
from collections.abc import Iterator, Mapping
from contextlib import closing
from email.utils import parsedate_to_datetime
from http.client import HTTPException
from importlib.metadata import version
from pathlib import Path
from typing import Any
from urllib.parse import urlencode
from urllib.request import Request, urlopen

from inspection.errors import InspectionError, first_three
from inspection.plant import LINES, lines_in
from pipelines.doctor import stores
from pipelines.doctor.finding import FAULT, OK, WARNING, Finding, clock
from pipelines.doctor.machine import GIB
from stages import sections, tracking

SERVICE = "http://127.0.0.1:3000"
# Where an experiment keeps artifacts that the server hands out.
PROXIED = "mlflow-artifacts:"
ANSWER_S = 5.0  # a server that is up answers within a second
# How each server is told who asks: variables that its own programs read, too.
MLFLOW_TOKEN = "MLFLOW_TRACKING_TOKEN"
MLFLOW_USER, MLFLOW_PASSWORD = "MLFLOW_TRACKING_USERNAME", "MLFLOW_TRACKING_PASSWORD"
PREFECT_KEY, PREFECT_AUTH = "PREFECT_API_KEY", "PREFECT_API_AUTH_STRING"
POOL = "line"
DATA = "data.dvc"


def checks() -> Iterator[Finding]:
    """All that can be said of what lies elsewhere."""
    yield remote()
    yield from mlflow()
    yield from prefect(os.environ)
    yield service(SERVICE)


def remote() -> Finding:
    """Whether the default remote of DVC answers, and has the data of each line."""
    from dvc.exceptions import DvcException, NotDvcRepoError
    from dvc.repo import Repo

    name = None
    try:
        with Repo() as repo:
            name = repo.config["core"].get("remote")
            if not name:
                text = "none: data and models are on this machine alone"
                remedy = "`dvc remote add --default <name> <url>`"
                return Finding(WARNING, "DVC remote", text, remedy)
            store = repo.cloud.get_remote_odb(name)
            lacking = [
                one.parent.as_posix()
                for one in _data_files()
                if not all(store.exists(digest) for digest in _digests(one))
            ]
    except NotDvcRepoError:
        return Finding(
            FAULT, "DVC remote", "this is no DVC project", "run it in its root"
        )
    except (DvcException, OSError, ImportError) as error:
        reason = (str(error).splitlines() or [type(error).__name__])[0]
        remedy = "`dvc remote list`, then mend it"
        if "dvc-s3" in str(error) or "dvc_s3" in str(error):
            remedy = "`make plant` installs dvc-s3"
        return Finding(FAULT, "DVC remote", f"{name}: {reason}", remedy)

    if lacking:
        of_lines = [folder for folder in lacking if folder != "."]
        whose = f" of {first_three(of_lines)}" if of_lines else ""
        text = f"{name}: lacks the data{whose}"
        return Finding(WARNING, "DVC remote", text, "`dvc push`")
    return Finding(OK, "DVC remote", f"{name}: answers, and has the data")


def mlflow() -> Iterator[Finding]:
    """Whether the registry can be read: a server, a database, or the project's own sqlite file."""
    try:
        store = sections.read(sections.section("tracking", tracking.TrackingParams))
        uri = tracking.address(store)
        tracking.require_reachable(store)
    except InspectionError as error:
        yield Finding(FAULT, "MLflow", str(error), "see MLFLOW_TRACKING_URI")
        return

    if uri.startswith(tracking.SQLITE):
        yield _sqlite(Path(uri.removeprefix(tracking.SQLITE)))
    elif uri.startswith("http"):
        headers = _mlflow_headers(os.environ)
        found = list(_server("MLflow", uri, "/version", version("mlflow"), headers))
        yield from found
        if found[0].state != FAULT:
            yield _experiment(uri.rstrip("/"), store.experiment, headers)
    elif uri.startswith("postgresql"):
        yield from stores.database("MLflow", uri)
    else:
        yield Finding(OK, "MLflow", f"a database answers at {uri.rpartition('@')[2]}")


def prefect(variables: Mapping[str, str]) -> Iterator[Finding]:
    """Whether the Prefect server answers that the environment names."""
    api = variables.get("PREFECT_API_URL")
    if not api:
        text = "PREFECT_API_URL names no server: flows start one for each run, which takes longer"
        yield Finding(WARNING, "Prefect", text, "`make schedule` starts one")
        return
    headers = _prefect_headers(variables)
    found = list(_server("Prefect", api, "/admin/version", version("prefect"), headers))
    yield from found
    if found[0].state != FAULT:
        yield _pool(api.rstrip("/"), headers)


def _mlflow_headers(variables: Mapping[str, str]) -> dict[str, str]:
    """How MLflow's server is told who asks."""
    if token := variables.get(MLFLOW_TOKEN):
        return {"Authorization": f"Bearer {token}"}
    if user := variables.get(MLFLOW_USER):
        return _basic(f"{user}:{variables.get(MLFLOW_PASSWORD, '')}")
    return {}


def _prefect_headers(variables: Mapping[str, str]) -> dict[str, str]:
    """How Prefect's server is told who asks."""
    if key := variables.get(PREFECT_KEY):
        return {"Authorization": f"Bearer {key}"}
    if both := variables.get(PREFECT_AUTH):
        return _basic(both)
    return {}


def _basic(both: str) -> dict[str, str]:
    return {"Authorization": f"Basic {base64.b64encode(both.encode()).decode()}"}


def _experiment(uri: str, name: str, headers: Mapping[str, str]) -> Finding:
    """Whether runs may be read, and whether their artifacts go through the server.

    They do not where the experiment was made by a server without `--artifacts-destination`: each
    client then wants a key of its own, or writes into a folder that no other host sees.
    """
    subject = "artifacts"
    query = urlencode({"experiment_name": name})
    path = f"/api/2.0/mlflow/experiments/get-by-name?{query}"
    try:
        status, _, body = _asked(uri + path, headers)
    except OSError as error:
        return Finding(FAULT, subject, f"{uri}: no answer ({error})", "see its log")
    if status == 404:
        return Finding(
            OK, subject, f"{uri}: experiment {name!r} is made by the first run"
        )
    if status != 200:
        remedy = f"give {MLFLOW_TOKEN}, or {MLFLOW_USER} and {MLFLOW_PASSWORD}"
        return Finding(
            FAULT, subject, f"{uri}: runs may not be read ({status})", remedy
        )

    experiment = _object(body).get("experiment")
    if not isinstance(experiment, dict):
        text = f"{uri}: answers, and not as an MLflow server does"
        return Finding(FAULT, subject, text, "correct MLFLOW_TRACKING_URI")
    place = str(experiment.get("artifact_location"))
    if place.startswith(PROXIED):
        return Finding(OK, subject, f"{name!r}: by way of the server ({place})")
    text = f"{name!r}: {place}, which each client must reach by itself"
    remedy = "`mlflow server --artifacts-destination s3://...`, and a new tracking.experiment"
    return Finding(WARNING, subject, text, remedy)


def _pool(api: str, headers: Mapping[str, str]) -> Finding:
    """Whether the work pool of the flows may be seen, and a worker asks it for runs."""
    subject = "work pool"
    try:
        status, _, body = _asked(f"{api}/work_pools/{POOL}", headers)
    except OSError as error:
        return Finding(FAULT, subject, f"{api}: no answer ({error})", "see its log")
    if status == 404:
        remedy = f"`make schedule`, or `python -m pipelines.runs.pool {POOL}`"
        return Finding(WARNING, subject, f"{POOL}: is not there yet", remedy)
    if status != 200:
        remedy = f"give {PREFECT_KEY} or {PREFECT_AUTH}"
        return Finding(FAULT, subject, f"{POOL}: may not be seen ({status})", remedy)
    if _object(body).get("status") == "READY":
        return Finding(OK, subject, f"{POOL}: a worker is at work")
    remedy = f"`prefect worker start --pool {POOL}` on a host that trains"
    return Finding(WARNING, subject, f"{POOL}: no worker asks for runs", remedy)


def service(address: str) -> Finding:
    """Whether the inspection service answers, and is ready."""
    try:
        status, _, body = _asked(f"{address}/readyz")
    except OSError:
        return Finding(WARNING, "service", f"none at {address}", "`make serve`")
    text = f"{address}: {body.strip()[:80]}"
    return Finding(OK if status == 200 else FAULT, "service", text, "" if status == 200 else
                   "see its log; `make doctor` names what is wrong with the champion")  # fmt: skip


def _data_files() -> list[Path]:
    """The file of each line that names its data; none where nothing is tracked."""
    folders = (Path(), *lines_in(LINES).values())
    return [one / DATA for one in folders if (one / DATA).is_file()]


def _digests(path: Path) -> list[str]:
    """The hashes of what a file of DVC's names."""
    return [out["md5"] for out in sections.read_yaml(path)["outs"] if "md5" in out]


def _sqlite(path: Path) -> Finding:
    if not path.is_file():
        return Finding(OK, "MLflow", f"{path}: is made by the first run")
    if not os.access(path, os.W_OK) or not os.access(path.parent, os.W_OK):
        return Finding(
            FAULT, "MLflow", f"{path}: may not be written", f"`ls -l {path.parent}`"
        )
    import sqlite3

    with closing(sqlite3.connect(f"file:{path}?mode=ro", uri=True)) as database:
        try:
            (n,) = database.execute("SELECT count(*) FROM model_versions").fetchone()
        except sqlite3.OperationalError as error:
            return Finding(
                WARNING, "MLflow", f"{path}: {error}", "`dvc repro -f -s register`"
            )
    free = shutil.disk_usage(path.parent).free
    return Finding(
        OK, "MLflow", f"{path}: {n} model versions, {free / GIB:.0f} GiB free"
    )


def _server(
    subject: str,
    address: str,
    path: str,
    installed: str,
    headers: Mapping[str, str],
) -> Iterator[Finding]:
    """Whether a server answers, is of the version that is installed here, and has our time."""
    try:
        status, told, body = _asked(address.rstrip("/") + path, headers)
    except OSError as error:
        reason = getattr(error, "reason", error)
        yield Finding(
            FAULT, subject, f"{address}: no answer ({reason})", "start it, or unset it"
        )
        return
    if status != 200:
        text = f"{address}: answers {status}"
        remedy = "see that the address and its token are right"
        if status == 403:
            remedy = "its --allowed-hosts must hold the name in the address; or see the token"
        yield Finding(FAULT, subject, text, remedy)
        return

    found = body.strip().strip('"')
    state, remedy = OK, ""
    if found != installed:
        state, remedy = WARNING, f"install {installed} there, or pin {found} here"
    yield Finding(
        state, subject, f"{address}: version {found}, here {installed}", remedy
    )
    said = {name.lower(): value for name, value in told.items()}.get("date")
    if said:
        yield clock(subject, parsedate_to_datetime(said).timestamp())


def _asked(
    address: str, headers: Mapping[str, str] | None = None
) -> tuple[int, Mapping[str, str], str]:
    """Status, headers and body of an answer; raises OSError where there is none."""
    from urllib.error import HTTPError

    try:
        with urlopen(
            Request(address, headers=dict(headers or {})), timeout=ANSWER_S
        ) as answer:
            return answer.status, dict(answer.headers), _text(answer.read())
    except HTTPError as error:
        return error.code, dict(error.headers), _text(error.read())
    except HTTPException as error:
        raise OSError(f"is no web server: {error}") from error


def _object(body: str) -> dict[str, Any]:
    """The JSON object that a body is; an empty one where it is something else."""
    try:
        found = json.loads(body)
    except ValueError:
        return {}
    return found if isinstance(found, dict) else {}


def _text(content: bytes) -> str:
    return content.decode("utf-8", "replace")
