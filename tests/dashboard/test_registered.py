import os
from pathlib import Path
from typing import Any

import pytest

from dashboard.registered import (
    SEEN,
    Registered,
    not_here,
    not_here_sentence,
    registered,
    roles_of,
)
from inspection.storage import write_json

CHALLENGER = {"number": "3", "release": "line-3", "card_sha256": "ccc", "aliases": ["challenger"]}
CHAMPION = {"number": "2", "release": "line-2", "card_sha256": "bbb", "aliases": ["champion"]}
PREVIOUS = {"number": "1", "release": "line-1", "card_sha256": "aaa", "aliases": ["previous"]}


@pytest.fixture
def receipt(tmp_path: Path) -> Path:
    return tmp_path / "receipt.json"


def seen(folder: Path, *versions: dict[str, Any]) -> Path:
    write_json(folder / SEEN, {"line": "line", "versions": list(versions)})
    return folder / SEEN


def test_where_nobody_has_asked_the_registry_nothing_is_known(
    tmp_path: Path, receipt: Path
) -> None:
    assert registered(tmp_path, receipt) == []
    assert roles_of([], "aaa") == ()


def test_a_version_is_challenger_or_previous_unless_it_is_the_champion(
    tmp_path: Path, receipt: Path
) -> None:
    seen(tmp_path, CHALLENGER, CHAMPION | {"aliases": ["challenger", "champion"]}, PREVIOUS)
    found = registered(tmp_path, receipt)
    assert roles_of(found, "ccc") == ("challenger",)
    assert roles_of(found, "bbb") == ()
    assert roles_of(found, "aaa") == ("previous",)


@pytest.mark.parametrize(("seconds", "challenger"), [(-1, "ccc"), (1, "ddd")])
def test_what_was_registered_since_is_the_challenger(
    tmp_path: Path, receipt: Path, seconds: int, challenger: str
) -> None:
    asked = seen(tmp_path, CHALLENGER, CHAMPION)
    write_json(receipt, {"version": "4", "card_sha256": "ddd"})
    at = asked.stat().st_mtime + seconds
    os.utime(receipt, (at, at))
    found = registered(tmp_path, receipt)
    assert [one.card_sha256 for one in found if "challenger" in one.aliases] == [challenger]


def test_what_is_in_the_registry_alone_is_said_with_the_command_that_fetches_it(
    tmp_path: Path, receipt: Path
) -> None:
    seen(tmp_path, CHALLENGER, CHAMPION, PREVIOUS)
    found = not_here(registered(tmp_path, receipt), {"bbb"})
    assert not_here_sentence(found) == (
        "In the registry and not here: version 3 (line-3, challenger); 1 (line-1, previous). "
        "`python -m pipelines.status --fetch 3` fetches the first of them."
    )
    assert not_here_sentence([]) == ""
    assert not_here([Registered("1", "line-1", "aaa", ())], {"aaa"}) == []
