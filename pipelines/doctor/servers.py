"""What is asked over the network or a database: the remote of DVC, MLflow, Prefect, the service."""

import os
import shutil
import time
from collections.abc import Iterator, Mapping
from contextlib import closing
from email.utils import parsedate_to_datetime
from http.client import HTTPException
from importlib.metadata import version
from pathlib import Path
from urllib.request import Request, urlopen

from inspection.errors import InspectionError
from pipelines.doctor.finding import FAULT, OK, WARNING, Finding
from pipelines.doctor.machine import GIB
from stages import sections, tracking

SERVICE = "http://127.0.0.1:3000"
ANSWER_S = 5.0  # a server that is up answers within a second
# Signed requests to object stores are refused from 15 minutes on; who compares times of parts
# between machines is misled much sooner.
MAX_CLOCK_DIFFERENCE_S = 30.0


def checks() -> Iterator[Finding]:
    """All that can be said of what lies elsewhere."""
    yield remote()
    yield from mlflow()
    yield from prefect(os.environ)
    yield service(SERVICE)


def remote() -> Finding:
    """Whether the default remote of DVC answers, and has the data that data.dvc names."""
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
            has_data = all(store.exists(digest) for digest in _data_digests())
    except NotDvcRepoError:
        return Finding(
            FAULT, "DVC remote", "this is no DVC project", "run it in its root"
        )
    except (DvcException, OSError, ImportError) as error:
        reason = (str(error).splitlines() or [type(error).__name__])[0]
        return Finding(
            FAULT, "DVC remote", f"{name}: {reason}", "`dvc remote list`, then mend it"
        )

    if not has_data:
        return Finding(WARNING, "DVC remote", f"{name}: lacks the data", "`dvc push`")
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
        yield from _server("MLflow", uri, "/version", version("mlflow"))
    else:
        yield Finding(OK, "MLflow", f"a database answers at {uri.rpartition('@')[2]}")


def prefect(variables: Mapping[str, str]) -> Iterator[Finding]:
    """Whether the Prefect server answers that the environment names."""
    api = variables.get("PREFECT_API_URL")
    if not api:
        text = "PREFECT_API_URL names no server: flows start one for each run, which takes longer"
        yield Finding(WARNING, "Prefect", text, "`make schedule` starts one")
        return
    yield from _server("Prefect", api, "/admin/version", version("prefect"))


def service(address: str) -> Finding:
    """Whether the inspection service answers, and is ready."""
    try:
        status, _, body = _asked(f"{address}/readyz")
    except OSError:
        return Finding(WARNING, "service", f"none at {address}", "`make serve`")
    text = f"{address}: {body.strip()[:80]}"
    return Finding(OK if status == 200 else FAULT, "service", text, "" if status == 200 else
                   "see its log; `make doctor` names what is wrong with the champion")  # fmt: skip


def _data_digests() -> list[str]:
    """The hashes of what data.dvc names; none where nothing is tracked."""
    path = Path("data.dvc")
    outs = sections.read_yaml(path)["outs"] if path.is_file() else []
    return [out["md5"] for out in outs if "md5" in out]


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


def _server(subject: str, address: str, path: str, installed: str) -> Iterator[Finding]:
    """Whether a server answers, is of the version that is installed here, and has our time."""
    try:
        status, headers, body = _asked(address.rstrip("/") + path)
    except OSError as error:
        reason = getattr(error, "reason", error)
        yield Finding(
            FAULT, subject, f"{address}: no answer ({reason})", "start it, or unset it"
        )
        return
    if status != 200:
        text = f"{address}: answers {status}"
        yield Finding(
            FAULT, subject, text, "see that the address and its token are right"
        )
        return

    found = body.strip().strip('"')
    state, remedy = OK, ""
    if found != installed:
        state, remedy = WARNING, f"install {installed} there, or pin {found} here"
    yield Finding(
        state, subject, f"{address}: version {found}, here {installed}", remedy
    )
    yield from _clock(subject, headers)


def _clock(subject: str, headers: Mapping[str, str]) -> Iterator[Finding]:
    """How far a server's clock is off ours, by the header that every answer has."""
    said = headers.get("Date")
    if not said:
        return
    difference = parsedate_to_datetime(said).timestamp() - time.time()
    text = f"that of {subject} is {difference:+.0f} s off ours"
    if abs(difference) <= MAX_CLOCK_DIFFERENCE_S:
        yield Finding(OK, "clock", text)
    else:
        yield Finding(FAULT, "clock", text, "let both machines follow NTP")


def _asked(address: str) -> tuple[int, Mapping[str, str], str]:
    """Status, headers and body of an answer; raises OSError where there is none."""
    from urllib.error import HTTPError

    try:
        with urlopen(Request(address), timeout=ANSWER_S) as answer:
            return answer.status, dict(answer.headers), _text(answer.read())
    except HTTPError as error:
        return error.code, dict(error.headers), _text(error.read())
    except HTTPException as error:
        raise OSError(f"is no web server: {error}") from error


def _text(content: bytes) -> str:
    return content.decode("utf-8", "replace")
