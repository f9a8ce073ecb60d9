"""The MLflow store that a command or flow writes to, or one line that says why there is none."""

from dataclasses import dataclass
from typing import Any
from urllib.parse import quote, urlsplit

from inspection.errors import InspectionError
from inspection.line import Line
from inspection.promotion.gate import GateParams
from pipelines.champions import Registry, signing_key
from stages import sections, tracking

# Of what MLflow says, in characters: it repeats the page that a web server has sent.
MAX_REASON = 200


def connected(params: tracking.TrackingParams) -> Any:
    """As `tracking.connect`. Raises InspectionError where a server answers that is no MLflow."""
    tracking.require_reachable(params)
    from mlflow.exceptions import MlflowException

    address = tracking.address(params)
    try:
        return tracking.connect(params)
    except MlflowException as error:
        if not address.startswith("http"):
            raise  # of a database: MLflow says what to do
        host = urlsplit(address).netloc.rpartition("@")[2]  # without name and password
        reason = str(error).splitlines()[0][:MAX_REASON]
        raise InspectionError(
            f"{tracking.ADDRESS} or tracking.store: {host} answers, and not as an MLflow server "
            f"does ({reason}); correct the address, or, where it asks who you are, set "
            "MLFLOW_TRACKING_TOKEN, or MLFLOW_TRACKING_USERNAME and MLFLOW_TRACKING_PASSWORD"
        ) from error


def opened() -> tuple[GateParams, tracking.TrackingParams, Registry]:
    """The gate's params, the store's, and the registry of the line that params.yaml describes."""
    line, params, store = sections.read(
        sections.section("line", Line),
        sections.section("gate", GateParams),
        sections.section("tracking", tracking.TrackingParams),
    )
    key = signing_key()
    registry = Registry(connected(store), line.name, signing_key=key)
    return params, store, registry


def require_server() -> None:
    """Where the store is a server, raise InspectionError unless it is an MLflow.

    For those who would otherwise be told after hours of training.
    """
    params = sections.read(sections.section("tracking", tracking.TrackingParams))
    if tracking.address(params).startswith("http"):
        connected(params)


@dataclass(frozen=True)
class Pages:
    """Addresses on an MLflow server, of a version and of the report that was kept with it."""

    version: str
    report: str


def pages(model: str, number: str) -> Pages | None:
    """The pages of a version; None where the store is no server, which has none."""
    params = sections.read(sections.section("tracking", tracking.TrackingParams))
    address = urlsplit(tracking.address(params))
    if not address.scheme.startswith("http"):
        return None

    client = connected(params).MlflowClient()
    tags = client.get_model_version(model, number).tags
    run = client.get_run(tags["run_id"]).info
    place = f"experiments/{run.experiment_id}/runs/{run.run_id}/artifacts/{tags['artifacts']}"
    # without a name and a password
    host = address._replace(netloc=address.netloc.rpartition("@")[2])
    root = host.geturl().rstrip("/")
    return Pages(
        version=f"{root}/#/models/{quote(model)}/versions/{number}",
        report=f"{root}/#/{place}/report/index.html",
    )
