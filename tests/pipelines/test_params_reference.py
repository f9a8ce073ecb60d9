import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from ruamel.yaml import YAML

from pipelines.params_reference import REFERENCE, keys, reference
from stages import sections

ROOT = Path(__file__).parents[2]
PARAMS = YAML(typ="safe").load((ROOT / "params.yaml").read_text(encoding="utf-8"))


def rows(section: str) -> dict[str, list[str]]:
    """The cells of the table of a section, by key."""
    text = reference().split(f"\n## {section}\n")[1].split("\n## ")[0]
    lines = [line for line in text.splitlines() if line.startswith("| `")]
    return {cells[0]: cells for cells in ([c.strip() for c in one.strip("| ").split(" | ")]
                                          for one in lines)}  # fmt: skip


def written_keys(values: Any, prefix: str = "") -> Iterator[str]:
    for name, value in values.items():
        yield f"{prefix}{name}"
        if isinstance(value, dict):
            yield from written_keys(value, f"{prefix}{name}.")


def test_the_file_is_as_the_models_have_it() -> None:
    assert (ROOT / REFERENCE).read_text(encoding="utf-8") == reference()


@pytest.mark.parametrize("section", sorted(sections.SECTIONS))
def test_every_key_says_what_it_means(section: str) -> None:
    silent = [key for key, schema in keys(section) if not schema.get("description")]

    assert silent == []


@pytest.mark.parametrize("section", sorted(PARAMS))
def test_every_key_of_params_yaml_is_found_in_it(section: str) -> None:
    known = {key for key, _ in keys(section)}
    # below these the user names the keys
    free = ("causes", "backbone_args", "classes", "regions")

    missing = [key for key in written_keys(PARAMS[section]) if key not in known]

    assert [key for key in missing if not key.startswith(tuple(f"{one}." for one in free))] == []


def test_a_row_has_type_range_default_and_meaning() -> None:
    fractions, costs = rows("split"), rows("assemble")

    assert fractions["`val_fraction`"][1:3] == ["number, > 0, < 0.5", "`0.2`"]
    assert fractions["`val_fraction`"][3].startswith("Share of the parts")
    assert costs["`costs.escape_cost`"][1:3] == ["number, > 0", "`100.0`"]


def test_what_must_be_given_fixed_numbers_of_values_and_null_are_said() -> None:
    line = rows("line")

    assert line["`normal`"][1:3] == ["text", "must be given"]
    assert line["`causes`"][1:3] == ["mapping", "`{}`"]
    assert line["`orient`"][1:3] == ["[text, text] or null", "`null`"]
    assert line["`classes`"][1:3] == ["mapping, at least 1", "must be given"]
    assert line["`regions.<name>.size_px`"][1] == "[integer, integer], >= 32, <= 2048"


def test_check_changes_nothing_and_fails_where_the_file_is_stale(tmp_path: Path) -> None:
    (tmp_path / "docs").mkdir()
    stale = tmp_path / REFERENCE
    stale.write_text("of last year", encoding="utf-8")
    command = [sys.executable, "-m", "pipelines.params_reference"]
    here = {"cwd": tmp_path, "env": {"PYTHONPATH": str(ROOT)}, "text": True}

    checked = subprocess.run([*command, "--check"], stderr=subprocess.PIPE, **here)
    assert (checked.returncode, checked.stderr) == (1, f"{REFERENCE}: stale; run `make deps`\n")
    assert stale.read_text(encoding="utf-8") == "of last year"

    assert subprocess.run(command, **here).returncode == 0
    assert stale.read_text(encoding="utf-8") == reference()
    assert subprocess.run([*command, "--check"], **here).returncode == 0
