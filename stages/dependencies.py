"""What each stage in dvc.yaml depends on, written and checked: `make deps`.

DVC does not follow imports, so a source file that is missing among a stage's `deps` serves a stale
model, and one too many trains anew for nothing. The files are read off the imports; the keys of
params.yaml and the libraries in `params` off the source as well (stages/pipeline/tracked.py).

A line of its own, `lines/<name>/params.yaml`, has the same stages in a dvc.yaml of its own, written
from that of the root.
"""

import argparse
import ast
import re
import sys
from collections.abc import Iterator, Sequence
from functools import cache
from io import StringIO
from pathlib import Path
from typing import Any

from inspection.errors import InspectionError, first_three
from inspection.plant import LINES, lines_in
from stages.pipeline import tracked

PIPELINE = Path("dvc.yaml")
ROOMS = (
    "inspection",
    "stages",
    "pipelines",
    "serving",
    "dashboard",
    "samples",
    "benchmarks",
)
PARAMS = "params.yaml"
# From the folder of a line to the root, where the sources are.
UP = "../../"
HEAD_OF_A_LINE = (
    "# ../../dvc.yaml for the line in this folder; `make deps` writes it.\n"
)
# Code, templates, and tables that code reads: none of them is data of the line.
SOURCE_SUFFIXES = (".py", ".j2", ".json")


def main() -> None:
    """Write the lists, or with --check only say whether they are up to date."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument(
        "--check",
        action="store_true",
        help="change nothing; exit 1 where a file is stale",
    )
    wants_check = parser.parse_args().check

    wanted = written(Path.cwd())
    stale = [path for path, text in wanted.items() if not _holds(path, text)]
    if wants_check and stale:
        names = ", ".join(path.relative_to(Path.cwd()).as_posix() for path in stale)
        sys.stderr.write(f"{names}: stale; run `make deps`\n")
        raise SystemExit(1)
    for path in stale:
        path.write_text(wanted[path], encoding="utf-8")


def _holds(path: Path, text: str) -> bool:
    return path.is_file() and path.read_text(encoding="utf-8") == text


def written(root: Path) -> dict[Path, str]:
    """The text of dvc.yaml, the root's and each line's, and of libraries.yaml, by the sources."""
    text = (root / PIPELINE).read_text(encoding="utf-8")
    required = tracked.required_in((root / "requirements.in").read_text("utf-8"))
    pinned = tracked.pinned_in((root / "requirements.txt").read_text("utf-8"))

    used: list[str] = []
    for stage in _yaml().load(text)["stages"].values():
        used += libraries_of(_program(stage, root), root, required)
    pipeline = with_sources(text, root, required)
    lines = [one for one in lines_in(root / LINES).values() if (one / PARAMS).is_file()]
    return {
        root / PIPELINE: pipeline,
        root / tracked.LIBRARIES: tracked.libraries_text(used, pinned),
        **{line / PIPELINE: of_a_line(pipeline) for line in lines},
    }


def of_a_line(pipeline: str) -> str:
    """The text of dvc.yaml for the folder of a line: its data lies there, the sources above.

    >>> print(of_a_line("# a\\n    cmd: exec python -m stages.a\\n      - stages/a.py\\n"))
    # ../../dvc.yaml for the line in this folder; `make deps` writes it.
        cmd: exec env PYTHONPATH=../../ python -m stages.a
          - ../../stages/a.py
    <BLANKLINE>
    """
    text = re.sub(r"\A(#.*\n)+", HEAD_OF_A_LINE, pipeline)
    text = text.replace("exec python -m ", f"exec env PYTHONPATH={UP} python -m ")
    text = text.replace(f"- {tracked.LIBRARIES}:", f"- {UP}{tracked.LIBRARIES}:")

    def above(found: re.Match[str]) -> str:
        return f"{found[1]}{UP}{found[2]}" if is_source(found[2]) else found[0]

    return re.sub(r"(?m)^( +- )(\S+)$", above, text)


def with_sources(text: str, root: Path, required: Sequence[str] = ()) -> str:
    """The text of dvc.yaml with the sources, params and libraries of every stage as it has them.

    Data that a stage depends on stays first and in its order; sources follow by name. `required`
    are the libraries of requirements.in.
    """
    yaml = _yaml()
    pipeline: Any = yaml.load(text)
    for stage in pipeline["stages"].values():
        program = _program(stage, root)
        data = [dep for dep in stage["deps"] if not is_source(dep)]
        stage["deps"] = data + sorted(sources_of(program, root))

        libraries = libraries_of(program, root, required)
        params = tracked.entries(tracked.keys_of(program), libraries)
        if params:
            stage["params"] = params

    out = StringIO()
    yaml.dump(pipeline, out)
    return out.getvalue()


def libraries_of(program: Path, root: Path, required: Sequence[str]) -> list[str]:
    """The libraries that a program's result depends on, by their names in requirements.in."""
    imported: list[str] = []
    for source in sources_of(program, root):
        path = root / source
        if path.suffix == ".py":
            imported += imported_names(path, root)
    return tracked.libraries_of(imported, required)


def is_source(dep: str) -> bool:
    """Whether a dependency is a file of the project's own code, not data that a stage reads."""
    return dep.startswith(("inspection/", "stages/")) and dep.endswith(SOURCE_SUFFIXES)


def sources_of(program: Path, root: Path) -> set[str]:
    """The project files that a program reaches, itself included, as posix paths from `root`.

    Reached is what is imported, wherever the import stands, the `__init__.py` of every package on
    the way that holds code, and the siblings that are named by `with_name("...")`.
    """
    waiting, reached = [program], {program}
    while waiting:
        path = waiting.pop()
        for file in _reached_from(path, root):
            if file not in reached:
                reached.add(file)
                waiting.append(file)
    return {file.relative_to(root).as_posix() for file in reached}


def imported_names(path: Path, root: Path) -> set[str]:
    """Every dotted name that a file imports, relative imports resolved.

    `from a import b` counts as `a` and as `a.b`, since `b` may be a module.
    """
    found: set[str] = set()
    for node in _imports(path.read_text(encoding="utf-8")):
        if isinstance(node, ast.Import):
            found |= {alias.name for alias in node.names}
        else:
            origin = _origin(node, path, root)
            found.add(origin)
            found |= {f"{origin}.{alias.name}" for alias in node.names}
    return found


def files_of(module: str, root: Path) -> list[Path]:
    """The project files that run when a dotted name is imported; none for other libraries.

    These are the module itself and every package on the way to it whose `__init__.py` holds code.
    """
    names = module.split(".")
    if names[0] not in ROOMS:
        return []

    folders = [root.joinpath(*names[: depth + 1]) for depth in range(len(names))]
    packages = [folder / "__init__.py" for folder in folders]
    found = [marker for marker in packages if marker.is_file() and _holds_code(marker)]
    source = root.joinpath(*names).with_suffix(".py")
    return [*found, source] if source.is_file() else found


def _reached_from(path: Path, root: Path) -> Iterator[Path]:
    # templates and tables reach nothing further
    if path.suffix != ".py":
        return
    for module in imported_names(path, root):
        yield from files_of(module, root)
    yield from _named_siblings(path)


def _named_siblings(path: Path) -> Iterator[Path]:
    """Files beside this one that it opens by name: `Path(__file__).with_name("page.html.j2")`."""
    for name in _names_beside(path.read_text(encoding="utf-8")):
        # the same call also names files that a stage writes, which are not there yet
        sibling = path.with_name(name)
        if sibling.is_file():
            yield sibling


# Most files are reached by every stage, so what was read off a source is kept.
@cache
def _imports(source: str) -> tuple[ast.Import | ast.ImportFrom, ...]:
    nodes = ast.walk(ast.parse(source))
    return tuple(
        node for node in nodes if isinstance(node, ast.Import | ast.ImportFrom)
    )


@cache
def _names_beside(source: str) -> tuple[str, ...]:
    """What a source gives to `with_name`, where it is written out."""
    names = []
    for node in ast.walk(ast.parse(source)):
        if not isinstance(node, ast.Call) or not isinstance(node.func, ast.Attribute):
            continue
        if node.func.attr != "with_name" or not node.args:
            continue
        name = node.args[0]
        if isinstance(name, ast.Constant):
            names.append(str(name.value))
    return tuple(names)


def _origin(node: ast.ImportFrom, path: Path, root: Path) -> str:
    """The absolute name of the package or module that a `from ... import` takes from."""
    if not node.level:
        return node.module or ""
    # the first dot is the file's own package, every further one the package above
    package = path.parent
    for _ in range(node.level - 1):
        package = package.parent

    names = list(package.relative_to(root).parts)
    if node.module:
        names.append(node.module)
    return ".".join(names)


def _holds_code(marker: Path) -> bool:
    """Whether an `__init__.py` holds more than its docstring."""
    body = ast.parse(marker.read_text(encoding="utf-8")).body
    return any(not _is_docstring(node) for node in body)


def _is_docstring(node: ast.stmt) -> bool:
    return isinstance(node, ast.Expr) and isinstance(node.value, ast.Constant)


def _program(stage: Any, root: Path) -> Path:
    """The source file of a stage's program."""
    return root / f"{_module_of(stage['cmd']).replace('.', '/')}.py"


def _module_of(command: str) -> str:
    """The module of `exec python -m stages.train --out ...`."""
    words = command.split()
    if "-m" not in words:
        raise InspectionError(
            f"{PIPELINE}: no `python -m <module>` in command {first_three([command])}; "
            "run a stage as `exec python -m stages.<name>`"
        )
    return words[words.index("-m") + 1]


def _yaml() -> Any:
    from ruamel.yaml import YAML

    yaml = YAML()
    # wider than any line of dvc.yaml: none is broken anew, so a change shows in a diff by itself
    yaml.width = 4096
    yaml.indent(mapping=2, sequence=4, offset=2)
    return yaml


if __name__ == "__main__":
    main()
