import http.client
import json
import subprocess
import sys
from collections import Counter
from contextlib import closing
from pathlib import Path

import pytest

from benchmarks.apps.tutorial_network import new_network
from benchmarks.serving import Load, body_of, memory_report, post, tutorial
from inspection.runtime.bundle import write_card
from inspection.runtime.releases import promote, release
from tests.architecture import ROOT
from tests.bundles import draw_jpeg, make_bundle, sample_line

# what the bundle's models would have been trained with, of params.yaml
TRAINED = "train: {backbone: resnet10t, backbone_args: {channels: [8, 8, 16, 16], stem_width: 8}}"


def test_rates_are_of_accepted_requests() -> None:
    load = Load(seconds=[0.1] * 20, statuses=Counter({200: 20, 429: 5}), took_s=2.0, cpu_s=0.4)

    assert (load.per_second, load.cpu_ms, load.quantile_ms(0.5)) == pytest.approx((10, 20, 100))


def test_the_growth_of_memory_is_that_of_the_second_half() -> None:
    warming = [(0, 150.0), (1000, 180.0)]
    steady = [(2000 + 1000 * n, 200.0 + 0.5 * n) for n in range(3)]

    *rows, last = memory_report([*warming, *steady]).splitlines()
    assert len(rows) == 5
    assert last == "in the second half 200.0 to 201.0 MB, +0.50 MB in 1,000 requests"


@pytest.fixture
def files(tmp_path: Path) -> list[str]:
    """A release and a picture, as the command takes them."""
    card = make_bundle(tmp_path / "bundle")
    write_card(tmp_path / "bundle", card.model_copy(update={"lineage": {"params": TRAINED}}))
    release(tmp_path / "bundle", tmp_path / "releases", "1")
    promote(tmp_path / "releases", "1")
    (tmp_path / "good.jpg").write_bytes(draw_jpeg())
    return ["--picture", str(tmp_path / "good.jpg"), "--releases", str(tmp_path / "releases")]


@pytest.mark.parametrize(("channels", "stem"), [(1, (32, 1, 3, 3)), (3, (32, 3, 3, 3))])
def test_a_tutorial_runs_the_backbone_of_the_release(
    tmp_path: Path, channels: int, stem: tuple[int, ...]
) -> None:
    card = make_bundle(tmp_path, line=sample_line(channels=channels))
    lite = card.model_copy(
        update={"lineage": {"params": "train: {backbone: tf_efficientnet_lite0}"}}
    )
    network = new_network(lite)

    # the stem and the classifier of EfficientNet-Lite0 (timm, _efficientnet_lite)
    assert network.conv_stem.weight.shape == stem
    assert network.classifier.weight.shape == (4, 1280)
    assert not network.training


@pytest.mark.slow
def test_the_tutorial_answers_with_a_probability_of_every_class(
    files: list[str], tmp_path: Path
) -> None:
    with (
        tutorial(tmp_path / "releases", tmp_path / "tutorial") as server,
        closing(http.client.HTTPConnection("127.0.0.1", server.port)) as connection,
    ):
        status, answer = post(connection, body_of(draw_jpeg()))

    found = json.loads(answer)
    assert status == 200
    assert set(found) == {"normal", "dent", "slide", "under_press"}
    assert all(0 < probability < 1 for probability in found.values())


def measured(*words: str) -> str:
    command = [sys.executable, "-m", "benchmarks.serving", *words]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout


@pytest.mark.slow
def test_the_whole_comparison_runs(files: list[str]) -> None:
    said = measured("--requests", "16", *files)

    assert [line.split()[0] for line in said.splitlines()] == [
        "CPU",
        "CPU",
        "throughput,",
        "p99",
        "p99",
    ]


@pytest.mark.slow
def test_the_memory_is_read_while_requests_are_answered(files: list[str]) -> None:
    said = measured("--memory", "320", *files).splitlines()

    assert [int(line.split()[0]) for line in said[:-1]] == list(range(0, 321, 16))
    assert said[-1].startswith("in the second half ")
