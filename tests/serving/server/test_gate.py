import pytest
from starlette.testclient import TestClient

from serving.api import create_app
from serving.champion import Champion
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


@pytest.mark.parametrize(
    ("origin", "host", "status"),
    [
        ("http://evil.example", "10.0.0.5:3000", 403),
        ("http://10.0.0.5", "10.0.0.5:3000", 403),
        ("null", "10.0.0.5:3000", 403),
        ("http://10.0.0.5:3000", "10.0.0.5:3000", 200),
    ],
)
def test_where_browsers_send_no_fetch_metadata_the_origin_tells_a_page_of_another_site(
    client: TestClient, origin: str, host: str, status: int
) -> None:
    """They send none to an address in a network without TLS."""
    response = client.post("/inspect", files=FILES, headers={"origin": origin, "host": host})

    assert response.status_code == status


@pytest.mark.parametrize("path", ["/model", "/parts/A-17", "/metrics", "/"])
def test_a_name_of_another_site_that_leads_here_opens_nothing(
    client: TestClient, path: str
) -> None:
    """DNS rebinding: to the browser the page of that site and this service are one site."""
    response = client.get(path, headers={"host": "evil.example:3000"})

    assert response.status_code == 403
    assert response.json()["error"]["code"] == "foreign_name"


def test_nor_does_feedback_come_by_it(client: TestClient) -> None:
    forged = {"host": "evil.example:3000", "origin": "http://evil.example:3000"}
    found = {"request_id": "a", "label": "dent", "reviewer": "b"}

    assert client.post("/feedback", json=found, headers=forged).status_code == 403


@pytest.mark.parametrize(
    "host",
    [
        "127.0.0.1:3000",
        "[::1]:3000",
        "localhost",
        "a.localhost",
        "service:3000",
        "plant.example.",
        "",
    ],
)
def test_addresses_names_without_a_dot_and_known_ones_are_served(
    champion: Champion, host: str
) -> None:
    client = TestClient(create_app(champion, hosts=["plant.example"]))

    assert client.get("/healthz", headers={"host": host}).status_code == 200


@pytest.mark.parametrize("host", ["[evil.example", "127.0.0.1.evil.example", "a.b@evil.example"])
def test_what_only_looks_like_an_address_is_none(client: TestClient, host: str) -> None:
    assert client.get("/healthz", headers={"host": host}).status_code == 403


def test_with_a_token_any_name_will_do(champion: Champion) -> None:
    client = TestClient(create_app(champion, tokens=["secret"]))
    headers = {"host": "any.example", "authorization": "Bearer secret"}

    assert client.get("/model", headers=headers).status_code == 200


def test_refusals_at_the_gate_are_counted_and_carry_the_security_headers(
    client: TestClient,
) -> None:
    response = client.post("/inspect", headers={"sec-fetch-site": "cross-site"})

    assert response.headers["x-content-type-options"] == "nosniff"
    assert 'knurl_refusals_total{code="foreign_page"} 1.0' in client.get("/metrics").text
