"""The project's imports, read from its source as `stages.dependencies` reads them."""

from pathlib import Path

from stages.dependencies import files_of, imported_names, sources_of

ROOT = Path(__file__).parent.parent


def imports(path: Path) -> set[str]:
    """Every dotted name that a file imports, relative ones resolved."""
    return imported_names(path, ROOT)


def closure(path: Path) -> set[str]:
    """The project files that a file reaches by imports, itself included, as posix paths."""
    return sources_of(path, ROOT)


def files_of_module(module: str) -> list[Path]:
    """The project files that run when a module is imported; none for other libraries."""
    return files_of(module, ROOT)
