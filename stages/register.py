"""Register the bundle in MLflow with its lineage, as challenger; promoting is another step."""

import hashlib
import shutil
import tempfile
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from importlib.metadata import version
from pathlib import Path
from typing import Annotated, Any

import pandas as pd
from ruamel.yaml import YAML

from inspection.confusion_svg import confusion_svg
from inspection.curation.folds import with_folds
from inspection.parts import confusion
from inspection.runtime.bundle import CARD, Card, verified
from inspection.storage import (
    read_json,
    read_table,
    sha256_of,
    write_json,
    write_table,
)
from stages import program, sections, tracking
from stages.model_card import model_card

MODEL_CODE = Path(__file__).with_name("registered_model.py")
REQUIREMENTS = (
    "mlflow",
    "onnxruntime",
    "opencv-python-headless",
    "pandas",
    "pydantic",
    "simplejpeg",
)
INSPECTION = Path(__file__).parents[1] / "inspection"
NO_BYTE_CODE = shutil.ignore_patterns("__pycache__")
# Characters of a tag: MLflow 2, which may run the server, refuses more of a model version.
MAX_TAG_CHARACTERS = 5000
# Hexadecimal digits of a hash: eight in names, which people read; sixteen where MLflow compares.
SHORT_DIGITS = 8
DATA_DIGITS = 16
# Of the value of a parameter, as MLflow 3 takes it.
MAX_PARAM_CHARACTERS = 6000
# Pictures of the gallery on the model card: enough to see what heat looks like on this line.
N_SHOWN = 3
VIEW_COLUMNS = [
    "view_id",
    "path",
    "image_sha256",
    "part_id",
    "group_id",
    "label",
    "fold",
]


@dataclass(frozen=True)
class Paths:
    """What the stage reads and writes."""

    bundle: Annotated[Path, "folder of the bundle"]
    data: Annotated[Path, "the frames, for the input example"]
    manifest: Annotated[Path, "the clean manifest"]
    folds: Annotated[Path, "the fold of each view"]
    validation: Annotated[Path, "metrics of stage validate"]
    confusion: Annotated[Path, "the confusion of the test fold"]
    gallery: Annotated[Path, "folder of the CAM gallery"]
    report: Annotated[Path, "folder of the report"]
    out: Annotated[Path, "file for the receipt"]
    metrics: Annotated[Path, "file for the metrics"]


def main() -> None:
    """Load the bundle, register it once, save the receipt."""
    paths = program.paths(Paths, __doc__)
    params = sections.read(sections.section("tracking", tracking.TrackingParams))
    card = verified(paths.bundle)
    digest = sha256_of(paths.bundle / CARD)
    name = card.line.name
    mlflow = tracking.connect(params)
    client = mlflow.MlflowClient()

    # looked up under the lock: two runs at once would register the same bundle twice
    with tracking.changing_aliases(params):
        number = _known_version(client, name, digest)
        if number is None:
            number = _registered(mlflow, paths, card, digest)
        else:
            program.log.info("version %s of %s has this card already", number, name)
        client.set_registered_model_alias(name, tracking.CHALLENGER, number)

    receipt = {
        "model": name,
        "version": number,
        "card_sha256": digest,
        "store": params.store,
    }
    write_json(paths.out, receipt)
    program.save_metrics(paths.metrics, {"version": int(number)})


def _known_version(client: Any, name: str, digest: str) -> str | None:
    """The version that holds this very card, the latest where there are several."""
    found = client.search_model_versions(f"name = '{name}'")
    same_card = [one for one in found if one.tags.get(tracking.CARD_TAG) == digest]
    # as numbers: as texts, 9 would come after 10
    numbers = [int(one.version) for one in same_card]
    return str(max(numbers)) if numbers else None


def _registered(mlflow: Any, paths: Paths, card: Card, digest: str) -> str:
    """Log a bundle as a new version of its line's model; returns its number."""
    name = card.line.name
    client = mlflow.MlflowClient()
    tags = _tags(card) | _data_tags(paths) | {tracking.CARD_TAG: digest}
    # a run that trained once may be the run of several bundles: each has a folder in it
    place = f"bundle-{digest[:SHORT_DIGITS]}"

    revision = _short(card.lineage["git_revision"])
    today = datetime.now(UTC).date()
    run_name = f"{name} {revision} {today} bundle {card.version}"
    known = _known_run(client, card.lineage["mlflow_run"])
    # as they are here: by these versions the bundle was held against torch
    requirements = [f"{one}=={version(one)}" for one in REQUIREMENTS]

    started = mlflow.start_run(
        run_id=known, run_name=None if known else run_name, tags=tracking.owner()
    )
    with started as run:
        mlflow.log_metrics(_numbers(card.metrics))
        _log_data(mlflow, card)
        _log_artifacts(mlflow, paths, place)
        # whole: a tag holds no more than its first characters
        mlflow.log_text(card.lineage["params"], f"{place}/params.yaml")
        mlflow.log_text(_confusion(card, paths), f"{place}/confusion.svg")
        with _serving_code() as code:
            info = mlflow.pyfunc.log_model(
                name="bundle",
                python_model=str(MODEL_CODE),
                artifacts={"bundle": str(paths.bundle)},
                code_paths=[str(code)],
                pip_requirements=requirements,
                signature=_signature(mlflow),
                input_example=_example(paths),
                registered_model_name=name,
                tags=tags,
                params=_all_params(card),
            )
        mlflow.set_tags(tags | {"mlflow.runName": run_name})

    number = str(info.registered_model_version)
    released = f"{name}-{number}-{digest[:SHORT_DIGITS]}"
    tags |= {"run_id": run.info.run_id, "release": released, "artifacts": place}
    for key, value in tags.items():
        client.set_model_version_tag(name, number, key, value)
    description = model_card(card, run.info.run_id, place, _pictures(paths))
    client.update_model_version(name, number, description=description)
    return number


def _all_params(card: Card) -> dict[str, str]:
    """The parameters of every stage, flat: `split.cv_folds`. A run of a training has those of
    `train` alone, and may be the run of several bundles."""
    sections_of = YAML(typ="safe").load(card.lineage["params"])
    return {name: text[:MAX_PARAM_CHARACTERS] for name, text in _flat(sections_of)}


def _flat(values: Mapping[str, Any], prefix: str = "") -> Iterator[tuple[str, str]]:
    for key, value in values.items():
        name = f"{prefix}{key}"
        if isinstance(value, Mapping):
            yield from _flat(value, f"{name}.")
        else:
            yield name, str(value)


def _pictures(paths: Paths) -> list[str]:
    """What the model card shows, by its path among the artifacts."""
    gallery = sorted(paths.gallery.glob("*.png"))[:N_SHOWN]
    return ["confusion.svg", *(f"gallery/{path.name}" for path in gallery)]


@contextmanager
def _serving_code() -> Iterator[Path]:
    """A copy of `inspection` with what serving reaches: the ground floor and `runtime`."""
    with tempfile.TemporaryDirectory() as folder:
        code = Path(folder) / INSPECTION.name
        shutil.copytree(INSPECTION / "runtime", code / "runtime", ignore=NO_BYTE_CODE)
        for module in INSPECTION.glob("*.py"):
            shutil.copy(module, code)
        yield code


def _example(paths: Paths) -> pd.DataFrame:
    first = read_table(paths.manifest).iloc[0]
    content = (paths.data / first["path"]).read_bytes()
    return pd.DataFrame({"part_id": [str(first["part_id"])], "image": [content]})


def _log_artifacts(mlflow: Any, paths: Paths, place: str) -> None:
    """What a reviewer looks at, and the fold of every view: what was tested, and trained on."""
    mlflow.log_artifacts(str(paths.report), f"{place}/report")
    mlflow.log_artifacts(str(paths.gallery), f"{place}/gallery")
    mlflow.log_artifact(str(paths.confusion), place)
    mlflow.log_artifact(str(paths.bundle / CARD), place)

    views = with_folds(read_table(paths.manifest), read_table(paths.folds))
    # MLflow calls an artifact by its file's name, so the name is right and the folder is hidden
    table = paths.out.with_name(".views") / "views.parquet"
    write_table(table, views[VIEW_COLUMNS])
    mlflow.log_artifact(str(table), f"{place}/lineage")
    table.unlink()
    table.parent.rmdir()


def _confusion(card: Card, paths: Paths) -> str:
    """The confusion of the test fold as a picture."""
    parts = pd.read_csv(paths.confusion, dtype=str, keep_default_na=False)
    classes = card.line.classifier_classes
    actual, predicted = parts["actual"].tolist(), parts["predicted"].tolist()
    counts = confusion(actual, predicted, classes).tolist()

    rows = []
    for name, row in zip(classes, counts, strict=True):
        by_predicted = dict(zip(classes, row, strict=True))
        rows.append({"actual": name, **by_predicted})
    return confusion_svg(rows)


def _log_data(mlflow: Any, card: Card) -> None:
    """The data set by the digest of data.dvc, which holds the hash of every file."""
    content = card.lineage["data"]
    digest = hashlib.sha256(content.encode()).hexdigest()[:DATA_DIGITS]
    source = mlflow.data.code_dataset_source.CodeDatasetSource({"data.dvc": content})
    data = mlflow.data.meta_dataset.MetaDataset(
        source, name=f"{card.line.name} data.dvc", digest=digest
    )
    mlflow.log_input(data, context="training")


def _data_tags(paths: Paths) -> dict[str, str]:
    """What the gate asks of the data: the share of files that were set aside."""
    found = read_json(paths.validation)
    # an empty folder has no share, and validate has stopped for it already
    share = found["n_quarantined"] / max(1, found["n_files"])
    return {"quarantined_fraction": f"{share:.6f}"}


def _short(revision: str | None) -> str:
    return revision[:SHORT_DIGITS] if revision else "outside git"


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

    part_id = ColSpec(DataType.string, "part_id")
    image = ColSpec(DataType.binary, "image")
    answers = [ColSpec(DataType.string, name) for name in ("verdict", "label", "cause")]
    return mlflow.models.ModelSignature(
        inputs=Schema([part_id, image]), outputs=Schema([part_id, *answers])
    )


def _tags(card: Card) -> dict[str, str]:
    lineage = card.lineage
    return {
        "bundle_version": card.version,
        "git_revision": str(lineage["git_revision"]),
        "git_clean": str(lineage["git_clean"]),
        "data_dvc": lineage["data"][:MAX_TAG_CHARACTERS],
        "params": lineage["params"][:MAX_TAG_CHARACTERS],
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
