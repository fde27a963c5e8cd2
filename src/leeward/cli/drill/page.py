"""The report of a drill: one HTML page that needs nothing else, no script and no network."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from html import escape
from typing import Final

from leeward.cli.drill.record import Decided, Plan, Record
from leeward.cli.drill.verdict import Impact, Verdict

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


def page(plan: Plan, record: Record, verdict: Verdict, chart: str) -> str:
    """Return the whole page."""
    faults = ", ".join(f"<code>{escape(str(each))}</code>" for each in plan.faults) or "none"
    where = "simulated targets, in virtual time" if plan.simulated else "the configured targets"
    told = (
        f"{verdict.calls:,} calls of <code>{escape(plan.function)}</code>, {plan.rate:g} a second, "
        f"effect {plan.effect.value}"
    )
    body = [
        f"<h1>Drill of {escape(', '.join(plan.order))}</h1>",
        f"<p>{told}, on {where}. Faults: {faults}.</p>",
        *_kept(verdict),
        _numbers(verdict),
        "<h2>Each fault</h2>",
        _table(_IMPACT, [_impact(each) for each in verdict.impacts], numbers=(1, 2, 3, 4, 5)),
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


def _kept(verdict: Verdict) -> Iterator[str]:
    if not verdict.broken:
        yield '<p class="kept" id="verdict">Every promise was kept.</p>'
        return
    told = "; ".join(escape(each) for each in verdict.broken)
    yield f'<p class="broken" id="verdict">A promise was broken: {told}.</p>'
    if verdict.errors:
        errors = ", ".join(f"{name} {count}" for name, count in verdict.errors.items())
        yield f"<p>Calls that ended with an error: {escape(errors)}.</p>"


def _numbers(verdict: Verdict) -> str:
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


def _attempts(record: Record) -> list[list[str]]:
    counted = Counter(
        (each.target, each.outcome.value if each.outcome else "cancelled", each.fault)
        for each in record.attempts
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
