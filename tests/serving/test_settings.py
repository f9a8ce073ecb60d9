from pathlib import Path

import pytest

from serving.settings import Settings, from_environment


def test_an_empty_environment_gives_the_defaults() -> None:
    assert from_environment({}) == Settings(releases=Path("models/releases"), tokens=())
    assert from_environment({"KNURL_RELEASES": "", "KNURL_TOKEN": ""}) == Settings()


@pytest.mark.parametrize(
    ("given", "tokens"),
    [("one", ("one",)), ("new, old", ("new", "old")), (" , ", ())],
)
def test_tokens_are_divided_by_commas(given: str, tokens: tuple[str, ...]) -> None:
    assert from_environment({"KNURL_TOKEN": given}).tokens == tokens
