"""What a run has shown: a table for people, JSON for programs."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass, field, fields
from hashlib import blake2b
from typing import Any

from rich.box import SIMPLE_HEAD
from rich.console import Console
from rich.table import Table

from tests.simulation.baselines import BASELINES
from tests.simulation.counters import Counters
from tests.simulation.episodes import Findings

HEADINGS = (
    "scenario",
    "calls",
    "ok",
    "unknown",
    "failed",
    "attempts/call",
    "doubles",
    *(f"{name}'s" for name in BASELINES),
)

WIDTH = 140
"""Characters of a line where there is no terminal to ask."""


@dataclass(slots=True)
class Summary:
    """All findings of a run, added up.

    Attributes:
        seed: of the run.
        seconds: on the wall clock.
        workers: processes.
        leeward: scenario to counts.
        baselines: name of another router to the same, of the episodes in which it took part.
        broken: how often each invariant was broken.
        reports: some violations, described in full.
        traces: episode by episode, a digest of every attempt, result and effect of leeward's.
    """

    seed: int
    workers: int
    seconds: float = 0.0
    leeward: dict[str, Counters] = field(default_factory=dict)
    baselines: dict[str, dict[str, Counters]] = field(
        default_factory=lambda: {name: {} for name in BASELINES}
    )
    broken: Counter[str] = field(default_factory=Counter)
    reports: list[str] = field(default_factory=list)
    traces: list[str] = field(default_factory=list)

    def add_all(self, findings: Iterable[Findings]) -> None:
        """Take in what was found, episode by episode."""
        for each in findings:
            name = each.episode.scenario.name
            self.leeward.setdefault(name, Counters()).add(each.leeward)
            for baseline, counters in each.baselines.items():
                self.baselines[baseline].setdefault(name, Counters()).add(counters)
            self.broken.update(each.broken)
            self.reports.extend(each.reports)
            self.traces.append(each.trace)

    @property
    def trace(self) -> str:
        """One digest of everything."""
        return blake2b("".join(self.traces).encode(), digest_size=8).hexdigest()

    @property
    def total(self) -> Counters:
        """The counts of leeward over all scenarios."""
        return added(self.leeward.values())

    def total_of(self, baseline: str) -> Counters:
        """Return the counts of another router over all scenarios."""
        return added(self.baselines[baseline].values())

    @property
    def calls_per_second(self) -> float:
        """Calls of leeward's per second of wall clock; those of other routers come on top."""
        return self.total.calls / self.seconds if self.seconds else 0.0


def added(parts: Iterable[Counters]) -> Counters:
    """Return the sum of counters."""
    total = Counters()
    for part in parts:
        total.add(part)
    return total


def as_json(summary: Summary) -> str:
    """Write everything for programs."""
    names = list(summary.leeward)
    document: dict[str, Any] = {
        "seed": summary.seed,
        "workers": summary.workers,
        "seconds": round(summary.seconds, 2),
        "calls_per_second": round(summary.calls_per_second),
        "trace": summary.trace,
        "scenarios": {
            name: {"leeward": _counts(summary.leeward[name])}
            | {each: _counts(parts[name]) for each, parts in summary.baselines.items()}
            for name in names
        },
        "totals": {"leeward": _counts(summary.total)}
        | {each: _counts(summary.total_of(each)) for each in BASELINES},
        "broken": summary.broken,
        "violations": summary.reports,
    }
    return json.dumps(document, indent=2)


def show(summary: Summary, console: Console) -> None:
    """Print the table, the totals and the violations; plainly where there is no terminal."""
    table = Table(box=SIMPLE_HEAD if console.is_terminal else None)
    for heading in HEADINGS:
        table.add_column(
            heading, no_wrap=True, justify="left" if heading == "scenario" else "right"
        )
    for name, counters in summary.leeward.items():
        others = [parts.get(name, Counters()) for parts in summary.baselines.values()]
        table.add_row(name, *_cells(counters, others))
    table.add_section()
    everybody = [summary.total_of(each) for each in BASELINES]
    table.add_row("all", *_cells(summary.total, everybody), style="bold")
    console.print(table)
    for line in _totals(summary):
        console.print(line, highlight=False)
    one_of_each = {text.partition(":")[0]: text for text in reversed(summary.reports)}
    for record in reversed(one_of_each.values()):
        console.print(f"\n{record}", highlight=False, markup=False, soft_wrap=True)


def _totals(summary: Summary) -> Iterable[str]:
    leeward = summary.total
    yield "ok, unknown, failed, attempts, doubles: leeward's; the last columns: doubles of other"
    yield "routers for each 100,000 calls. failed: as the target or the function said, or proved"
    yield "not to have run"
    for name in ("leeward", *BASELINES):
        of = leeward if name == "leeward" else summary.total_of(name)
        yield (
            f"{name}: {of.calls:,} calls, {of.unsafe:,} of them unsafe; {of.doubles:,} doubles; "
            f"{of.false_failures:,} failures told of calls that had run; {of.left_home:,} data "
            f"calls that left their home; {of.late_overwrites:,} late overwrites; not well: "
            f"{(of.calls - of.succeeded) / max(1, of.calls):.1%}"
        )
    yield (
        f"{leeward.calls:,} calls in {summary.seconds:.1f} s: {summary.calls_per_second:,.0f} "
        f"calls/s, processes: {summary.workers}, seed {summary.seed}, trace {summary.trace}"
    )
    if not summary.broken:
        yield "every invariant held"
    for name, times in summary.broken.most_common():
        yield f"BROKEN {times:,} times: {name}"


def _cells(counters: Counters, others: Iterable[Counters]) -> tuple[str, ...]:
    counts = (counters.calls, counters.succeeded, counters.unknown, counters.failed)
    each = f"{counters.attempts / max(1, counters.calls):.3f}"
    return (
        *(f"{count:,}" for count in counts),
        each,
        f"{counters.doubles:,}",
        *(f"{100_000 * other.doubles / max(1, other.calls):,.0f}" for other in others),
    )


def _counts(counters: Counters) -> dict[str, Any]:
    return {each.name: getattr(counters, each.name) for each in fields(counters)} | {
        "failed": counters.failed
    }
