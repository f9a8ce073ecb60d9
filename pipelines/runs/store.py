"""The MLflow store that a command or flow writes to, and its pages where it is a server."""

from dataclasses import dataclass
from urllib.parse import quote, urlsplit

from inspection.line import Line
from inspection.promotion.gate import GateParams
from pipelines.champions import Registry, signing_key
from stages import sections, tracking


def opened() -> tuple[GateParams, tracking.TrackingParams, Registry]:
    """The gate's params, the store's, and the registry of the line that params.yaml describes."""
    line, params, store = sections.read(
        sections.section("line", Line),
        sections.section("gate", GateParams),
        sections.section("tracking", tracking.TrackingParams),
    )
    key = signing_key()
    registry = Registry(tracking.connect(store), line.name, signing_key=key)
    return params, store, registry


def require_server() -> None:
    """Where the store is a server, raise InspectionError unless it is an MLflow.

    For those who would otherwise be told after hours of training.
    """
    params = sections.read(sections.section("tracking", tracking.TrackingParams))
    if tracking.address(params).startswith("http"):
        tracking.connect(params)


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

    client = tracking.connect(params).MlflowClient()
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
