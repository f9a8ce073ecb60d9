import pytest
from starlette.testclient import TestClient

from serving.openapi import specification
from tests.bundles import draw_jpeg

DESCRIBED = specification()


def test_every_reference_leads_to_a_schema() -> None:
    def references(value: object) -> set[str]:
        if isinstance(value, dict):
            own = {value["$ref"]} if "$ref" in value else set()
            return own.union(*(references(one) for one in value.values()))
        if isinstance(value, list):
            return set().union(*(references(one) for one in value))
        return set()

    there = {f"#/components/schemas/{name}" for name in DESCRIBED["components"]["schemas"]}
    assert references(DESCRIBED) <= there


def test_a_busy_service_says_when_to_come_again() -> None:
    busy = DESCRIBED["paths"]["/inspect"]["post"]["responses"]["429"]

    assert busy["headers"]["Retry-After"]["schema"] == {"type": "integer"}


def test_the_description_covers_every_key_of_an_answer(client: TestClient) -> None:
    schemas = DESCRIBED["components"]["schemas"]
    files = [("views", ("a.jpg", draw_jpeg("dent")))]
    answer = client.post("/inspect?heatmap=true", files=files, data={"part_id": "A1"}).json()
    view = answer["views"][0]
    for name, value in (
        ("PartAnswer", answer),
        ("ViewAnswer", view),
        ("BoxAnswer", view["boxes"][0]),
        ("RegionAnswer", view["regions"]["rod"]),
        ("ModelAnswer", answer["model"]),
    ):
        assert set(schemas[name]["properties"]) == set(value)


@pytest.mark.parametrize("path", ["/inspect", "/feedback", "/parts/{part_id}", "/model"])
def test_every_endpoint_is_described(path: str) -> None:
    assert path in DESCRIBED["paths"]


def test_the_service_hands_its_description_out(client: TestClient) -> None:
    assert client.get("/openapi.json").json() == DESCRIBED
