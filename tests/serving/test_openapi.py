from typing import Any

import pytest
from starlette.testclient import TestClient

from serving.openapi import API_VERSION, specification
from tests.bundles import draw_jpeg

DESCRIBED = specification()
# What a program of a customer reads; a key that is new is added here, none is changed or removed
# without another `API_VERSION`.
VERSION_1 = {
    "PartAnswer": {
        "request_id": "string", "part_id": "string or null", "verdict": "string",
        "label": "string", "cause": "string", "worst_view": "string", "views": "[ViewAnswer]",
        "model": "ModelAnswer",
    },
    "ViewAnswer": {
        "name": "string", "sha256": "string", "width_px": "integer", "height_px": "integer",
        "verdict": "string", "label": "string", "scores": "{number}", "verdicts": "{string}",
        "thresholds": "{Thresholds}", "probabilities": "{number}", "regions": "{RegionAnswer}",
        "boxes": "[BoxAnswer]", "reasons": "[string]", "heatmaps": "{string} or null",
        "heat_recipes": "{string} or null",
    },
    "BoxAnswer": {
        "x_px": "number", "y_px": "number", "width_px": "number", "height_px": "number",
        "region": "string", "found_by": "string", "heat": "number",
    },
    "RegionAnswer": {
        "x_px": "integer", "y_px": "integer", "width_px": "integer", "height_px": "integer",
        "turned": "boolean",
    },
    "Thresholds": {"accept_below": "number", "reject_above": "number"},
    "ModelAnswer": {
        "line": "string", "version": "string", "release": "string", "card_sha256": "string",
    },
    "LotAnswer": {"parts": "[PartAnswer]"},
    "FeedbackRequest": {
        "part_id": "string or null", "request_id": "string or null", "label": "string",
        "reviewer": "string", "note": "string",
    },
    "FeedbackAnswer": {"number": "integer"},
}  # fmt: skip


def kind(described: dict[str, Any]) -> str:
    """The type of a described value, in short: `[x]` a list of these, `{x}` a map to these."""
    if "$ref" in described:
        return str(described["$ref"]).rpartition("/")[2]
    if "anyOf" in described:
        return " or ".join(kind(one) for one in described["anyOf"])
    if described["type"] == "array":
        return f"[{kind(described['items'])}]"
    if described["type"] == "object":
        return f"{{{kind(described['additionalProperties'])}}}"
    return str(described["type"])


def test_version_1_of_the_answers_keeps_its_keys_and_types() -> None:
    schemas = DESCRIBED["components"]["schemas"]
    found = {
        name: {key: kind(one) for key, one in schemas[name]["properties"].items()}
        for name in VERSION_1
    }

    assert DESCRIBED["info"]["version"] == API_VERSION == "1"
    assert found == VERSION_1


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
