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
    "naive's",
)

WIDTH = 120
"""Characters of a line where there is no terminal to ask."""


@dataclass(slots=True)
class Summary:
    """All findings of a run, added up.

    Attributes:
        seed: of the run.
        seconds: on the wall clock.
        workers: processes.
        leeward: scenario to counts.
        naive: the same, of the naive router.
        broken: how often each invariant was broken.
        reports: some violations, described in full.
        traces: episode by episode, a digest of every attempt, result and effect of leeward's.
    """

    seed: int
    workers: int
    seconds: float = 0.0
    leeward: dict[str, Counters] = field(default_factory=dict)
    naive: dict[str, Counters] = field(default_factory=dict)
    broken: Counter[str] = field(default_factory=Counter)
    reports: list[str] = field(default_factory=list)
    traces: list[str] = field(default_factory=list)

    def add_all(self, findings: Iterable[Findings]) -> None:
        """Take in what was found, episode by episode."""
        for each in findings:
            name = each.episode.scenario.name
            self.leeward.setdefault(name, Counters()).add(each.leeward)
            self.naive.setdefault(name, Counters()).add(each.naive)
            self.broken.update(each.broken)
            self.reports.extend(each.reports)
            self.traces.append(each.trace)

    @property
    def trace(self) -> str:
        """One digest of everything."""
        return blake2b("".join(self.traces).encode(), digest_size=8).hexdigest()

    @property
    def total(self) -> tuple[Counters, Counters]:
        """The counts of leeward and of the naive router over all scenarios."""
        sums = Counters(), Counters()
        for total, parts in zip(sums, (self.leeward, self.naive), strict=True):
            for part in parts.values():
                total.add(part)
        return sums

    @property
    def calls_per_second(self) -> float:
        """Calls of leeward's per second of wall clock; the naive router's come on top."""
        return self.total[0].calls / self.seconds if self.seconds else 0.0


def as_json(summary: Summary) -> str:
    """Write everything for programs."""
    leeward, naive = summary.total
    names = list(summary.leeward)
    document: dict[str, Any] = {
        "seed": summary.seed,
        "workers": summary.workers,
        "seconds": round(summary.seconds, 2),
        "calls_per_second": round(summary.calls_per_second),
        "trace": summary.trace,
        "scenarios": {
            name: {"leeward": _counts(summary.leeward[name]), "naive": _counts(summary.naive[name])}
            for name in names
        },
        "totals": {"leeward": _counts(leeward), "naive": _counts(naive)},
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
        table.add_row(name, *_cells(counters, summary.naive[name]))
    leeward, naive = summary.total
    table.add_section()
    table.add_row("all", *_cells(leeward, naive), style="bold")
    console.print(table)
    for line in _totals(summary):
        console.print(line, highlight=False)
    for record in summary.reports[:5]:
        console.print(f"\n{record}", highlight=False, markup=False, soft_wrap=True)


def _totals(summary: Summary) -> Iterable[str]:
    leeward, naive = summary.total
    yield "ok, unknown, failed, attempts, doubles: leeward's; naive's: doubles of the naive router"
    yield "failed: as the target or the function said, or proved not to have run"
    yield (
        f"{leeward.unsafe:,} unsafe calls; doubles: leeward {leeward.doubles:,}, "
        f"naive router {naive.doubles:,}"
    )
    yield (
        f"failures reported of calls that had run: leeward {leeward.false_failures:,}, "
        f"naive router {naive.false_failures:,}"
    )
    yield (
        f"data calls that left their home: leeward {leeward.left_home:,}, "
        f"naive router {naive.left_home:,}"
    )
    yield (
        f"writes that took effect again over a later change of another call: leeward "
        f"{leeward.late_overwrites:,}, naive router {naive.late_overwrites:,}"
    )
    yield (
        f"{leeward.calls:,} calls in {summary.seconds:.1f} s: {summary.calls_per_second:,.0f} "
        f"calls/s, processes: {summary.workers}, seed {summary.seed}, trace {summary.trace}"
    )
    if not summary.broken:
        yield "every invariant held"
    for name, times in summary.broken.most_common():
        yield f"BROKEN {times:,} times: {name}"


def _cells(counters: Counters, naive: Counters) -> tuple[str, ...]:
    counts = (counters.calls, counters.succeeded, counters.unknown, counters.failed)
    each = f"{counters.attempts / max(1, counters.calls):.3f}"
    return (
        *(f"{count:,}" for count in counts),
        each,
        f"{counters.doubles:,}",
        f"{naive.doubles:,}",
    )


def _counts(counters: Counters) -> dict[str, Any]:
    return {each.name: getattr(counters, each.name) for each in fields(counters)} | {
        "failed": counters.failed
    }
