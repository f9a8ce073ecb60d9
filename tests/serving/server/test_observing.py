import logging

import pytest
from starlette.testclient import TestClient

from serving.server.observing import MAX_LOGGED_CHARACTERS, SECURITY_HEADERS, access_line

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


@pytest.mark.parametrize(("length", "shown"), [(200, 200), (201, 200)])
def test_a_long_path_is_cut(length: int, shown: int) -> None:
    assert MAX_LOGGED_CHARACTERS == 200
    line = access_line({"method": "GET", "path": "x" * length}, 404, 0.0)

    assert line.count("x") == shown
