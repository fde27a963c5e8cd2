"""Write docs/reliability.md: the gates, measured; the worlds; pictures.

python -m tests.simulation.reliability_page [--calls N] [--seed N] [--workers N]
"""

from __future__ import annotations

import os
from argparse import ArgumentParser
from collections.abc import Sequence
from pathlib import Path
from time import perf_counter

from tests.simulation.baselines import BASELINES
from tests.simulation.cells import BEFORE, PRIMARY, Cell, Passage, run_cell
from tests.simulation.episodes import episodes, run_episodes
from tests.simulation.gates import HARD, ROUTERS, measure
from tests.simulation.report import Summary
from tests.simulation.rows import Row

DOCS = Path(__file__).parents[2] / "docs"
PICTURES = DOCS / "pictures"

INTRODUCTION = """# Reliability

Measured by `make sim-report`, which writes this page: leeward's own core in virtual time, and three
other routers in the same worlds. *naive* is the loop that everybody writes (on any exception, the
next provider); *breaker* is the textbook circuit breaker (five failures in a row open it for 30 s);
*cooldown* is a router after litellm's (a random deployment, two retries, 5 s rest for a bad one).
The worlds are models: latency, capacity, overload, cold starts, slow functions, many functions, few
places for calls at once, callers who give up, pages that repeat a proof, and all faults of the
schedules below. No latency is one that targets share.

What `make sim` checks at every step, on every schedule, is listed in `tests/simulation`; one seed
reproduces everything, and a schedule that breaks a promise is made smaller before it is shown.
"""


def main(arguments: Sequence[str] | None = None) -> None:
    """Measure, draw and write."""
    parser = ArgumentParser(prog="python -m tests.simulation.reliability_page")
    parser.add_argument("--calls", type=int, default=1_000_000)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--workers", type=int, default=os.cpu_count() or 1)
    options = parser.parse_args(arguments)
    rows = measure(options.workers)
    summary = Summary(options.seed, options.workers)
    began = perf_counter()
    summary.add_all(run_episodes(list(episodes(options.calls, options.seed)), options.workers))
    summary.seconds = perf_counter() - began
    draw_outage(PICTURES / "outage.png")
    text = "\n".join([INTRODUCTION, *gate_table(rows), *world_table(summary), *PICTURE])
    (DOCS / "reliability.md").write_text(text + "\n", encoding="utf-8")


def gate_table(rows: Sequence[Row]) -> list[str]:
    """Return the gates as Markdown."""
    lines = [
        "## Gates",
        "",
        f"| measured | gate | {' | '.join(ROUTERS)} | met |",
        f"|---|---|{'---|' * len(ROUTERS)}---|",
    ]
    for row in rows:
        met = {True: "yes", False: "**short**", None: ""}[row.met]
        cells = " | ".join(row.measured.get(name, "") for name in ROUTERS)
        remark = f" ({row.remark})" if row.remark else ""
        lines.append(f"| {row.metric}{remark} | {row.gate} | {cells} | {met} |")
    return [*lines, "", "Seeds: 0 and up, as many as a gate takes; rates as named.", ""]


def world_table(summary: Summary) -> list[str]:
    """Return what happened on the schedules, as Markdown."""
    total = summary.total
    lines = [
        "## Schedules",
        "",
        f"{total.calls:,} calls of leeward's with seed {summary.seed}, trace `{summary.trace}`.",
        "Doubles are unsafe and keyed calls that took effect more than once, for each 100,000",
        f"calls. Promises broken by leeward: {sum(summary.broken.values())}.",
        "",
        f"| schedule | leeward: attempts a call | doubles: {' | '.join(ROUTERS)} |",
        f"|---|---|{'---|' * len(ROUTERS)}",
    ]
    for name, counters in summary.leeward.items():
        others = [summary.baselines[each][name] for each in BASELINES]
        doubles = [f"{100_000 * each.doubles / each.calls:,.0f}" for each in (counters, *others)]
        each_call = f"{counters.attempts / counters.calls:.3f}"
        lines.append(f"| {name} | {each_call} | {' | '.join(doubles)} |")
    return [*lines, ""]


PICTURE = [
    "## An outage",
    "",
    "The first target goes dark for two minutes, at 20 calls a second: the share of the calls that",
    "ask it first, and the time that a call takes, for each router.",
    "",
    "![Share of calls on the failing target, and seconds a call takes](pictures/outage.png)",
]


def draw_outage(path: Path) -> None:
    """Draw how each router goes through a black hole."""
    import matplotlib as mpl

    mpl.use("Agg")
    from matplotlib import pyplot as plt

    cell = HARD["black hole"]
    figure, (shares, times) = plt.subplots(2, 1, sharex=True, figsize=(9, 6))
    for name in ROUTERS:
        passage = run_cell(cell, 0, name)
        at, share, took = _by_second(passage, cell)
        shares.plot(at, share, label=name)
        times.plot(at, took, label=name)
    for axes in (shares, times):
        axes.axvspan(BEFORE, BEFORE + cell.lasts, alpha=0.15, color="grey")
        axes.grid(visible=True, alpha=0.3)
    shares.set_ylabel("share on the first target")
    times.set_ylabel("slowest call of 2 s (s)")
    times.set_xlabel("seconds; grey: the target is dark")
    shares.legend(loc="lower right")
    figure.tight_layout()
    path.parent.mkdir(exist_ok=True)
    figure.savefig(path, dpi=90, metadata={"Software": None})
    plt.close(figure)


def _by_second(passage: Passage, cell: Cell) -> tuple[list[float], list[float], list[float]]:
    at: list[float] = []
    share: list[float] = []
    took: list[float] = []
    for step in range(int((cell.ends + cell.after) / 2)):
        calls = passage.between(2.0 * step, 2.0 * step + 2.0)
        if len(calls):
            at.append(2.0 * step)
            share.append(sum(passage.first[each] == PRIMARY for each in calls) / len(calls))
            took.append(max(passage.took[each] for each in calls))
    return at, share, took


if __name__ == "__main__":
    main()
