"""Requests made up from the service's own description: each answer is one that it describes."""

from collections.abc import Iterator
from typing import Any
from urllib.parse import quote

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from starlette.testclient import TestClient

from serving.api import create_app
from serving.champion import Champion
from serving.openapi import specification
from serving.recorder import KeepingPolicy, Recorder
from tests.bundles import draw_jpeg

DESCRIBED = specification()
OPERATIONS = [
    (path, method)
    for path, methods in DESCRIBED["paths"].items()
    for method in methods
    if method in ("get", "post")
]
steady = settings(
    derandomize=True,
    deadline=None,
    database=None,
    max_examples=40,
    suppress_health_check=[HealthCheck.function_scoped_fixture],
)
names = st.text(st.characters(exclude_categories=["Cs"]), max_size=12)
scalars = st.none() | st.booleans() | st.integers() | st.floats() | names


@pytest.fixture(scope="module")
def speaker(champion: Champion, tmp_path_factory: pytest.TempPathFactory) -> Iterator[TestClient]:
    """A client of a service with a log; what the service raises is an answer 500."""
    folder = tmp_path_factory.mktemp("verdicts")
    recorder = Recorder(folder, KeepingPolicy(0.0, 10**6))
    app = create_app(champion, recorder=recorder)
    with TestClient(app, raise_server_exceptions=False) as client:
        yield client
    recorder.close()


def resolved(schema: dict[str, Any]) -> dict[str, Any]:
    name = schema.get("$ref", "").rpartition("/")[2]
    return DESCRIBED["components"]["schemas"][name] if name else schema


def values(schema: dict[str, Any]) -> st.SearchStrategy[Any]:
    """Values of a schema, and as often others."""
    kind = resolved(schema).get("type")
    fitting = {
        "string": names,
        "boolean": st.booleans(),
        "integer": st.integers(),
        "number": st.floats(),
        "null": st.none(),
    }.get(str(kind), scalars)
    return fitting | scalars


def objects(schema: dict[str, Any]) -> st.SearchStrategy[dict[str, Any]]:
    """Objects with the keys of a schema, any of which may be missing, or have one too many."""
    known = {key: values(one) for key, one in resolved(schema)["properties"].items()}
    return st.fixed_dictionaries({}, optional=known | {"unknown": scalars})


def queries(operation: dict[str, Any]) -> st.SearchStrategy[dict[str, str]]:
    flags = [p["name"] for p in operation.get("parameters", []) if p["in"] == "query"]
    return st.dictionaries(
        st.sampled_from([*flags, "unknown"]),
        st.sampled_from(["true", "false", "", "2"]),
        max_size=2,
    )


@st.composite
def requests(draw: st.DrawFn, path: str, method: str) -> dict[str, Any]:
    """Keywords of `TestClient.request` for an operation."""
    operation = DESCRIBED["paths"][path][method]
    made: dict[str, Any] = {"params": draw(queries(operation))}
    content = operation.get("requestBody", {}).get("content", {})
    if "application/json" in content:
        body = objects(content["application/json"]["schema"])
        made |= draw(
            st.one_of(
                st.builds(lambda value: {"json": value}, body.map(_finite)),
                st.builds(lambda raw: {"content": raw}, st.binary(max_size=60)),
            )
        )
    if "multipart/form-data" in content:
        pictures = st.sampled_from([draw_jpeg("dent"), draw_jpeg("dent")[:300], b"", b"text"])
        field = st.sampled_from(["views", "views", "views", "frames"])
        files = draw(st.lists(st.tuples(field, st.tuples(names, pictures)), max_size=3))
        keys = ["part_id", "camera", "taken_at", "unknown"]
        made |= {"files": files, "data": draw(st.dictionaries(st.sampled_from(keys), names))}
    return made


def _finite(value: dict[str, Any]) -> dict[str, Any]:
    """httpx writes no NaN."""
    return {k: v for k, v in value.items() if v == v and v not in (float("inf"), -float("inf"))}


@pytest.mark.parametrize(("path", "method"), OPERATIONS, ids=" ".join)
@steady
@given(data=st.data())
def test_every_answer_to_a_made_up_request_is_one_that_is_described(
    speaker: TestClient, path: str, method: str, data: st.DataObject
) -> None:
    request = data.draw(requests(path, method))
    place = path
    for parameter in DESCRIBED["paths"][path][method].get("parameters", []):
        if parameter["in"] == "path":
            text = data.draw(names.filter(bool))
            place = place.replace(f"{{{parameter['name']}}}", quote(text, safe=""))

    answer = speaker.request(method, place, **request)

    assert answer.status_code < 500, answer.text
    assert str(answer.status_code) in DESCRIBED["paths"][path][method]["responses"], answer.text
