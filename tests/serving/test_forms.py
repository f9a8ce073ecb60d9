from typing import Any

import pytest
from starlette.testclient import TestClient

from tests.bundles import draw_jpeg

Fields = list[tuple[str, Any]]


def views(*kinds: str) -> Fields:
    return [("views", (f"{i}.jpg", draw_jpeg(kind))) for i, kind in enumerate(kinds)]


def text(name: str, value: str) -> tuple[str, Any]:
    return name, (None, value)


def post(client: TestClient, fields: Fields, query: str = "") -> Any:
    return client.post(f"/inspect{query}", files=fields)


def code_of(response: Any) -> tuple[int, str]:
    return response.status_code, response.json()["error"]["code"]


@pytest.mark.parametrize("first", [True, False])
def test_a_part_may_be_named_before_or_after_its_views(client: TestClient, first: bool) -> None:
    fields = [text("part_id", "A1"), *views("dent")]
    answer = post(client, fields if first else fields[::-1]).json()

    assert (answer["part_id"], answer["label"]) == ("A1", "dent")


def test_a_lot_is_answered_part_by_part_in_its_order(client: TestClient) -> None:
    fields = [
        *(text("part_id", "A1"), *views("dent", "normal")),
        *(text("part_id", "A2"), *views("normal")),
        *(text("part_id", "A3"), *views("slide")),
    ]
    parts = post(client, fields, "?lot=true").json()["parts"]

    told = [(part["part_id"], part["label"], len(part["views"])) for part in parts]
    assert told == [("A1", "dent", 2), ("A2", "normal", 1), ("A3", "slide", 1)]
    assert len({part["request_id"] for part in parts}) == 3


def test_a_lot_of_one_part_is_still_a_lot(client: TestClient) -> None:
    assert len(post(client, views("dent"), "?lot=true").json()["parts"]) == 1


def test_several_parts_must_be_asked_for(client: TestClient) -> None:
    fields = [text("part_id", "A1"), *views("dent"), text("part_id", "A2"), *views("dent")]

    assert code_of(post(client, fields)) == (400, "several_parts")


def test_a_lot_with_one_bad_file_is_refused_as_a_whole(client: TestClient) -> None:
    bad = ("views", ("bad.jpg", b"no picture"))
    fields = [text("part_id", "A1"), *views("dent"), text("part_id", "A2"), bad]

    assert code_of(post(client, fields, "?lot=true")) == (422, "not_an_image")
    metrics = client.get("/metrics").text
    assert "knurl_verdicts_total{" not in metrics


def test_a_part_of_a_lot_without_views_is_named(client: TestClient) -> None:
    fields = [text("part_id", "A1"), *views("dent"), text("part_id", "A2")]
    response = post(client, fields, "?lot=true")

    assert code_of(response) == (400, "no_views")
    assert "'A2'" in response.json()["error"]["message"]


@pytest.mark.parametrize(("n_views", "status"), [(16, 200), (17, 413)])
@pytest.mark.parametrize("query", ["", "?lot=true"])
def test_a_part_has_sixteen_views_at_most(
    client: TestClient, query: str, n_views: int, status: int
) -> None:
    assert post(client, views(*["normal"] * n_views), query).status_code == status


@pytest.mark.parametrize(("n_views", "status"), [(64, 422), (65, 413)])
def test_a_lot_has_sixty_four_views_at_most(client: TestClient, n_views: int, status: int) -> None:
    fields: Fields = []
    for number in range(n_views):
        if number % 8 == 0:
            fields.append(text("part_id", f"A{number}"))
        fields.append(("views", ("a.jpg", b"no picture")))

    assert post(client, fields, "?lot=true").status_code == status


@pytest.mark.parametrize(("n_characters", "status"), [(200, 200), (201, 400)])
def test_a_name_has_two_hundred_characters_at_most(
    client: TestClient, n_characters: int, status: int
) -> None:
    fields = [text("part_id", "가" * n_characters), *views("normal")]

    assert post(client, fields).status_code == status


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("part_id", ""),
        ("camera", "a\nb"),
        ("part_id", "a\x1b[2K"),
        ("taken_at", "yesterday"),
        ("taken_at", "2026-11-25T06:30:00"),
        ("taken_at", "2026-13-01T00:00:00Z"),
    ],
)
def test_a_text_that_says_nothing_is_refused(client: TestClient, name: str, value: str) -> None:
    assert code_of(post(client, [text(name, value), *views("normal")])) == (400, "bad_field")


def test_a_field_given_twice_and_a_file_for_a_text_are_refused(client: TestClient) -> None:
    twice = [text("camera", "a"), text("camera", "b"), *views("normal")]
    file = [("part_id", ("a.jpg", b"x")), *views("normal")]

    assert code_of(post(client, twice)) == (400, "bad_field")
    assert code_of(post(client, file)) == (400, "bad_field")


@pytest.mark.parametrize("value", ["2026-11-25T06:30:00Z", "2026-11-25T06:30:00.123+09:00"])
def test_times_with_a_zone_are_taken(client: TestClient, value: str) -> None:
    assert post(client, [text("taken_at", value), *views("normal")]).status_code == 200
