import re

import pytest
from starlette.testclient import TestClient

from serving.page import FILES, FOLDER

TEXTS = {name: (FOLDER / name).read_text(encoding="utf-8") for name, _ in FILES.values()}


@pytest.mark.parametrize(("path", "file"), FILES.items())
def test_the_page_is_served_without_a_token(
    client: TestClient, path: str, file: tuple[str, str]
) -> None:
    response = client.get(path)

    assert response.text == TEXTS[file[0]]
    assert response.headers["content-type"].startswith(file[1])


def test_all_that_the_page_loads_is_its_own() -> None:
    loaded = re.findall(r'(?:src|href)="([^"]*)"', TEXTS["index.html"])

    assert {one for one in loaded if one != "data:,"} == set(FILES) - {"/", "/lines/{line}/"}


@pytest.mark.parametrize("name", TEXTS)
def test_nothing_comes_from_elsewhere(name: str) -> None:
    assert not re.search(r"https?://|//[a-z]+\.|@import|url\(", TEXTS[name])


def test_no_script_or_style_is_inline_as_the_policy_demands() -> None:
    page = TEXTS["index.html"]

    assert not re.search(r"<style|\sstyle=|\son[a-z]+=|<script(?![^>]*src=)", page)


def test_what_a_client_or_a_file_says_enters_the_page_as_text_only() -> None:
    script = TEXTS["page.js"]

    assert not re.search(r"innerHTML|outerHTML|insertAdjacent|document\.write|eval\(", script)
    assert "textContent" in script


def test_every_element_that_the_script_asks_for_is_on_the_page() -> None:
    asked = set(re.findall(r'byId\("([^"]+)"\)', TEXTS["page.js"]))
    there = set(re.findall(r'id="([^"]+)"', TEXTS["index.html"]))

    assert asked <= there
