"""How every stage runs: dies with its parent, holds its lock, reads its params, reports errors."""

import argparse
import logging
import sys
from collections.abc import Callable
from difflib import get_close_matches
from pathlib import Path
from typing import Any, TypeVar

from pydantic import BaseModel, ConfigDict, ValidationError

from inspection.errors import InspectionError, raise_all
from inspection.processes import die_with_parent
from inspection.storage import locked, write_json

PARAMS_FILE = Path("params.yaml")
LOCK_DIR = Path(".state/locks")
SECTIONS = ("line", "validate", "clean_labels", "split", "crop", "train", "evaluate_cam",
            "fit_anomaly", "assemble", "gate", "tracking")  # fmt: skip

log = logging.getLogger("knurl")
Section = TypeVar("Section", bound=BaseModel)


class Params(BaseModel):
    """Base of a stage's section of params.yaml: immutable, and unknown keys are an error."""

    model_config = ConfigDict(frozen=True, extra="forbid")


def run(stage: str, main: Callable[[], None]) -> None:
    """Run `main` as the program of `stage`; errors the user can mend end it with 1, untraced.

    The process is killed when its parent dies: a killed `dvc repro` leaves no orphan that trains
    on beside the next one. A lock per stage refuses a second run of the same stage.
    """
    die_with_parent()
    logging.basicConfig(
        level=logging.INFO, format="%(message)s", stream=sys.stderr, force=True
    )
    try:
        with locked(LOCK_DIR / f"{stage}.lock", holder=f"stage {stage}"):
            main()
    except InspectionError as error:
        sys.stderr.write(f"{stage}: failed\n{error}\n")
        raise SystemExit(1) from error


def arguments(description: str | None, **paths: str) -> argparse.Namespace:
    """Parse the stage's paths from the command line: one required `--name PATH` per keyword."""
    parser = argparse.ArgumentParser(description=description)
    for name, help_text in paths.items():
        flag = "--" + name.replace("_", "-")
        parser.add_argument(
            flag, dest=name, type=Path, required=True, metavar="PATH", help=help_text
        )
    return parser.parse_args()


def params(**sections: type[Section]) -> Any:
    """Read sections of params.yaml, each by its model; returned in the order asked for.

    A single section is returned bare. A section that is asked for must be there (`{}` takes every
    default), and none may have a name that no stage knows. All problems are reported at once, as
    `params.yaml: split.val_fraction: should be < 1, got 20`.
    """
    content = _read_yaml(PARAMS_FILE)
    problems = [_unknown(str(name)) for name in content if name not in SECTIONS]
    loaded = []
    for name, model in sections.items():
        if content.get(name) is None:
            problems.append(f"{name}: missing; add the section")
            continue
        try:
            loaded.append(model.model_validate(content[name]))
        except ValidationError as error:
            problems += describe(name, error)
    raise_all(f"{PARAMS_FILE}: {problem}" for problem in problems)
    return loaded[0] if len(loaded) == 1 else tuple(loaded)


def describe(section: str, error: ValidationError) -> list[str]:
    """Each problem of a validation error as `section.key: what is wrong, got value`."""
    return [_describe_one(section, problem) for problem in error.errors()]


def save_metrics(path: Path, metrics: dict[str, Any]) -> None:
    """Write a stage's metrics and log its numbers in one line."""
    write_json(path, metrics)
    numbers = [
        f"{key} {_short(value)}" for key, value in metrics.items() if _is_number(value)
    ]
    log.info("%s: %s", path.stem, ", ".join(numbers))


def _unknown(section: str) -> str:
    near = get_close_matches(section, SECTIONS, n=1)
    remedy = (
        f"mend its spelling to {near[0]!r}"
        if near
        else f"use one of {', '.join(SECTIONS)}"
    )
    return f"{section}: unknown section; remove it or {remedy}"


def _describe_one(section: str, problem: Any) -> str:
    where = ".".join([section, *(str(part) for part in problem["loc"])])
    kind, message = problem["type"], problem["msg"]
    if kind == "extra_forbidden":
        return f"{where}: unknown key; remove it or mend its spelling"
    if kind == "missing":
        return f"{where}: missing; add it"
    message = message.removeprefix("Value error, ").removeprefix("Input ")
    message = message.replace("less than or equal to", "<=").replace("less than", "<")
    message = message.replace("greater than or equal to", ">=").replace(
        "greater than", ">"
    )
    message = message.replace("be a valid integer", "be an integer").replace(
        "be a valid", "be a"
    )
    got = problem["input"]
    return f"{where}: {message}" + ("" if isinstance(got, dict) else f", got {got!r}")


def _read_yaml(path: Path) -> dict[str, Any]:
    from ruamel.yaml import YAML
    from ruamel.yaml.error import YAMLError

    try:
        content = YAML(typ="safe").load(path.read_text(encoding="utf-8"))
    except FileNotFoundError as error:
        raise InspectionError(
            f"{path}: not found; run from the project's root"
        ) from error
    except YAMLError as error:
        raise InspectionError(f"{path}: is not YAML: {error}") from error
    except UnicodeDecodeError as error:
        raise InspectionError(
            f"{path}: is not UTF-8 ({error.reason}); save it as UTF-8"
        ) from error
    if not isinstance(content, dict):
        raise InspectionError(
            f"{path}: should hold sections, got {type(content).__name__}"
        )
    return content


def _is_number(value: Any) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool)


def _short(value: float) -> str:
    return f"{value:.3f}" if isinstance(value, float) else str(value)
