"""Register the bundle in MLflow with its lineage; the first version also becomes champion."""

from importlib.metadata import version
from pathlib import Path
from typing import Any

import pandas as pd

from inspection.bundle import CARD, Card, verified
from inspection.releases import POINTER, promote, release
from inspection.storage import read_table, sha256_of, write_json
from stages import program, tracking

MODEL_CODE = Path(__file__).with_name("registered_model.py")
REQUIREMENTS = ("mlflow", "onnxruntime", "opencv-python-headless", "pandas", "pydantic",
                "simplejpeg")  # fmt: skip
CHALLENGER = "challenger"
CHAMPION = "champion"


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
    number = _register(mlflow, paths.bundle, card, table)
    client = mlflow.MlflowClient()
    name = card.line.name
    releases = paths.bundle.parent / "releases"
    released = f"{name}-{number}-{sha256_of(paths.bundle / CARD)[:8]}"
    release(paths.bundle, releases, released)
    client.set_registered_model_alias(name, CHALLENGER, number)
    client.set_model_version_tag(name, number, "release", released)
    aliases = client.get_registered_model(name).aliases
    first = CHAMPION not in aliases or not (releases / POINTER).exists()
    if first:
        client.set_registered_model_alias(name, CHAMPION, number)
        promote(releases, released)

    receipt = {
        "model": name,
        "version": number,
        "release": released,
        "aliases": [CHALLENGER, CHAMPION] if first else [CHALLENGER],
        "card_sha256": sha256_of(paths.bundle / CARD),
        "store": params.store,
    }
    write_json(paths.out, receipt)
    program.save_metrics(paths.metrics, {"version": int(number), "champion": first})


def _register(mlflow: Any, bundle: Path, card: Card, example: pd.DataFrame) -> str:
    """Log the bundle as a new version of the line's model; returns the version's number."""
    run_id = card.lineage["mlflow_run"]
    with mlflow.start_run(run_id=run_id) as run:
        mlflow.log_metrics(_numbers(card.metrics))
        info = mlflow.pyfunc.log_model(
            name="bundle",
            python_model=str(MODEL_CODE),
            artifacts={"bundle": str(bundle)},
            code_paths=["inspection"],
            pip_requirements=[f"{name}=={version(name)}" for name in REQUIREMENTS],
            signature=_signature(mlflow),
            input_example=example,
            registered_model_name=card.line.name,
            tags=_tags(card),
        )
        mlflow.set_tags(_tags(card))
    number = str(info.registered_model_version)
    client = mlflow.MlflowClient()
    for key, value in (_tags(card) | {"run_id": run.info.run_id}).items():
        client.set_model_version_tag(card.line.name, number, key, value)
    return number


def _signature(mlflow: Any) -> Any:
    from mlflow.types import ColSpec, DataType, Schema

    text = DataType.string
    taken = Schema([ColSpec(text, "part_id"), ColSpec(DataType.binary, "image")])
    given = Schema([ColSpec(text, name) for name in ("part_id", "verdict", "label", "cause")])
    return mlflow.models.ModelSignature(inputs=taken, outputs=given)


def _tags(card: Card) -> dict[str, str]:
    lineage = card.lineage
    return {
        "bundle_version": card.version,
        "git_revision": str(lineage["git_revision"]),
        "git_clean": str(lineage["git_clean"]),
        "data_dvc": lineage["data"][:5000],
        "params": lineage["params"][:5000],
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
