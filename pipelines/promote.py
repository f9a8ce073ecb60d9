"""Hold the challenger against the champion, and promote it where the gate lets it through.

Exit 0: promoted, or nothing to do. Exit 1: refused, superseded by another promotion, or an error.
"""

import argparse
import getpass
import sys
from collections.abc import Sequence
from dataclasses import asdict
from typing import Any

from inspection.errors import InspectionError
from inspection.plant import LineErrors, as_typed
from inspection.promotion.gate import GateParams, Rule, failures, max_uses
from inspection.runtime.releases import POINTER
from pipelines.champions import BUNDLE, RELEASES, Registry
from pipelines.evidence import Judgement, judge
from pipelines.runs.store import opened
from pipelines.shipping import bento
from stages import tracking

NEEDS = "run `dvc repro`; after a clone or `dvc exp apply`: `make promote`"
# What becomes of a challenger: it serves, now or already; or something else goes on serving.
SERVES = ("promoted", "overridden", "synced", "champion already")
STAYS = ("refused", "superseded")


def main() -> None:
    """Parse the command line, promote, and say what happened."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument(
        "--dry-run",
        action="store_true",
        help="print the rules and move nothing; it reads the test fold, and counts as a use of it",
    )
    parser.add_argument(
        "--sync",
        action="store_true",
        help="let the version serve that MLflow's alias 'champion' names",
    )
    parser.add_argument(
        "--override", metavar="REASON", help="promote in spite of the gate"
    )
    parser.add_argument(
        "--by", metavar="NAME", help="who decides; asked for --override"
    )
    parser.add_argument(
        "--no-bento", action="store_true", help="pack no Bento of what then serves"
    )
    given = parser.parse_args()
    if given.override and not given.by:
        parser.error("--override: say who decides with --by NAME")

    with LineErrors("promote"):
        outcome = promote_or_sync(
            by=given.by or getpass.getuser(),
            dry_run=given.dry_run,
            override=given.override or "",
            follow_alias=given.sync,
        )
        if outcome in SERVES and not given.no_bento:
            say(bento.of_what_serves())
    if outcome in STAYS:
        raise SystemExit(1)


def promote_or_sync(
    *, by: str, dry_run: bool, override: str, follow_alias: bool
) -> str:
    """What command and flow do: `promote`, or with `follow_alias` `sync`, which takes no choices.

    Raises InspectionError where both are asked for.
    """
    if not follow_alias:
        return promote(dry_run=dry_run, override=override, by=by)
    if dry_run or override:
        raise InspectionError(
            "promote: sync follows the alias whatever the gate says; leave dry run and override out"
        )
    return sync(by=by)


def promote(*, dry_run: bool = False, override: str = "", by: str) -> str:
    """Judge the challenger and move the alias; returns what became of it."""
    params, store, registry = opened()
    if resumed(store, registry):
        return "champion already"
    say(unregistered(registry))
    before = registry.aliases()
    challenger, champion = _contenders(before)
    if challenger == champion and registry.served() == champion:
        # of before this was recorded, or lost in the registry
        registry.record_usual(champion)
        say(f"version {champion} is the champion already; nothing to do")
        return "champion already"

    rival = champion if champion != challenger else None
    judgement = judge(registry, challenger, rival, params)
    say(table(judgement.rules))
    with tracking.changing_aliases(store):
        return _decided(
            registry, judgement, challenger, champion, dry_run, override, by, params
        )


def sync(*, by: str) -> str:
    """Let the alias take effect that somebody moved in MLflow; the gate's result is recorded."""
    params, store, registry = opened()
    if resumed(store, registry):
        return "champion already"
    champion, served = registry.aliases().get(tracking.CHAMPION), registry.served()
    if champion is None:
        raise InspectionError(
            f"{registry.line}: no version has the alias {tracking.CHAMPION!r}; set it, or run "
            "`python -m pipelines.promote`"
        )
    if champion == served:
        say(f"version {champion} serves already; nothing to do")
        return "champion already"

    judgement = judge(registry, champion, served, params)
    say(table(judgement.rules))
    with tracking.changing_aliases(store):
        if registry.aliases().get(tracking.CHAMPION) != champion:
            return _superseded(registry, judgement, champion, served, by)
        _keep_usual(registry, champion, judgement)
        what = _entry("synced", judgement, champion, served, by, "alias was moved")
        registry.move(champion, previous=served, **what)
    say(f"version {champion} serves, as its alias says")
    if not judgement.passed:
        say(f"warning: the gate would have refused it: {failures(judgement.rules)}")
    return "synced"


def sync_if_moved(*, by: str) -> str:
    """As `sync`, for who asks again and again.

    Where nothing serves yet there is nothing to do: the first champion is promoted by somebody.
    """
    if not (RELEASES / POINTER).is_file():
        return "champion already"

    _, _, registry = opened()
    champion = registry.aliases().get(tracking.CHAMPION)
    if champion in (None, registry.served()):
        return "champion already"
    return sync(by=by)


def resumed(store: tracking.TrackingParams, registry: Registry) -> str | None:
    """Finish a move that was cut off, and say so; returns its version, None where there was none.

    Nothing else is done then: who repeats a command that was cut off wants it once.
    """
    with tracking.changing_aliases(store):
        number = registry.finish_interrupted()
    if number is not None:
        say(f"version {number} is the champion: a move that was cut off is finished")
    return number


def unregistered(registry: Registry) -> str:
    """A warning where the bundle of the last run is no version of this registry; '' else.

    DVC brings a bundle from its cache, or from another checkout, without running stage `register`.
    """
    if not registry.lacks_bundle():
        return ""
    return f"warning: {BUNDLE} is not in this registry; to fix: `make promote`"


def table(rules: Sequence[Rule]) -> str:
    """The rules as lines of text: result, name, what was found, what is allowed."""
    width = max(len(rule.name) for rule in rules)
    return "\n".join(
        f"{'ok  ' if rule.passed else 'STOP'}  {rule.name:{width}}  {rule.found}"
        f"  [{rule.limit}]"
        for rule in rules
    )


def _contenders(aliases: dict[str, str]) -> tuple[str, str | None]:
    challenger = aliases.get(tracking.CHALLENGER)
    if challenger is None:
        raise InspectionError(f"registry: has no challenger of this line; {NEEDS}")
    return challenger, aliases.get(tracking.CHAMPION)


def _decided(
    registry: Registry,
    judgement: Judgement,
    challenger: str,
    champion: str | None,
    dry_run: bool,
    override: str,
    by: str,
    params: GateParams,
) -> str:
    """Move the alias or not, under the lock, by what the registry says now."""
    say(_uses(registry, judgement, params))
    if dry_run:
        registry.append(**_entry("dry run", judgement, challenger, champion, by, ""))
        return "dry run"
    if registry.aliases().get(tracking.CHAMPION) != champion:
        return _superseded(registry, judgement, challenger, champion, by)

    stopped = failures(judgement.rules)
    if stopped and not override:
        registry.tag(challenger, gate="refused", gate_reason=stopped)
        registry.append(
            **_entry("refused", judgement, challenger, champion, by, stopped)
        )
        say(f"version {challenger} is refused: {stopped}")
        return "refused"

    outcome = "overridden" if stopped else "promoted"
    _keep_usual(registry, challenger, judgement)
    what = _entry(outcome, judgement, challenger, champion, by, override)
    registry.move(challenger, previous=champion, **what)
    say(f"version {challenger} is the champion ({outcome}); before: {champion or '-'}")
    return outcome


def _keep_usual(registry: Registry, number: str, judgement: Judgement) -> None:
    """Before the version serves, so that the watch knows from its first part on what is usual."""
    registry.keep_usual(number, judgement.usual)


def _superseded(
    registry: Registry,
    judgement: Judgement,
    challenger: str,
    champion: str | None,
    by: str,
) -> str:
    now = registry.aliases().get(tracking.CHAMPION)
    reason = f"version {now} became champion meanwhile"
    registry.append(**_entry("superseded", judgement, challenger, champion, by, reason))
    say(f"version {challenger}: superseded, {reason}; run it again to compare anew")
    return "superseded"


def _uses(registry: Registry, judgement: Judgement, params: GateParams) -> str:
    """How often this fold has gated, and when it is worn out."""
    n = 1 + sum(
        entry.get("fold_sha256") == judgement.fold_sha256
        for entry in registry.entries()
    )
    limit = max_uses(params.alpha)
    said = f"this test fold has gated {n} time(s); a fresh one is due after {limit}"
    if n <= limit:
        return said
    return f"warning: {said}; add parts, or change split.seed and train anew"


def _entry(
    outcome: str,
    judgement: Judgement,
    number: str,
    champion: str | None,
    by: str,
    why: str,
) -> dict[str, Any]:
    return {
        "outcome": outcome,
        "from": champion,
        "to": number,
        "who": by,
        "why": why,
        "rules": [asdict(rule) for rule in judgement.rules],
        "fold_sha256": judgement.fold_sha256,
    }


def say(text: str) -> None:
    """Print a line; nothing where there is nothing to say."""
    if text:
        sys.stdout.write(as_typed(text) + "\n")
        sys.stdout.flush()


if __name__ == "__main__":
    main()
