"""The chart of a drill, as SVG: calls by target, latency, and the state of each circuit."""

from __future__ import annotations

from io import StringIO
from typing import Any, Final

from leeward.cli.drill import timeline
from leeward.cli.drill.record import Plan, Record
from leeward.errors import ConfigError

TARGETS: Final = ("#0072b2", "#e69f00", "#009e73", "#56b4e9", "#cc79a7")
FAILED: Final = "#d55e00"
UNKNOWN: Final = "#7f4f9f"
"""Colours that people tell apart who do not see all of them (Okabe and Ito, "Color Universal
Design")."""

STATES: Final = {
    "closed": "#c7e3d4",
    "ramp": "#f4dd84",
    "half_open": "#eda65d",
    "opened": "#c8502f",
}

MARKED: Final = frozenset({"failover", "retry", "hedged", "outcome_unknown"})
"""Decisions about single calls."""

INCHES: Final = (11.0, 7.6)

_STYLE: Final[Any] = {
    "svg.fonttype": "none",  # text stays text: smaller, and to be read and searched
    "svg.hashsalt": "leeward",
    "font.family": "sans-serif",
    "font.size": 9,
    "axes.spines.top": False,
    "axes.spines.right": False,
}


def check_installed() -> None:
    """Raise `ConfigError` if the library that draws is not installed."""
    try:
        import matplotlib.figure  # noqa: F401 - whether it is there
    except ImportError as error:
        raise ConfigError(
            'the report needs matplotlib; install it: pip install "leeward[drill]"'
        ) from error


def draw(plan: Plan, record: Record) -> str:
    """Return the chart as one ``<svg>`` element."""
    from matplotlib import rc_context
    from matplotlib.figure import Figure

    end = timeline.end_of(plan, record)
    with rc_context(_STYLE):
        figure = Figure(figsize=INCHES, layout="constrained")
        calls, latency, circuits = figure.subplots(
            3, 1, sharex=True, height_ratios=(3, 2, 0.5 + 0.45 * len(plan.order))
        )
        _draw_calls(calls, plan, record, end)
        _draw_latency(latency, record)
        _draw_circuits(circuits, plan, record, end)
        for axes in (calls, latency, circuits):
            for fault in plan.faults:
                axes.axvspan(fault.begin, fault.end, color="#d55e00", alpha=0.1, linewidth=0)
        circuits.set_xlim(0, end)
        circuits.set_xlabel("seconds from the start; shaded: a fault is in force")
        written = StringIO()
        figure.savefig(written, format="svg", metadata={"Date": None, "Creator": None})
    text = written.getvalue()
    return text[text.index("<svg") :]


def colours(plan: Plan) -> dict[str, str]:
    """Return the colour of each target, and of what none has answered."""
    own = {each: TARGETS[index % len(TARGETS)] for index, each in enumerate(plan.order)}
    return {**own, timeline.LEFT_UNKNOWN: UNKNOWN, timeline.FAILED: FAILED}


def _draw_calls(axes: Any, plan: Plan, record: Record, end: float) -> None:
    counts = timeline.per_second(plan, record.calls, end)
    shown = {name: each for name, each in counts.items() if name in plan.order or any(each)}
    below = [0] * (int(end) + 1)
    for name, each in shown.items():
        above = [low + more for low, more in zip(below, each, strict=True)]
        # One more value, so that the last second has its step as well.
        axes.fill_between(
            range(int(end) + 2),
            [*below, below[-1]],
            [*above, above[-1]],
            step="post",
            color=colours(plan)[name],
            linewidth=0,
            label=name,
        )
        below = above
    axes.set_ylabel("calls a second,\nby who answered")
    axes.set_ylim(bottom=0)
    axes.legend(loc="lower left", bbox_to_anchor=(0, 1), ncols=len(shown), frameon=False)


def _draw_latency(axes: Any, record: Record) -> None:
    from matplotlib.ticker import NullFormatter, StrMethodFormatter

    points = list(timeline.latencies(record.calls))
    seconds = [each[0] + 0.5 for each in points]
    axes.semilogy(seconds, [1000 * each[2] for each in points], color="#999999", label="longest")
    axes.semilogy(seconds, [1000 * each[1] for each in points], color="#222222", label="median")
    axes.set_ylabel("milliseconds of\nanswered calls")
    axes.yaxis.set_major_formatter(StrMethodFormatter("{x:g}"))
    axes.yaxis.set_minor_formatter(NullFormatter())
    axes.grid(axis="y", which="both", color="#e5e5e5", linewidth=0.6)
    axes.legend(loc="lower left", bbox_to_anchor=(0, 1), ncols=2, frameon=False)


def _draw_circuits(axes: Any, plan: Plan, record: Record, end: float) -> None:
    from matplotlib.patches import Patch

    rows = {target: len(plan.order) - 1 - index for index, target in enumerate(plan.order)}
    for number, band in enumerate(timeline.bands(plan, record.decisions, end)):
        bars = axes.broken_barh(
            [(band.begin, band.end - band.begin)],
            (rows[band.target] - 0.35, 0.7),
            facecolors=STATES[band.state],
            linewidth=0,
        )
        bars.set_gid(f"band-{number}-{band.state}")
    for target, row in rows.items():
        moments = [
            each.at
            for each in record.decisions
            if each.event.name in MARKED and each.event.target == target
        ]
        axes.plot(moments, [row + 0.43] * len(moments), "|", color="#222222", markersize=5)
    axes.set_yticks(list(rows.values()), list(rows))
    axes.set_ylim(-0.5, len(rows) - 0.4)
    axes.set_ylabel("circuits, and\ncalls moved (|)")
    told = {"closed": "closed", "ramp": "ramp", "half_open": "half open", "opened": "open"}
    patches = [Patch(color=STATES[state], label=label) for state, label in told.items()]
    axes.legend(handles=patches, loc="lower left", bbox_to_anchor=(0, 1), ncols=4, frameon=False)
