"""The project's imports, read from its source: what reaches what."""

import ast
from pathlib import Path

ROOT = Path(__file__).parent.parent
ROOMS = ("inspection", "stages", "pipelines", "serving", "dashboard", "samples", "benchmarks")


def file_of(module: str) -> Path | None:
    """The project file of a dotted module name, or None when it is not the project's."""
    if module.split(".")[0] not in ROOMS:
        return None
    base = ROOT.joinpath(*module.split("."))
    for candidate in (base.with_suffix(".py"), base / "__init__.py"):
        if candidate.is_file():
            return candidate
    return None


def imports(path: Path) -> set[str]:
    """Every dotted name that a file imports, those inside functions and under TYPE_CHECKING too."""
    found: set[str] = set()
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.Import):
            found |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom) and node.module and not node.level:
            found.add(node.module)
            found |= {f"{node.module}.{alias.name}" for alias in node.names}
    return found


def closure(path: Path) -> set[str]:
    """The project files that a file reaches by imports, itself included, as posix paths."""
    waiting, reached = [path], {path}
    while waiting:
        for module in imports(waiting.pop()):
            for file in _files(module):
                if file not in reached:
                    reached.add(file)
                    waiting.append(file)
    return {str(file.relative_to(ROOT)) for file in reached}


def _files(module: str) -> list[Path]:
    """The file of a module; package markers have no code and do not count."""
    file = file_of(module)
    return [file] if file is not None and file.name != "__init__.py" else []
