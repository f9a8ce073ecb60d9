"""What the service counts, in the text format of Prometheus.

Labels come from short lists only (templates of routes, lines, releases, classes, codes), so that no
client can make the page grow: whatever path is not one of ours is counted as `unknown`. The line in
the root has the label `line=""`, which to Prometheus is no label.
"""

from collections.abc import Callable, Iterable, Iterator, Mapping
from typing import TypeVar

from prometheus_client import CollectorRegistry, Counter, Histogram, generate_latest
from prometheus_client.core import GaugeMetricFamily
from prometheus_client.metrics_core import Metric

from serving.answers import PartAnswer
from serving.champion import ChampionState
from serving.recorder import RecorderState

State = TypeVar("State", ChampionState, RecorderState)

CONTENT_TYPE = "text/plain; version=0.0.4; charset=utf-8"
UNKNOWN = "unknown"
# What HTTP defines; a client may make up any number of others.
METHODS = frozenset({"GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS"})
# From one small view (10 ms) to the time limit of a request (60 s), about two steps a decade.
SECONDS = (0.01, 0.02, 0.05, 0.1, 0.2, 0.5, 1.0, 2.0, 5.0, 20.0, 60.0)
# A probability lies below 1; an anomaly counts in standard deviations of normal parts.
SCORES = (0.05, 0.1, 0.2, 0.3, 0.5, 0.7, 0.9, 1.0, 2.0, 3.0, 5.0, 10.0)


class Metrics:
    """The counters of one process."""

    def __init__(self) -> None:
        self._registry = CollectorRegistry()
        self._requests = self._counter(
            "requests", "answers by route, method, status", "route", "method", "status"
        )
        self._refusals = self._counter("refusals", "refused requests by code", "code")
        self._verdicts = self._counter(
            "verdicts", "parts by verdict", "line", "release", "verdict", "label"
        )
        self._seconds = Histogram(
            "knurl_request_seconds",
            "from the headers of a request to the end of its answer",
            ["route"],
            registry=self._registry,
            buckets=SECONDS,
        )
        self._scores = Histogram(
            "knurl_score",
            "scores of views; higher is more suspicious",
            ["line", "detector"],
            registry=self._registry,
            buckets=SCORES,
        )

    def count_request(
        self, route: str, method: str, status: int, seconds: float
    ) -> None:
        """Count one answer; `route` is a template, `unknown` where there is none."""
        known = method if method in METHODS else UNKNOWN
        self._requests.labels(route, known, str(status)).inc()
        if route != UNKNOWN:
            self._seconds.labels(route).observe(seconds)

    def count_refusal(self, code: str) -> None:
        """Count one refusal by its code."""
        self._refusals.labels(code).inc()

    def count_part(self, answer: PartAnswer, line: str) -> None:
        """Count one verdict of a line, and the scores that it rests on."""
        release = answer.model.release
        self._verdicts.labels(line, release, answer.verdict, answer.label).inc()

        for view in answer.views:
            for detector, score in view.scores.items():
                self._scores.labels(line, detector).observe(score)

    def page(self, *others: Iterable[Metric]) -> bytes:
        """The page that Prometheus reads, with what others count appended."""
        registry = CollectorRegistry()
        registry.register(_Given(others))
        page = generate_latest(self._registry) + generate_latest(registry)

        # when a series began is of no use here, and would double their number
        lines = page.splitlines(keepends=True)
        return b"".join(line for line in lines if b"_created" not in line)

    def _counter(self, name: str, what: str, *labels: str) -> Counter:
        return Counter(f"knurl_{name}", what, labels, registry=self._registry)


class _Given:
    """Hands on metrics that were read elsewhere."""

    def __init__(self, given: Iterable[Iterable[Metric]]) -> None:
        self._given = list(given)

    def collect(self) -> Iterator[Metric]:
        for some in self._given:
            yield from some


def of_champions(states: Mapping[str, ChampionState]) -> Iterator[Metric]:
    """Which release serves each line, and how the pick-up of new ones fares."""
    serving = GaugeMetricFamily(
        "knurl_release",
        "the release that serves",
        labels=["line", "release", "card_sha256"],
    )
    for line, state in states.items():
        serving.add_metric([line, state.release, state.card_sha256], 1)
    yield serving

    yield _of_each(
        states,
        "releases_taken_up",
        "releases served so far",
        lambda one: one.n_taken_up,
    )
    yield _of_each(
        states,
        "releases_refused",
        "releases refused so far",
        lambda one: one.n_refused,
    )
    yield _of_each(
        states,
        "release_problem",
        "1: the pointer names a broken release",
        lambda one: bool(one.problem),
    )


def of_recorders(states: Mapping[str, RecorderState]) -> Iterator[Metric]:
    """How the verdict log of each line fares."""
    yield _of_each(
        states,
        "log_failures",
        "verdicts answered and not logged",
        lambda one: one.n_failed,
    )
    yield _of_each(
        states,
        "log_problem",
        "1: the log cannot be written now",
        lambda one: bool(one.problem),
    )
    yield _of_each(
        states,
        "pictures_evicted",
        "pictures that made room",
        lambda one: one.n_evicted,
    )


def _of_each(
    states: Mapping[str, State], name: str, what: str, value: Callable[[State], float]
) -> GaugeMetricFamily:
    """A gauge with a value for each line, of what is known of it."""
    gauge = GaugeMetricFamily(f"knurl_{name}", what, labels=["line"])
    for line, state in states.items():
        gauge.add_metric([line], float(value(state)))
    return gauge
