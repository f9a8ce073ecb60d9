"""Register the bundle in MLflow with its lineage; a line's first version becomes its champion."""

from importlib.metadata import version
from pathlib import Path
from typing import Any

import pandas as pd

from inspection.runtime.bundle import CARD, Card, verified
from inspection.runtime.releases import release
from inspection.storage import read_table, sha256_of, write_json
from stages import champions, program, tracking

MODEL_CODE = Path(__file__).with_name("registered_model.py")
REQUIREMENTS = ("mlflow", "onnxruntime", "opencv-python-headless", "pandas", "pydantic",
                "simplejpeg")  # fmt: skip


def main() -> None:
    """Load the bundle, register and release it, save the receipt."""
    paths = program.arguments(
        __doc__,
        bundle="folder of the bundle",
        data="the frames, for the input example",
        manifest="the clean manifest",
        out="file for the receipt",
        metrics="file for the metrics",
    )
    params = program.params(tracking=tracking.TrackingParams)
    card = verified(paths.bundle)
    example = read_table(paths.manifest).iloc[0]
    content = (paths.data / example["path"]).read_bytes()
    table = pd.DataFrame({"part_id": [str(example["part_id"])], "image": [content]})

    mlflow = tracking.connect(params)
    client = mlflow.MlflowClient()
    name = card.line.name
    releases = paths.bundle.parent / "releases"
    with tracking.changing_aliases(params):
        champions.restore(mlflow, name, releases)
        lost = champions.unregistered(client, name, releases)
        if lost is not None and sha256_of(lost / CARD) != sha256_of(
            paths.bundle / CARD
        ):
            again, released = _registered(mlflow, lost, table, releases)
            champions.appoint(client, name, again, releases, released)
            program.log.info(
                "%s: the registry had lost it; it is version %s now", lost, again
            )
        number, released = _registered(mlflow, paths.bundle, table, releases)
        aliases = champions.appoint(client, name, number, releases, released)

    receipt = {
        "model": name,
        "version": number,
        "release": released,
        "aliases": aliases,
        "card_sha256": sha256_of(paths.bundle / CARD),
        "store": params.store,
    }
    write_json(paths.out, receipt)
    metrics = {"version": int(number), "champion": champions.CHAMPION in aliases}
    program.save_metrics(paths.metrics, metrics)


def _registered(
    mlflow: Any, bundle: Path, example: pd.DataFrame, releases: Path
) -> tuple[str, str]:
    """Log a bundle as a new version of its line's model and release it: version and release."""
    card = verified(bundle)
    digest = sha256_of(bundle / CARD)
    name, tags = card.line.name, _tags(card) | {champions.CARD_TAG: digest}
    client = mlflow.MlflowClient()
    with mlflow.start_run(run_id=_known_run(client, card.lineage["mlflow_run"])) as run:
        mlflow.log_metrics(_numbers(card.metrics))
        info = mlflow.pyfunc.log_model(
            name="bundle",
            python_model=str(MODEL_CODE),
            artifacts={"bundle": str(bundle)},
            code_paths=["inspection"],
            pip_requirements=[f"{name}=={version(name)}" for name in REQUIREMENTS],
            signature=_signature(mlflow),
            input_example=example,
            registered_model_name=name,
            tags=tags,
        )
        mlflow.set_tags(tags)
    number = str(info.registered_model_version)
    released = f"{name}-{number}-{digest[:8]}"
    release(bundle, releases, released)
    for key, value in (tags | {"run_id": run.info.run_id, "release": released}).items():
        client.set_model_version_tag(name, number, key, value)
    return number, released


def _known_run(client: Any, run_id: str | None) -> str | None:
    """The run that trained the bundle; None, for a new one, where this store does not know it."""
    from mlflow.exceptions import MlflowException

    try:
        return client.get_run(run_id).info.run_id if run_id else None
    except MlflowException as error:
        if error.error_code != "RESOURCE_DOES_NOT_EXIST":
            raise
        program.log.info(
            "run %s: trained in another MLflow store; a new run names it", run_id
        )
        return None


def _signature(mlflow: Any) -> Any:
    from mlflow.types import ColSpec, DataType, Schema

    text = DataType.string
    taken = Schema([ColSpec(text, "part_id"), ColSpec(DataType.binary, "image")])
    given = Schema(
        [ColSpec(text, name) for name in ("part_id", "verdict", "label", "cause")]
    )
    return mlflow.models.ModelSignature(inputs=taken, outputs=given)


def _tags(card: Card) -> dict[str, str]:
    lineage = card.lineage
    return {
        "bundle_version": card.version,
        "git_revision": str(lineage["git_revision"]),
        "git_clean": str(lineage["git_clean"]),
        "data_dvc": lineage["data"][:5000],
        "params": lineage["params"][:5000],
        "trained_in_run": str(lineage["mlflow_run"]),
        **{f"sha256_{name}": digest for name, digest in card.files.items()},
    }


def _numbers(metrics: dict[str, Any], prefix: str = "test") -> dict[str, float]:
    """Every number of the test metrics, flat: `test.totals.escapes`."""
    flat: dict[str, float] = {}
    for key, value in metrics.items():
        name = f"{prefix}.{key}".replace(" ", "_")
        if isinstance(value, dict):
            flat |= _numbers(value, name)
        elif isinstance(value, int | float):
            flat[name] = float(value)
    return flat


if __name__ == "__main__":
    program.run("register", main)
