from prometheus_client.parser import text_string_to_metric_families
from starlette.testclient import TestClient

from tests.bundles import draw_jpeg


def samples(client: TestClient) -> dict[tuple[str, ...], float]:
    """Every series of the page, as Prometheus' own parser reads it; an empty label is none."""
    families = text_string_to_metric_families(client.get("/metrics").text)
    return {
        (sample.name, *(f"{k}={v}" for k, v in sorted(sample.labels.items()) if v)): sample.value
        for family in families
        for sample in family.samples
    }


def post(client: TestClient, content: bytes) -> None:
    client.post("/inspect", files=[("views", ("a.jpg", content))])


def test_verdicts_and_refusals_are_counted(client: TestClient) -> None:
    for content in (draw_jpeg("dent"), draw_jpeg("dent"), draw_jpeg(), b"no picture"):
        post(client, content)

    found = samples(client)
    rejected = ("knurl_verdicts_total", "label=dent", "release=1", "verdict=reject")
    passed = ("knurl_verdicts_total", "label=normal", "release=1", "verdict=pass")
    assert (found[rejected], found[passed]) == (2, 1)
    assert found[("knurl_refusals_total", "code=not_an_image")] == 1
    assert found[("knurl_score_count", "detector=classifier")] == 3


def test_answers_are_counted_by_route_and_status(client: TestClient) -> None:
    client.get("/readyz")
    client.get("/inspect")

    found = samples(client)
    total = "knurl_requests_total"
    assert found[(total, "method=GET", "route=/readyz", "status=200")] == 1
    assert found[(total, "method=GET", "route=/inspect", "status=405")] == 1
    assert found[("knurl_request_seconds_count", "route=/readyz")] == 1


def test_a_thousand_unknown_paths_and_methods_add_fewer_than_five_series(
    client: TestClient,
) -> None:
    client.get("/metrics")
    before = set(samples(client))
    for number in range(1000):
        client.get(f"/{number}")
    for number in range(300):
        client.request(f"M{number}", "/elsewhere")

    assert len(set(samples(client)) - before) < 5


def test_the_page_names_the_release_that_serves(client: TestClient) -> None:
    found = samples(client)
    (release,) = [key for key in found if key[0] == "knurl_release"]

    assert "release=1" in release
    assert found[("knurl_release_problem",)] == 0
    assert found[("knurl_releases_taken_up",)] == 1
