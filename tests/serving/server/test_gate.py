import pytest
from starlette.testclient import TestClient

from tests.bundles import draw_jpeg

FILES = [("views", ("a.jpg", draw_jpeg()))]


def test_a_request_of_two_lengths_is_refused_and_the_connection_closed(
    client: TestClient,
) -> None:
    headers = {"content-length": "3", "transfer-encoding": "chunked"}
    response = client.post("/inspect", content=b"abc", headers=headers)

    assert response.status_code == 400
    assert response.json()["error"]["code"] == "two_lengths"
    assert response.headers["connection"] == "close"


@pytest.mark.parametrize(
    ("site", "status"),
    [("cross-site", 403), ("same-site", 403), ("same-origin", 200), ("none", 200), (None, 200)],
)
def test_a_page_of_another_site_cannot_send_parts(
    client: TestClient, site: str | None, status: int
) -> None:
    headers = {"sec-fetch-site": site} if site else {}
    response = client.post("/inspect", files=FILES, headers=headers)

    assert response.status_code == status
    if status == 403:
        assert response.json()["error"]["code"] == "foreign_page"


def test_refusals_at_the_gate_are_counted_and_carry_the_security_headers(
    client: TestClient,
) -> None:
    response = client.post("/inspect", headers={"sec-fetch-site": "cross-site"})

    assert response.headers["x-content-type-options"] == "nosniff"
    assert 'knurl_refusals_total{code="foreign_page"} 1.0' in client.get("/metrics").text
