"""What is shipped with the project: a bill of materials, licences, known vulnerabilities.

    python -m pipelines.shipping.supply_chain sbom --out reports/sbom.json
    python -m pipelines.shipping.supply_chain licences
    python -m pipelines.shipping.supply_chain audit

Versions and hashes are those of requirements.txt, of what the service, a plant and the tests need
beside; licences are what the installed packages say of themselves. `docs/licences.yaml` says which
are allowed.
"""

import argparse
import ast
import json
import re
import subprocess
import sys
from collections.abc import Container, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from fnmatch import fnmatch
from importlib.metadata import PackageNotFoundError, metadata
from pathlib import Path
from typing import Any

from inspection.errors import InspectionError, raise_all
from inspection.failures import PlainErrors
from inspection.storage import write_json
from stages.sections import read_yaml

REQUIREMENTS = Path("requirements.txt")
# All that a Bento of the service installs.
SERVICE = Path("serving/requirements.txt")
# Installed where somebody asks for it: `make plant`, `make test`.
OPTIONAL = (Path("requirements-plant.txt"), Path("tests/requirements.txt"))
RULES = Path("docs/licences.yaml")
# A database is asked for some 300 packages, each a request.
AUDIT_S = 300
# What older packages say instead of an SPDX identifier, in lower case.
SPDX = {
    "3-clause bsd license": "BSD-3-Clause",
    "apache": "Apache-2.0",
    "apache license": "Apache-2.0",
    "apache license 2.0": "Apache-2.0",
    "apache software license": "Apache-2.0",
    "artistic license": "Artistic-1.0-Perl",
    "bsd": "BSD-3-Clause",
    "bsd license": "BSD-3-Clause",
    "freebsd": "BSD-2-Clause",
    "isc license (iscl)": "ISC",
    "mit license": "MIT",
    "mozilla public license 2.0 (mpl 2.0)": "MPL-2.0",
    "python software foundation license": "PSF-2.0",
    "zope public license": "ZPL-2.1",
}


@dataclass(frozen=True)
class Requirement:
    """A pinned package with the SHA-256 of its files, and the licences that it names.

    `licences` is an SPDX expression, or several alternatives; empty where it says nothing.
    """

    name: str
    version: str
    hashes: tuple[str, ...]
    licences: tuple[str, ...]


def main() -> None:
    """Parse the command line; errors end it with 1, untraced."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").split("\n\n")[0])
    verbs = parser.add_subparsers(dest="verb", required=True)
    sbom = verbs.add_parser("sbom", help="write a CycloneDX bill of materials")
    sbom.add_argument("--out", type=Path, required=True)
    verbs.add_parser("licences", help="hold every licence against docs/licences.yaml")
    verbs.add_parser("audit", help="ask a database for known vulnerabilities")

    given = parser.parse_args()
    with PlainErrors(given.verb):
        sys.stdout.write(_done(given) + "\n")


def _done(given: argparse.Namespace) -> str:
    if given.verb == "audit":
        return audited(_pip_audit())

    if given.verb == "sbom":
        bill = bill_of_materials(by_file())
        write_json(given.out, bill)
        return f"{given.out}: {len(bill['components'])} packages"

    rules = read_yaml(RULES)
    found = required()
    more = optional(found)
    raise_all(
        refused(found, rules["allowed"], rules["exceptions"])
        + refused(more, rules["allowed"], rules["optional_exceptions"])
    )
    n_packages = len(found) + len(more)
    return f"licences of {n_packages} packages: all allowed by {RULES}"


def by_file() -> dict[Path, list[Requirement]]:
    """The packages of each file of requirements, whoever it is for."""
    paths = (REQUIREMENTS, SERVICE, *OPTIONAL)
    return {path: requirements(path.read_text(encoding="utf-8")) for path in paths}


def required() -> list[Requirement]:
    """The packages of the project and of its service, each once."""
    found = requirements(REQUIREMENTS.read_text(encoding="utf-8"))
    known = {one.name for one in found}
    text = SERVICE.read_text(encoding="utf-8")
    return found + requirements(text, skipped=known)


def optional(found_already: Sequence[Requirement]) -> list[Requirement]:
    """The packages of the optional requirements that are not among these already, by name."""
    known = {one.name for one in found_already}
    found: dict[str, Requirement] = {}
    for path in OPTIONAL:
        text = path.read_text(encoding="utf-8")
        found |= {one.name: one for one in requirements(text, skipped=known)}
    return [found[name] for name in sorted(found)]


def requirements(text: str, *, skipped: Container[str] = ()) -> list[Requirement]:
    """The packages that a hashed requirements.txt pins, without those of the names `skipped`."""
    found = []
    for entry in re.split(r"(?m)^(?=[\w.-]+==)", text):
        pinned = re.match(r"([\w.-]+)==([^\s;]+)", entry)
        if pinned and pinned[1] not in skipped:
            hashes = tuple(re.findall(r"--hash=sha256:([0-9a-f]{64})", entry))
            name = pinned[1]
            found.append(Requirement(name, pinned[2], hashes, _licences(name)))
    return found


def bill_of_materials(
    of_files: Mapping[Path, Sequence[Requirement]],
) -> dict[str, Any]:
    """A CycloneDX 1.5 document of the packages of all files of requirements, each package once.

    Without time and number, so that equal pins give equal bytes.
    """
    packages: dict[str, Requirement] = {}
    named_in: dict[str, list[Path]] = {}
    for path, found in of_files.items():
        for one in found:
            packages[_purl(one)] = one
            named_in.setdefault(_purl(one), []).append(path)
    return {
        "bomFormat": "CycloneDX",
        "specVersion": "1.5",
        "version": 1,
        "metadata": {
            "component": {"type": "application", "name": "knurl", "bom-ref": "knurl"}
        },
        "components": [
            _component(one, named_in[purl]) for purl, one in packages.items()
        ],
        "dependencies": [{"ref": "knurl", "dependsOn": list(packages)}],
    }


def refused(
    found: Sequence[Requirement],
    allowed: Sequence[str],
    exceptions: Mapping[str, str],
) -> list[str]:
    """A line for each package whose licence is not allowed, and for each exception of no use."""
    wrong = [one for one in found if not _is_allowed(one, allowed)]
    problems = []
    used: set[str] = set()
    for one in wrong:
        excepting = _fitting(one.name, exceptions)
        used.update(excepting)
        if not excepting:
            problems.append(
                f"{one.name}: licence {' or '.join(one.licences) or 'not given'}; allow it in "
                f"{RULES} with a reason, or leave the package out"
            )

    for pattern in exceptions:
        if pattern not in used:
            problems.append(
                f"{pattern}: no package needs this exception; take it out of {RULES}"
            )
    return problems


def _fitting(name: str, patterns: Iterable[str]) -> list[str]:
    """Those of the patterns that a name fits."""
    return [pattern for pattern in patterns if fnmatch(name, pattern)]


def audited(report: Mapping[str, Any] | None) -> str:
    """What an audit found, in a line. Raises InspectionError that names every vulnerability.

    A package that the database does not know counts as not audited: where that is most of them
    there was no database, and nothing is claimed.
    """
    if report is None:
        return "audit: skipped, pip-audit or its database cannot be reached; run it with a network"
    packages = report["dependencies"]
    known = [one for one in packages if "skip_reason" not in one]
    if 2 * len(known) <= len(packages):
        return (
            f"audit: skipped, the package index knows no vulnerabilities of "
            f"{len(packages) - len(known)} of {len(packages)} packages; ask another index"
        )
    raise_all(
        f"{one['name']} {one['version']}: {bug['id']}; take "
        f"{' or '.join(bug['fix_versions']) or 'it out, there is no fix'}"
        for one in known
        for bug in one["vulns"]
    )
    return f"audit: no known vulnerability in {len(known)} of {len(packages)} packages"


def _pip_audit() -> dict[str, Any] | None:
    tool = [sys.executable, "-m", "uv", "tool", "run", "pip-audit"]
    flags = ["--require-hashes", "--disable-pip", "--format", "json"]
    try:
        done = subprocess.run(
            [*tool, "--requirement", str(REQUIREMENTS), *flags],
            capture_output=True,
            text=True,
            timeout=AUDIT_S,
        )
        report: dict[str, Any] = json.loads(done.stdout)
    except (subprocess.TimeoutExpired, json.JSONDecodeError):
        return None
    return report


def _licences(name: str) -> tuple[str, ...]:
    try:
        said = metadata(name)
    except PackageNotFoundError as error:
        raise InspectionError(
            f"{name}: is not installed; run `make setup`, or `make test` for what it needs beside"
        ) from error
    expressions = said.get_all("License-Expression") or []
    if expressions:
        return tuple(expressions)

    classifiers = [
        text.rpartition(" :: ")[2]
        for text in said.get_all("Classifier") or []
        if text.startswith("License :: OSI Approved :: ")
    ]
    text = "\n".join(said.get_all("License") or [])
    named = classifiers or text.splitlines()[:1]
    return tuple(SPDX.get(one.strip().lower(), one.strip()) for one in named)


def _is_allowed(one: Requirement, allowed: Sequence[str]) -> bool:
    return any(_satisfied(expression, allowed) for expression in one.licences)


def _satisfied(expression: str, allowed: Sequence[str]) -> bool:
    """Whether an SPDX expression can be met by allowed licences."""
    words = re.findall(r"\(|\)|\bAND\b|\bOR\b|[^\s()]+(?: WITH [^\s()]+)?", expression)
    logic = {"AND": "and", "OR": "or", "(": "(", ")": ")"}
    text = " ".join(logic.get(word) or str(word in allowed) for word in words)
    try:
        return _truth(ast.parse(text, mode="eval").body)
    except SyntaxError:
        return False


def _truth(node: ast.expr) -> bool:
    if isinstance(node, ast.BoolOp):
        values: Iterator[bool] = map(_truth, node.values)
        return all(values) if isinstance(node.op, ast.And) else any(values)
    return isinstance(node, ast.Constant) and node.value is True


def _component(one: Requirement, paths: Sequence[Path]) -> dict[str, Any]:
    """A package, the hashes of its files, and the files of requirements that name it."""
    is_optional = set(paths) <= set(OPTIONAL)
    entry: dict[str, Any] = {
        "type": "library",
        "bom-ref": _purl(one),
        "name": one.name,
        "version": one.version,
        "purl": _purl(one),
        "scope": "optional" if is_optional else "required",
        "properties": [
            *[{"name": "knurl:requirements", "value": str(path)} for path in paths],
            # A package is one of several files, of which each platform takes another.
            *[{"name": "knurl:sha256", "value": digest} for digest in one.hashes],
        ],
    }
    if one.licences:
        entry["licenses"] = [{"license": {"name": licence}} for licence in one.licences]
    return entry


def _purl(one: Requirement) -> str:
    name = re.sub(r"[-_.]+", "-", one.name).lower()
    return f"pkg:pypi/{name}@{one.version.replace('+', '%2B')}"


if __name__ == "__main__":
    main()
