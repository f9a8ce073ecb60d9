"""The manifest held against what is expected of it by Great Expectations, and the pages of that.

The library takes some ten seconds to import and phones home unless forbidden to, so it is imported
where it is used.
"""

import html
import logging
import os
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import pandas as pd

from inspection.dataset.expectations import Expectation
from inspection.errors import InspectionError, first_three

VOLATILE = (
    "batch_markers",
    "run_id",
    "validation_id",
    "checkpoint_id",
    "validation_time",
)
SUITE = "manifest"
# rows that are shown of each failure: enough to find the cause, and a page that can be read
N_ROWS = 3
UUID = re.compile(r"[0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12}")


@dataclass(frozen=True)
class Failure:
    """An expectation that does not hold: where, how often, the first rows, and what should be."""

    name: str
    column: str
    severity: str
    n_rows: int
    first: tuple[str, ...]
    observed: str
    wanted: str

    def __str__(self) -> str:
        facts = []
        if self.first:
            facts.append(f"{self.n_rows} rows, first {first_three(self.first)}")
        elif self.observed:
            facts.append(f"found {self.observed}")
        if self.wanted:
            facts.append(f"expected {self.wanted}")

        where = f"{self.name} fails on {self.column}"
        return f"{where}: {', '.join(facts)}" if facts else where


@dataclass(frozen=True)
class Report:
    """The result without run ids and times, the failures, and the pages of the Data Docs."""

    result: Mapping[str, Any]
    failures: tuple[Failure, ...]
    pages: Mapping[str, str]


def check(table: pd.DataFrame, expectations: Sequence[Expectation]) -> Report:
    """Validate a table; rows are named by their `path`. No run id or time stays in the result."""
    # before the import, which reads it; the server may not be reachable, and is none of ours
    os.environ["GX_ANALYTICS_ENABLED"] = "false"
    logging.getLogger("great_expectations").setLevel(logging.WARNING)
    import great_expectations as gx

    # first, for it makes the project that the suite is to belong to
    batch = _batch(table)
    suite = gx.ExpectationSuite(SUITE)
    for one in expectations:
        kind = getattr(gx.expectations, one.name)
        suite.add_expectation(kind(**one.arguments, severity=one.severity))

    wanted = {
        "result_format": "SUMMARY",
        "partial_unexpected_count": N_ROWS,
        "unexpected_index_column_names": ["path"],
    }
    outcome = batch.validate(suite, result_format=wanted)
    outcome.meta = {k: v for k, v in outcome.meta.items() if k not in VOLATILE}
    result = outcome.to_json_dict()

    failures = tuple(_failure(one) for one in result["results"] if not one["success"])
    pages = {**_data_docs(suite, outcome), "index.html": _summary(result)}
    return Report(result, failures, pages)


def _batch(table: pd.DataFrame) -> Any:
    """The table as the library wants it, in a project that leaves nothing on disk."""
    import great_expectations as gx
    from great_expectations.data_context.types.base import (
        DataContextConfig,
        InMemoryStoreBackendDefaults,
        ProgressBarsConfig,
    )

    project = DataContextConfig(
        store_backend_defaults=InMemoryStoreBackendDefaults(init_temp_docs_sites=False),
        progress_bars=ProgressBarsConfig(globally=False),
        analytics_enabled=False,
    )
    context = gx.get_context(
        mode="ephemeral",
        project_config=project,
    )
    source = context.data_sources.add_pandas(SUITE)
    asset = source.add_dataframe_asset("views")
    whole = asset.add_batch_definition_whole_dataframe("all")
    return whole.get_batch({"dataframe": table})


def raise_if_critical(report: Report, *, where: str) -> None:
    """Raise InspectionError that names every critical expectation which does not hold."""
    critical = [one for one in report.failures if one.severity == "critical"]
    if critical:
        problems = [
            f"{where}: {one}; fix the data, or validate.expected if it is wrong"
            for one in critical
        ]
        raise InspectionError("\n".join(problems))


def _failure(outcome: Mapping[str, Any]) -> Failure:
    config, result = outcome["expectation_config"], outcome["result"]
    arguments = config["kwargs"]
    column = (
        arguments.get("column")
        or "+".join(arguments.get("column_list", ()))
        or "the table"
    )
    rows = result.get("partial_unexpected_index_list") or []
    first = tuple(
        ", ".join(str(value) for value in row.values()) for row in rows[:N_ROWS]
    )
    observed = result.get("observed_value", "")
    n_rows = int(result.get("unexpected_count", 0))
    return Failure(
        name=config["type"],
        column=str(column),
        severity=config["severity"],
        n_rows=n_rows,
        first=first,
        observed=str(observed),
        wanted=_bounds(arguments.get("min_value"), arguments.get("max_value")),
    )


def _bounds(low: float | None, high: float | None) -> str:
    bounds = []
    if low is not None:
        bounds.append(f"at least {int(low)}")
    if high is not None:
        bounds.append(f"at most {int(high)}")
    return " and ".join(bounds)


def _data_docs(suite: Any, outcome: Any) -> dict[str, str]:
    """The library's own pages. They load styles from the net: without it they are plain."""
    from great_expectations.render.renderer.page_renderer import (
        ExpectationSuitePageRenderer,
        ValidationResultsPageRenderer,
    )
    from great_expectations.render.view.view import DefaultJinjaPageView

    # pages as the library makes them, so that its documentation fits
    view = DefaultJinjaPageView()
    return {
        "validation.html": _steady(
            view.render(ValidationResultsPageRenderer().render(outcome))
        ),
        "expectations.html": _steady(
            view.render(ExpectationSuitePageRenderer().render(suite))
        ),
    }


def _steady(page: str) -> str:
    """The page without its logo, fetched with the time of day, and with ids that stay the same."""
    page = re.sub(
        r'src="https://great-expectations-web-assets[^"]*"', 'src="data:,"', page
    )
    # random ids would make a new output of every run
    ids = {found: f"id{n}" for n, found in enumerate(dict.fromkeys(UUID.findall(page)))}
    return UUID.sub(lambda match: ids[match.group()], page)


def _summary(result: Mapping[str, Any]) -> str:
    """A page of our own that needs no net: every expectation, whether it holds, what it saw."""
    # what fails stands first
    ordered = sorted(result["results"], key=lambda one: (one["success"], _title(one)))
    rows = "".join(f"<tr>{_cells(one)}</tr>\n" for one in ordered)
    held = sum(1 for one in ordered if one["success"])
    return f"""<!doctype html>
<html lang="en"><meta charset="utf-8"><title>Manifest: {held} of {len(ordered)} hold</title>
<style>body{{font:15px/1.5 system-ui,sans-serif;margin:2rem auto;max-width:60rem;padding:0 1rem}}
table{{border-collapse:collapse;width:100%}}td,th{{border-bottom:1px solid #ccc;padding:.3rem .6rem;
text-align:left;vertical-align:top}}.no{{background:#fdecea}}</style>
<h1>Manifest: {held} of {len(ordered)} expectations hold</h1>
<p>Great Expectations' own Data Docs: <a href="validation.html">results</a>,
<a href="expectations.html">suite</a> (styled when the net is reachable).</p>
<table><tr><th>holds</th><th>expectation</th><th>severity</th><th>seen</th></tr>
{rows}</table></html>
"""


def _cells(outcome: Mapping[str, Any]) -> str:
    mark = "" if outcome["success"] else ' class="no"'
    seen = "" if outcome["success"] else str(_failure(outcome))
    severity = outcome["expectation_config"]["severity"]
    cells = ("yes" if outcome["success"] else "no", _title(outcome), severity, seen)
    return "".join(f"<td{mark}>{html.escape(cell)}</td>" for cell in cells)


def _title(outcome: Mapping[str, Any]) -> str:
    config = outcome["expectation_config"]
    arguments = {k: v for k, v in config["kwargs"].items() if k != "batch_id"}
    given = ", ".join(f"{key}={value}" for key, value in sorted(arguments.items()))
    name = config["type"].removeprefix("expect_").replace("_", " ")
    return f"{name} ({given})"
