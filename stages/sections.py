"""What a stage reads of params.yaml: sections by their model, and keys of the line by their name.

DVC repeats a stage when a value changes that dvc.yaml names under the stage's `params`. `make deps`
writes that list from what the stage asks for here, and a stage cannot read more than it asks for:

    line, params = sections.read(
        sections.line("classes", "normal"), sections.section("split", SplitParams)
    )

is tracked as `line.classes`, `line.normal` and `split`; `line.regions` raises UndeclaredKeyError.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from difflib import get_close_matches
from importlib import import_module
from pathlib import Path
from typing import Any, Generic, TypeVar, cast, overload

from pydantic import BaseModel, ConfigDict, ValidationError, field_validator
from pydantic_core import ErrorDetails

from inspection.errors import InspectionError, raise_all
from inspection.line import Line

PARAMS_FILE = Path("params.yaml")

# Every section and the model of its values. By name, for a stage that imported the models of the
# others would depend on their sources, and be repeated whenever one of them changes.
MODELS = {
    "line": "inspection.line:Line",
    "validate": "stages.params.validate:ValidateParams",
    "clean_labels": "stages.params.clean_labels:CleanLabelsParams",
    "split": "stages.params.split:SplitParams",
    "crop": "stages.params.crop:CropParams",
    "train": "stages.params.train:TrainParams",
    "evaluate_cam": "stages.params.evaluate_cam:EvaluateCamParams",
    "fit_anomaly": "stages.params.fit_anomaly:FitAnomalyParams",
    "assemble": "stages.params.assemble:AssembleParams",
    "gate": "inspection.promotion.gate:GateParams",
    "tracking": "stages.tracking:TrackingParams",
}
SECTIONS = tuple(MODELS)

# numpy and scikit-learn take seeds of 32 bits.
N_SEEDS = 2**32

# How pydantic says it, and how params.yaml's readers read it.
WORDING = (
    ("Value error, ", ""),
    ("Input ", ""),
    ("less than or equal to", "<="),
    ("less than", "<"),
    ("greater than or equal to", ">="),
    ("greater than", ">"),
    ("be a valid integer", "be an integer"),
    ("be a valid", "be a"),
)

A = TypeVar("A", bound=BaseModel)
B = TypeVar("B", bound=BaseModel)
C = TypeVar("C", bound=BaseModel)


class Params(BaseModel):
    """Base of a stage's section of params.yaml: immutable, and unknown keys are an error.

    The text below a field is its entry in docs/params.md.
    """

    model_config = ConfigDict(
        frozen=True, extra="forbid", use_attribute_docstrings=True
    )

    @field_validator("seed", check_fields=False)
    @classmethod
    def _is_a_seed(cls, seed: int) -> int:
        if not 0 <= seed < N_SEEDS:
            raise ValueError(f"should be a whole number from 0 to {N_SEEDS - 1}")
        return seed


class UndeclaredKeyError(Exception):
    """A stage reads a key of the line that it has not asked for: our own bug, not the user's."""


@dataclass(frozen=True)
class Section(Generic[A]):
    """A section of params.yaml, the model of its values, and the keys that are read; () is all."""

    name: str
    model: type[A]
    keys: tuple[str, ...] = ()


def section(name: str, model: type[A]) -> Section[A]:
    """A whole section."""
    return Section(name, model)


def line(*keys: str) -> Section[Line]:
    """Some keys of the section `line`. All others are checked, and then out of reach."""
    return Section("line", Line, keys)


@overload
def read(first: Section[A], /) -> A: ...
@overload
def read(first: Section[A], second: Section[B], /) -> tuple[A, B]: ...
@overload
def read(
    first: Section[A], second: Section[B], third: Section[C], /
) -> tuple[A, B, C]: ...


def read(*wanted: Section[Any]) -> object:
    """Read sections of params.yaml, each by its model; returned in the order asked for.

    A single section is returned bare. A section that is asked for must be there (`{}` takes every
    default), and none may have a name that no stage knows. All problems are reported at once, as
    `params.yaml: split.val_fraction: should be < 1, got 20`.
    """
    content = read_yaml(PARAMS_FILE)
    problems = [_unknown(str(name)) for name in content if name not in SECTIONS]
    loaded = []
    for one in wanted:
        value, found = _load(one, content)
        # collected: whoever mends params.yaml wants to know all of it at once
        problems += found
        loaded.append(value)
    raise_all(f"{PARAMS_FILE}: {problem}" for problem in problems)
    return loaded[0] if len(loaded) == 1 else tuple(loaded)


def check_all() -> None:
    """Raise InspectionError with all that is wrong in params.yaml, in any section.

    The first stage calls it, so that a typo in `train` is not found after an hour of work.
    """
    content = read_yaml(PARAMS_FILE)
    problems = [_unknown(str(name)) for name in content if name not in SECTIONS]
    for name in SECTIONS:
        _, found = _load(section(name, model_of(name)), content)
        problems += found
    raise_all(f"{PARAMS_FILE}: {problem}" for problem in problems)


def model_of(name: str) -> type[BaseModel]:
    """The model of a section's values."""
    module, _, model = MODELS[name].partition(":")
    found: type[BaseModel] = getattr(import_module(module), model)
    return found


def describe(name: str, error: ValidationError) -> list[str]:
    """Each problem of a validation error as `section.key: what is wrong, got value`."""
    return [_describe_one(name, problem) for problem in error.errors()]


def read_yaml(path: Path) -> dict[str, Any]:
    """The mapping in a YAML file; raises InspectionError where there is none."""
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
        problem = f"{path}: is not UTF-8 ({error.reason}); save it as UTF-8"
        raise InspectionError(problem) from error
    if not isinstance(content, dict):
        kind = type(content).__name__
        raise InspectionError(f"{path}: should hold sections, got {kind}")
    return content


def _load(wanted: Section[A], content: Mapping[str, Any]) -> tuple[A | None, list[str]]:
    name = wanted.name
    if content.get(name) is None:
        return None, [f"{name}: missing; add the section"]
    try:
        value = wanted.model.model_validate(content[name])
    except ValidationError as error:
        return None, describe(name, error)

    # DVC refuses a stage whose tracked key is not there, but only after it has run.
    absent = [key for key in wanted.keys if key not in content[name]]
    if absent:
        return None, [_absent(name, key, value) for key in absent]
    return (_only(value, wanted.keys) if wanted.keys else value), []


class _SomeOfLine(Line):
    """A line of which the undeclared keys are gone."""

    def __getattr__(self, name: str) -> object:
        if name in Line.model_fields:
            raise UndeclaredKeyError(
                f"line.{name}: this stage does not ask for it, so DVC does not track it for this "
                f"stage; add {name!r} to its sections.line(...), then run `make deps`"
            )
        return super().__getattr__(name)  # type: ignore[misc]


def _only(value: A, keys: tuple[str, ...]) -> A:
    """The line with these keys alone."""
    # a model is made with all its defaults, which a stage must not take for the line's values
    chosen = _SomeOfLine.model_construct()
    chosen.__dict__.clear()
    chosen.__dict__.update({key: getattr(value, key) for key in keys})
    return cast(A, chosen)


def _absent(name: str, key: str, value: BaseModel) -> str:
    default = value.model_dump(mode="json")[key]
    written = "null" if default is None else default
    return f"{name}.{key}: missing; add it, the default is {written}"


def _unknown(name: str) -> str:
    near = get_close_matches(name, SECTIONS, n=1)
    if near:
        return f"{name}: unknown section; remove it or fix its spelling to {near[0]!r}"
    return f"{name}: unknown section; remove it or use one of {', '.join(SECTIONS)}"


def _describe_one(name: str, problem: ErrorDetails) -> str:
    where = ".".join([name, *(str(part) for part in problem["loc"])])
    if problem["type"] == "extra_forbidden":
        return f"{where}: unknown key; remove it or fix its spelling"
    if problem["type"] == "missing":
        return f"{where}: missing; add it"

    message = problem["msg"]
    for said, plain in WORDING:
        message = message.replace(said, plain)
    got = problem["input"]
    return f"{where}: {message}" + ("" if isinstance(got, dict) else f", got {got!r}")
