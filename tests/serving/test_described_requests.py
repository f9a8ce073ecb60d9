"""Requests made up from the service's own description: each answer is one that it describes."""

from collections.abc import Iterator
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from serving.api import create_app
from serving.champion import Champion
from serving.openapi import specification
from serving.recorder import KeepingPolicy, Recorder
from tests.bundles import draw_jpeg

schemathesis = pytest.importorskip("schemathesis", reason="`make test` installs it")

OPERATIONS = [
    (path, method.upper())
    for path, methods in specification()["paths"].items()
    for method in methods
]
steady = settings(
    derandomize=True,
    deadline=None,
    database=None,
    max_examples=40,
    suppress_health_check=list(HealthCheck),
)


@pytest.fixture(scope="module")
def described(champion: Champion, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Any]:
    """What a service with a log says of itself; files are pictures of parts as often as not."""
    picture = draw_jpeg("dent")
    pictures = st.sampled_from([picture, picture[:300], b""])
    schemathesis.openapi.format("binary", pictures | st.binary(max_size=60))
    folder = tmp_path_factory.mktemp("verdicts")
    recorder = Recorder(folder, KeepingPolicy(0.0, 10**6))
    yield schemathesis.openapi.from_asgi("/openapi.json", create_app(champion, recorder=recorder))
    recorder.close()


@pytest.mark.parametrize(("path", "method"), OPERATIONS, ids=" ".join)
@pytest.mark.parametrize("fits", [True, False], ids=["fits", "does not fit"])
def test_every_answer_to_a_made_up_request_is_one_that_is_described(
    described: Any, path: str, method: str, fits: bool
) -> None:
    """No 5xx; status, headers, type and body are as described; JSON that does not fit is refused.

    What fits may be refused as well: bytes that are no picture, a part that nobody has seen. In a
    form all is text, so that `false` is as good a camera as any.
    """
    if not fits and method == "GET":
        pytest.skip("any text is a part's name, and the card is asked for by no more than its path")
    checks = schemathesis.checks
    # the second knows of no refusal by 413
    left_out = [checks.positive_data_acceptance, checks.negative_data_rejection]
    modes = schemathesis.GenerationMode
    mode = modes.POSITIVE if fits else modes.NEGATIVE

    @steady
    @given(case=described[path][method].as_strategy(generation_mode=mode))
    def check(case: Any) -> None:
        answer = case.call_and_validate(excluded_checks=left_out)
        if not fits and path != "/inspect":
            assert 400 <= answer.status_code < 500

    check()
