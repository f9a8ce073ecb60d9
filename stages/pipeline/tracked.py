"""What DVC watches for a stage besides files: keys of params.yaml, and versions of libraries.

Both are read off the source, as the lists of files are: the keys from what the stage asks of
`stages.sections`, the libraries from the imports of every file that it reaches.
"""

import ast
import re
from collections.abc import Iterable, Iterator, Mapping
from functools import cache
from importlib.metadata import packages_distributions
from pathlib import Path

LIBRARIES = Path("libraries.yaml")

# They check params, draw progress bars and keep the books: another version of them makes no other
# model, and must not train one.
WITHOUT_RESULT = {
    "mlflow",
    "psutil",
    "pydantic",
    "pydantic-core",
    "ruamel-yaml",
    "tqdm",
}


def keys_of(program: Path) -> list[str]:
    """The keys of params.yaml that a stage asks for, in its own words: `line.classes`, `split`.

    These are the texts in its calls of `sections.section("split", ...)`, which takes the section as
    a whole, and of `sections.line("classes", ...)`.
    """
    found: list[str] = []
    for call in _calls(program):
        texts = [str(one.value) for one in call.args if isinstance(one, ast.Constant)]
        match ast.unparse(call.func):
            case "sections.line":
                found += [f"line.{text}" for text in texts]
            case "sections.section":
                found += texts
    return list(dict.fromkeys(found))


@cache
def _distributions() -> Mapping[str, list[str]]:
    """The installed distributions of every importable name; to read them all takes a second."""
    return packages_distributions()


def libraries_of(imported: Iterable[str], required: Iterable[str]) -> list[str]:
    """The names in requirements.in of the libraries behind imported names, sorted.

    `cv2` is opencv-python-headless. A library that is not named there comes along with one that is.
    """
    by_name = {_folded(name): name for name in required}
    distributions = _distributions()

    found = set()
    for package in {name.partition(".")[0] for name in imported}:
        for distribution in distributions.get(package, []):
            folded = _folded(distribution)
            if folded in by_name and folded not in WITHOUT_RESULT:
                found.add(by_name[folded])
    return sorted(found)


def required_in(text: str) -> list[str]:
    """The libraries that a requirements.in names.

    >>> required_in("dvc>=3.67   # pipelines\\n\\n# and\\nhydra-core")
    ['dvc', 'hydra-core']
    """
    names = (re.match(r"[\w.-]+", line) for line in text.splitlines())
    return [name[0] for name in names if name]


def pinned_in(text: str) -> dict[str, str]:
    """The versions in a requirements.txt, by name.

    >>> pinned_in("numpy==2.2.6 \\\\\\n    --hash=sha256:ab\\ntorch==2.7.1+cpu")
    {'numpy': '2.2.6', 'torch': '2.7.1+cpu'}
    """
    return dict(re.findall(r"(?m)^([\w.-]+)==([^\s;]+)", text))


def libraries_text(used: Iterable[str], pinned: Mapping[str, str]) -> str:
    """The text of libraries.yaml: the pinned version of every library that some stage uses."""
    versions = {_folded(name): version for name, version in pinned.items()}
    lines = [f'{name}: "{versions[_folded(name)]}"\n' for name in sorted(set(used))]
    head = "# Of requirements.txt, what results depend on; DVC watches it. `make deps` writes it.\n"
    return head + "".join(lines)


def entries(
    keys: Iterable[str], libraries: list[str]
) -> list[str | dict[str, list[str]]]:
    """The `params` of a stage in dvc.yaml."""
    listed: list[str | dict[str, list[str]]] = list(keys)
    return [*listed, {LIBRARIES.name: libraries}] if libraries else listed


def _calls(program: Path) -> Iterator[ast.Call]:
    for node in ast.walk(ast.parse(program.read_text(encoding="utf-8"))):
        if isinstance(node, ast.Call):
            yield node


def _folded(name: str) -> str:
    """As package registries compare names: `ruamel.yaml` is `ruamel-yaml`."""
    return re.sub(r"[-_.]+", "-", name).lower()
