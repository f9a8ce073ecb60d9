"""Say of everything that Knurl needs whether it is there, and what mends it where it is not.

After what is of the whole checkout and of the line in its root, each line in `lines/` is looked at.
Nothing is changed but an empty object, written into the bucket of artifacts and taken away, on a
host whose environment names one. Exit 0: it can work. Exit 1: something is at fault.
"""

import argparse
import sys
from collections.abc import Iterable, Iterator
from contextlib import chdir
from dataclasses import replace
from pathlib import Path

from inspection.plant import LINES, as_typed, lines_in
from pipelines.doctor import broker, cluster, machine, project, servers, stores
from pipelines.doctor.finding import FAULT, Finding

# Of the columns of states and of subjects: the longest of each.
STATE_WIDTH, SUBJECT_WIDTH = 7, 11


def main() -> None:
    """Run the checks and print a line of each as it ends."""
    argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    ).parse_args()
    findings = []
    for finding in checks():
        findings.append(finding)
        sys.stdout.write(told(finding))
        sys.stdout.flush()
    if has_fault(findings):
        raise SystemExit(1)


def checks() -> Iterator[Finding]:
    """All checks, those of this machine first, and last those of the lines in `lines/`."""
    for room in (machine, project, servers, stores, broker, cluster):
        yield from room.checks()
    for name, folder in lines_in(LINES).items():
        yield from of_line(name, folder)


def of_line(name: str, folder: Path) -> Iterator[Finding]:
    """All that can be said of a line, each finding with its name."""
    with chdir(folder):
        # before the way back: whoever asks for them one by one works in the root
        found = [*project.of_line(), *servers.mlflow()]
    for one in found:
        remedy = as_typed(one.remedy, name)
        yield replace(one, text=f"{name}: {as_typed(one.text, name)}", remedy=remedy)


def told(finding: Finding) -> str:
    """A finding as a line, and its remedy below it."""
    line = f"{finding.state:{STATE_WIDTH}}  {finding.subject:{SUBJECT_WIDTH}}  {finding.text}\n"
    if not finding.remedy:
        return line
    indent = " " * (STATE_WIDTH + SUBJECT_WIDTH + 4)
    return f"{line}{indent}to fix: {finding.remedy}\n"


def has_fault(findings: Iterable[Finding]) -> bool:
    """Whether anything is at fault; a warning is none."""
    return any(one.state == FAULT for one in findings)


if __name__ == "__main__":
    main()
