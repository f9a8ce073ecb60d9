import logging

import pytest
from starlette.testclient import TestClient

from serving.server.observing import MAX_LOGGED_CHARACTERS, SECURITY_HEADERS, access_line
from tests.bundles import draw_jpeg

PATHS = ["/inspect", "/model", "/readyz", "/elsewhere", "/metrics"]


@pytest.mark.parametrize("path", PATHS)
def test_every_answer_carries_the_security_headers(client: TestClient, path: str) -> None:
    headers = client.get(path).headers

    assert {name: headers[name] for name in SECURITY_HEADERS} == SECURITY_HEADERS


def test_a_policy_lets_nothing_in_from_elsewhere() -> None:
    policy = SECURITY_HEADERS["content-security-policy"]
    directives = dict(part.strip().split(" ", 1) for part in policy.split(";"))

    assert directives["default-src"] == "'none'"
    assert directives["script-src"] == directives["style-src"] == "'self'"
    assert "unsafe" not in policy
    assert "http" not in policy


def test_a_request_is_logged_on_one_line_with_its_status(
    client: TestClient, caplog: pytest.LogCaptureFixture
) -> None:
    with caplog.at_level(logging.INFO, logger="knurl.access"):
        client.get("/a%0d%0a127.0.0.1%20%22GET%22")

    (line,) = [record.getMessage() for record in caplog.records if record.name == "knurl.access"]
    assert '"/a\\r\\n127.0.0.1 \\"GET\\"" 404' in line


@pytest.mark.parametrize("path", PATHS)
def test_the_id_of_a_request_stands_in_answer_and_log_also_where_it_is_refused(
    client: TestClient, caplog: pytest.LogCaptureFixture, path: str
) -> None:
    with caplog.at_level(logging.INFO, logger="knurl.access"):
        answers = [client.get(path), client.get(path)]

    ids = [answer.headers["x-request-id"] for answer in answers]
    lines = [record.getMessage() for record in caplog.records if record.name == "knurl.access"]
    assert len(set(ids)) == 2
    assert [line.split()[-1] for line in lines] == ids


def test_the_id_of_a_verdict_is_that_of_its_request(client: TestClient) -> None:
    answer = client.post("/inspect", files={"views": ("a.jpg", draw_jpeg())})

    assert answer.json()["request_id"] == answer.headers["x-request-id"]


@pytest.mark.parametrize(("length", "shown"), [(200, 200), (201, 200)])
def test_a_long_path_is_cut(length: int, shown: int) -> None:
    assert MAX_LOGGED_CHARACTERS == 200
    scope = {"method": "GET", "path": "x" * length, "state": {"request_id": "4711"}}
    line = access_line(scope, 404, 0.0)

    assert line.count("x") == shown
