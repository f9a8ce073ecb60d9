import json
import re
from pathlib import Path
from typing import Any

import pytest

from inspection.errors import InspectionError
from pipelines.shipping.supply_chain import (
    Requirement,
    _satisfied,
    audited,
    bill_of_materials,
    by_file,
    optional,
    refused,
    required,
    requirements,
)
from stages.sections import read_yaml
from tests.architecture import ROOT

NAMES = (
    "requirements.txt",
    "serving/requirements.txt",
    "requirements-plant.txt",
    "tests/requirements.txt",
)
FOUND = requirements((ROOT / "requirements.txt").read_text(encoding="utf-8"))


def package(name: str, *licences: str) -> Requirement:
    return Requirement(name, "1.0", (), licences)


def test_the_licence_of_every_requirement_is_allowed_and_no_exception_is_idle() -> None:
    rules = read_yaml(ROOT / "docs" / "licences.yaml")

    assert refused(required(), rules["allowed"], rules["exceptions"]) == []


def test_what_a_plant_and_the_tests_need_beside_is_allowed_too() -> None:
    rules = read_yaml(ROOT / "docs" / "licences.yaml")
    try:
        found = optional(FOUND)
    except InspectionError as error:
        pytest.skip(str(error))

    assert "psycopg2-binary" in {one.name for one in found}
    assert all(one.hashes for one in found)
    assert refused(found, rules["allowed"], rules["optional_exceptions"]) == []


def test_a_package_that_only_the_service_needs_is_held_against_the_list_too(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "serving").mkdir()
    (tmp_path / "requirements.txt").write_text("numpy==1.0\n")
    (tmp_path / "serving/requirements.txt").write_text("numpy==1.0\nstarlette==1.0\n")

    assert [one.name for one in required()] == ["numpy", "starlette"]


def test_a_licence_that_is_not_allowed_is_named_with_its_package() -> None:
    found = [package("good", "MIT"), package("bad", "AGPL-3.0-only"), package("mute")]

    problems = refused(found, ["MIT"], {})

    assert [line.split(";")[0] for line in problems] == [
        "bad: licence AGPL-3.0-only",
        "mute: licence not given",
    ]


def test_an_exception_that_no_package_needs_is_named() -> None:
    assert refused([package("good", "MIT")], ["MIT"], {"good": "as it was GPL"}) == [
        "good: no package needs this exception; take it out of docs/licences.yaml"
    ]


@pytest.mark.parametrize(
    ("expression", "is_met"),
    [
        ("MIT", True),
        ("GPL-3.0-only", False),
        ("GPL-2.0-or-later OR MIT", True),
        ("MIT AND GPL-2.0-only", False),
        ("MIT AND (GPL-2.0-only OR ISC)", True),
        ("Apache-2.0 WITH LLVM-exception", True),
        ("Apache-2.0 WITH other-exception", False),
        ("MIT and then some", False),
        ("", False),
    ],
)
def test_an_expression_is_met_by_allowed_licences(expression: str, is_met: bool) -> None:
    assert _satisfied(expression, ["MIT", "ISC", "Apache-2.0 WITH LLVM-exception"]) is is_met


def test_the_bill_of_materials_names_every_pin_with_its_hashes() -> None:
    bill = json.loads(json.dumps(bill_of_materials({Path("requirements.txt"): FOUND})))
    by_name = {one["name"]: one for one in bill["components"]}

    assert (bill["bomFormat"], bill["specVersion"]) == ("CycloneDX", "1.5")
    assert len(by_name) == len(FOUND) > 200
    assert {one["scope"] for one in bill["components"]} == {"required"}
    assert by_name["cryptography"]["purl"].startswith("pkg:pypi/cryptography@")
    assert all(one["properties"] for one in bill["components"])
    references = {one["bom-ref"] for one in bill["components"]}
    assert set(bill["dependencies"][0]["dependsOn"]) == references


def test_the_bill_names_what_service_plant_and_tests_need_and_which_of_them() -> None:
    """Each package once, by the lines of the four files."""
    wanted: dict[tuple[str, str], list[str]] = {}
    for path in NAMES:
        text = (ROOT / path).read_text(encoding="utf-8")
        for pin in re.findall(r"(?m)^([\w.-]+)==([^\s;]+)", text):
            wanted.setdefault(pin, []).append(path)
    try:
        bill = bill_of_materials(by_file())
    except InspectionError as error:
        pytest.skip(str(error))

    assert len(bill["components"]) == len(wanted)
    for one in bill["components"]:
        files = wanted[one["name"], one["version"]]
        shown = [p["value"] for p in one["properties"] if p["name"] == "knurl:requirements"]
        assert shown == files
        assert one["scope"] == ("required" if set(files) & set(NAMES[:2]) else "optional")


def audited_package(*bugs: str, **more: Any) -> dict[str, Any]:
    vulns = [{"id": bug, "fix_versions": ["2.0"]} for bug in bugs]
    return {"name": "a", "version": "1.0", "vulns": vulns} | more


def test_a_vulnerability_is_named_with_its_remedy() -> None:
    with pytest.raises(InspectionError, match=r"a 1\.0: CVE-1; take 2\.0"):
        audited({"dependencies": [audited_package("CVE-1")]})


def test_an_audit_without_a_database_claims_nothing() -> None:
    unknown = {"name": "b", "skip_reason": "not found"}

    assert "skipped" in audited(None)
    assert "skipped" in audited({"dependencies": [unknown, audited_package(), unknown]})
    assert "no known vulnerability in 1 of 1" in audited({"dependencies": [audited_package()]})
