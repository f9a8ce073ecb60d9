from pathlib import Path

import pytest

from inspection.errors import InspectionError
from inspection.runtime.signatures import make_keys
from serving.recorder import KeepingPolicy
from serving.settings import Settings, from_environment
from tests.architecture import ROOT

DEFAULTS = Settings(
    releases=ROOT / "models/releases",
    tokens=(),
    verdicts=ROOT / "verdicts",
    policy=KeepingPolicy(pass_fraction=0.02, max_bytes=2_048_000_000),
    max_waiting=8,
    lines=ROOT / "lines",
)
NAMES = (
    "KNURL_PUBLIC_KEY",
    "KNURL_RELEASES",
    "KNURL_TOKEN",
    "KNURL_HOSTS",
    "KNURL_LINES",
    "KNURL_VERDICTS",
    "KNURL_KEEP_PASS_PERCENT",
    "KNURL_PICTURES_MB",
    "KNURL_MAX_WAITING",
)


@pytest.mark.parametrize("given", [{}, dict.fromkeys(NAMES, "")], ids=["nothing", "empty"])
def test_what_is_not_set_has_its_default(given: dict[str, str]) -> None:
    assert from_environment(given) == DEFAULTS


@pytest.mark.parametrize(
    ("given", "tokens"),
    [("one", ("one",)), ("new, old", ("new", "old")), (" , ", ())],
)
def test_tokens_are_divided_by_commas(given: str, tokens: tuple[str, ...]) -> None:
    assert from_environment({"KNURL_TOKEN": given}).tokens == tokens


def test_names_of_hosts_are_divided_by_commas_and_know_no_upper_case() -> None:
    hosts = from_environment({"KNURL_HOSTS": "Plant.example, b.example"}).hosts

    assert hosts == ("plant.example", "b.example")


@pytest.mark.parametrize(("percent", "fraction"), [("0", 0.0), ("100", 1.0), ("12.5", 0.125)])
def test_the_share_of_kept_passes_is_a_percentage(percent: str, fraction: float) -> None:
    policy = from_environment({"KNURL_KEEP_PASS_PERCENT": percent}).policy

    assert policy.pass_fraction == fraction


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("KNURL_KEEP_PASS_PERCENT", "100.1"),
        ("KNURL_KEEP_PASS_PERCENT", "-1"),
        ("KNURL_KEEP_PASS_PERCENT", "nan"),
        ("KNURL_PICTURES_MB", "inf"),
        ("KNURL_PICTURES_MB", "much"),
        ("KNURL_MAX_WAITING", "-1"),
        ("KNURL_MAX_WAITING", "1.5"),
    ],
)
def test_a_number_that_makes_no_sense_is_refused(name: str, value: str) -> None:
    with pytest.raises(InspectionError, match=f"{name}: got '{value}'"):
        from_environment({name: value})


@pytest.mark.parametrize("given", ["0", "1", "30"])
def test_so_many_parts_may_wait_as_is_said(given: str) -> None:
    assert from_environment({"KNURL_MAX_WAITING": given}).max_waiting == int(given)


def test_a_public_key_that_cannot_be_read_stops_the_start(tmp_path: Path) -> None:
    with pytest.raises(InspectionError, match="cannot be read"):
        from_environment({"KNURL_PUBLIC_KEY": str(tmp_path / "none.pub")})


def test_a_public_key_is_read_from_its_file(tmp_path: Path) -> None:
    public = make_keys(tmp_path / "line.key")

    assert from_environment({"KNURL_PUBLIC_KEY": str(public)}).public_key is not None


def test_the_folder_of_lines_starts_in_the_project_unless_it_is_absolute() -> None:
    assert from_environment({"KNURL_LINES": "plant"}).lines == ROOT / "plant"
    assert from_environment({"KNURL_LINES": "/srv/lines"}).lines == Path("/srv/lines")
