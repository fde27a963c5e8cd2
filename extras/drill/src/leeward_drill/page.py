"""The report of a drill: one HTML page that needs nothing else, no script and no network."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Iterable, Iterator, Sequence
from html import escape
from io import StringIO
from typing import Any, Final, NamedTuple

from leeward_drill.record import Called, Decided, DrillRecord, Plan
from leeward_drill.verdict import ANSWERED, CHANGES, UNKNOWN, DrillVerdict, Impact

MOST_DECISIONS: Final = 400
"""Rows of decisions that are shown; there is one for each call that was tried again."""

_STYLE: Final = """
body { font: 15px/1.5 system-ui, sans-serif; color: #222; margin: 2rem auto; max-width: 70rem;
  padding: 0 1rem; }
h1 { font-size: 1.5rem; margin-bottom: .2rem; } h2 { font-size: 1.1rem; margin-top: 2rem; }
.kept, .broken { padding: .7rem 1rem; border-left: .4rem solid; font-weight: 600; }
.kept { border-color: #009e73; background: #e6f4ee; }
.broken { border-color: #c8502f; background: #fbe9e3; }
dl { display: grid; grid-template-columns: repeat(auto-fit, minmax(8.5rem, 1fr)); gap: .6rem; }
dl div { background: #f5f5f5; padding: .5rem .8rem; }
dt { font-size: .8rem; color: #555; } dd { margin: 0; font-size: 1.3rem; }
table { border-collapse: collapse; width: 100%; font-size: .9rem; }
th, td { text-align: left; padding: .25rem .8rem .25rem 0; border-bottom: 1px solid #ddd;
  vertical-align: top; }
td.number, th.number { text-align: right; font-variant-numeric: tabular-nums; }
svg { width: 100%; height: auto; } code { font-size: .9em; }
"""


def page(plan: Plan, record: DrillRecord, verdict: DrillVerdict, chart: str) -> str:
    """Return the whole page."""
    faults = ", ".join(f"<code>{escape(str(fault))}</code>" for fault in plan.faults) or "none"
    where = "simulated targets, in virtual time" if plan.simulated else "the configured targets"
    told = (
        f"{verdict.calls:,} calls of <code>{escape(plan.function)}</code>, {plan.rate:g} a second, "
        f"effect {plan.effect.value}"
    )
    body = [
        f"<h1>Drill of {escape(', '.join(plan.order))}</h1>",
        f"<p>{told}, on {where}. Faults: {faults}.</p>",
        *_render_verdict(verdict),
        _numbers(verdict),
        "<h2>Each fault</h2>",
        _table(_IMPACT, [_impact(impact) for impact in verdict.impacts], numbers=(1, 2, 3, 4, 5)),
        "<h2>Timeline</h2>",
        f'<div role="img" aria-label="Timeline of the drill">{chart}</div>',
        "<h2>Attempts</h2>",
        _table(("target", "ended as", "fault in force", "attempts"), _attempts(record), (3,)),
        "<h2>Decisions</h2>",
        *_decisions(record.decisions),
    ]
    return (
        '<!doctype html>\n<html lang="en"><head><meta charset="utf-8">'
        '<meta http-equiv="Content-Security-Policy" content="default-src \'none\'; '
        "style-src 'unsafe-inline'\">"
        '<meta name="viewport" content="width=device-width">'
        f"<title>Drill: {'a promise was broken' if verdict.broken else 'kept'}</title>"
        f"<style>{_STYLE}</style></head>\n<body>\n" + "\n".join(body) + "\n</body></html>\n"
    )


def _render_verdict(verdict: DrillVerdict) -> Iterator[str]:
    if not verdict.broken:
        yield '<p class="kept" id="verdict">Every promise was kept.</p>'
        return
    told = "; ".join(escape(each) for each in verdict.broken)
    yield f'<p class="broken" id="verdict">A promise was broken: {told}.</p>'
    if verdict.errors:
        errors = ", ".join(f"{name} {count}" for name, count in verdict.errors.items())
        yield f"<p>Calls that ended with an error: {escape(errors)}.</p>"


def _numbers(verdict: DrillVerdict) -> str:
    told = {
        "answered": f"{verdict.answered:,} of {verdict.calls:,}",
        "lost": verdict.lost,
        "doubled": verdict.doubled,
        "unknown": verdict.unknown,
        "run twice, harmless": verdict.repeated,
        "failed, no target well": verdict.all_faulty,
        "median call": _milliseconds(verdict.median),
        "longest call": _milliseconds(verdict.worst),
    }
    cells = [f"<div><dt>{name}</dt><dd>{value}</dd></div>" for name, value in told.items()]
    return f'<dl id="numbers">{"".join(cells)}</dl>'


_IMPACT: Final = (
    "fault",
    "detected after",
    "back after its end",
    "answered, first second",
    "answered, from the third",
    "attempts a second, from the third",
)


def _impact(impact: Impact) -> list[str]:
    return [
        str(impact.fault),
        seconds_in_words(impact.detected, "no circuit opened"),
        seconds_in_words(impact.returned, "not seen"),
        _percent(impact.first_second),
        _percent(impact.settled),
        "" if impact.attempts is None else f"{impact.attempts:.1f}",
    ]


def _attempts(record: DrillRecord) -> list[list[str]]:
    counted = Counter(
        (attempt.target, attempt.outcome.value if attempt.outcome else "cancelled", attempt.fault)
        for attempt in record.attempts
    )
    return [[*key, f"{count:,}"] for key, count in sorted(counted.items())]


def _decisions(decisions: Sequence[Decided]) -> Iterator[str]:
    rows = [
        [
            f"{at:.2f}",
            event.name,
            event.target,
            event.reason,
            ", ".join(f"{name} {value:g}" for name, value in event.facts.items()),
            str(event.call_id or ""),
        ]
        for at, event in decisions[:MOST_DECISIONS]
    ]
    if not rows:
        yield "<p>None.</p>"
        return
    yield _table(("second", "decision", "target", "reason", "with", "call"), rows, (0, 5))
    if len(decisions) > MOST_DECISIONS:
        yield f"<p>And {len(decisions) - MOST_DECISIONS:,} more.</p>"


def _table(
    header: Sequence[str], rows: Iterable[Sequence[str]], numbers: Sequence[int] = ()
) -> str:
    def cells(tag: str, values: Sequence[str]) -> str:
        marks = [' class="number"' if index in numbers else "" for index in range(len(values))]
        return "".join(
            f"<{tag}{mark}>{escape(value)}</{tag}>"
            for mark, value in zip(marks, values, strict=True)
        )

    lines = [f"<tr>{cells('td', row)}</tr>" for row in rows]
    return f"<table><thead><tr>{cells('th', header)}</tr></thead>\n" + "\n".join(lines) + "</table>"


def seconds_in_words(value: float | None, otherwise: str) -> str:
    """Return seconds, or what to say where there are none."""
    return otherwise if value is None else f"{value:.2f} s"


def _percent(share: float | None) -> str:
    return "" if share is None else f"{100 * share:.1f} %"


def _milliseconds(seconds: float) -> str:
    return f"{1000 * seconds:,.0f} ms"


STATES: Final = ("closed", "ramp", "half_open", "opened")
"""Of a circuit, from the one that lets everything through to the one that lets nothing."""

FAILED: Final = "failed"
LEFT_UNKNOWN: Final = "outcome unknown"
"""What a call counts as that no target has answered."""


class Band(NamedTuple):
    """A time for which the circuits of a target were in one state."""

    target: str
    state: str
    begin: float
    end: float


def per_second(plan: Plan, calls: Iterable[Called], end: float) -> dict[str, list[int]]:
    """Return how many calls ended in each second, by the target that answered, or as what."""
    seconds = int(end) + 1
    counts = {name: [0] * seconds for name in (*plan.order, LEFT_UNKNOWN, FAILED)}
    for call in calls:
        counts[_counted_as(call)][min(int(call.ended), seconds - 1)] += 1
    return counts


def _counted_as(call: Called) -> str:
    if call.target is not None:
        return call.target
    return LEFT_UNKNOWN if call.error in UNKNOWN else FAILED


def latencies(calls: Iterable[Called]) -> Iterator[tuple[int, float, float]]:
    """Return a second, and the median and the longest call that began in it, in seconds."""
    begun: dict[int, list[float]] = defaultdict(list)
    for call in calls:
        if not call.error or call.error in ANSWERED:
            begun[int(call.began)].append(call.ended - call.began)
    for second in sorted(begun):
        took = sorted(begun[second])
        yield second, took[len(took) // 2], took[-1]


def bands(plan: Plan, decisions: Sequence[Decided], end: float) -> Iterator[Band]:
    """Return the states of each target, of those of its circuits the one that lets least through.

    `end` is that of the drill, in seconds.
    """
    for target in plan.order:
        circuits: dict[Any, str] = {}
        state, since = "closed", 0.0
        for at, event in decisions:
            if event.target != target or event.name not in CHANGES:
                continue
            circuits[event.verb, event.resource] = event.name
            now = max(circuits.values(), key=STATES.index)
            if now != state:
                yield Band(target, state, since, at)
                state, since = now, at
        yield Band(target, state, since, end)


def end_of(plan: Plan, record: DrillRecord) -> float:
    """Return when the drill was over, in seconds."""
    return max(plan.seconds, max((call.ended for call in record.calls), default=0.0))


TARGET_COLOURS: Final = ("#0072b2", "#e69f00", "#009e73", "#56b4e9", "#cc79a7")
FAILED_COLOUR: Final = "#d55e00"
UNKNOWN_COLOUR: Final = "#7f4f9f"
"""Colours that people tell apart who do not see all of them (Okabe and Ito, "Color Universal
Design")."""

STATE_COLOURS: Final = {
    "closed": "#c7e3d4",
    "ramp": "#f4dd84",
    "half_open": "#eda65d",
    "opened": "#c8502f",
}

MARKED: Final = frozenset({"failover", "retry", "hedged", "outcome_unknown"})
"""Decisions about single calls."""

INCHES: Final = (11.0, 7.6)

_CHART_STYLE: Final[Any] = {
    "svg.fonttype": "none",  # text stays text: smaller, and to be read and searched
    "svg.hashsalt": "leeward",
    "font.family": "sans-serif",
    "font.size": 9,
    "axes.spines.top": False,
    "axes.spines.right": False,
}


def draw(plan: Plan, record: DrillRecord) -> str:
    """Return the chart as one ``<svg>`` element."""
    from matplotlib import rc_context
    from matplotlib.figure import Figure

    end = end_of(plan, record)
    with rc_context(_CHART_STYLE):
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
    own = {
        each: TARGET_COLOURS[index % len(TARGET_COLOURS)] for index, each in enumerate(plan.order)
    }
    return {**own, LEFT_UNKNOWN: UNKNOWN_COLOUR, FAILED: FAILED_COLOUR}


def _draw_calls(axes: Any, plan: Plan, record: DrillRecord, end: float) -> None:
    counts = per_second(plan, record.calls, end)
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


def _draw_latency(axes: Any, record: DrillRecord) -> None:
    from matplotlib.ticker import NullFormatter, StrMethodFormatter

    points = list(latencies(record.calls))
    seconds = [point[0] + 0.5 for point in points]
    axes.semilogy(seconds, [1000 * point[2] for point in points], color="#999999", label="longest")
    axes.semilogy(seconds, [1000 * point[1] for point in points], color="#222222", label="median")
    axes.set_ylabel("milliseconds of\nanswered calls")
    axes.yaxis.set_major_formatter(StrMethodFormatter("{x:g}"))
    axes.yaxis.set_minor_formatter(NullFormatter())
    axes.grid(axis="y", which="both", color="#e5e5e5", linewidth=0.6)
    axes.legend(loc="lower left", bbox_to_anchor=(0, 1), ncols=2, frameon=False)


def _draw_circuits(axes: Any, plan: Plan, record: DrillRecord, end: float) -> None:
    from matplotlib.patches import Patch

    rows = {target: len(plan.order) - 1 - index for index, target in enumerate(plan.order)}
    for number, band in enumerate(bands(plan, record.decisions, end)):
        bars = axes.broken_barh(
            [(band.begin, band.end - band.begin)],
            (rows[band.target] - 0.35, 0.7),
            facecolors=STATE_COLOURS[band.state],
            linewidth=0,
        )
        bars.set_gid(f"band-{number}-{band.state}")
    for target, row in rows.items():
        moments = [
            decision.at
            for decision in record.decisions
            if decision.event.name in MARKED and decision.event.target == target
        ]
        axes.plot(moments, [row + 0.43] * len(moments), "|", color="#222222", markersize=5)
    axes.set_yticks(list(rows.values()), list(rows))
    axes.set_ylim(-0.5, len(rows) - 0.4)
    axes.set_ylabel("circuits, and\ncalls moved (|)")
    told = {"closed": "closed", "ramp": "ramp", "half_open": "half open", "opened": "open"}
    patches = [Patch(color=STATE_COLOURS[state], label=label) for state, label in told.items()]
    axes.legend(handles=patches, loc="lower left", bbox_to_anchor=(0, 1), ncols=4, frameon=False)
