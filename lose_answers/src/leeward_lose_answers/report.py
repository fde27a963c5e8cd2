"""What a session saw: in plain words, as JSON, and as a page with pictures of who retried what."""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import asdict, dataclass, field
from html import escape
from typing import Final, NamedTuple

from leeward_lose_answers import stacks
from leeward_lose_answers.runs import Repeat, Target
from leeward_lose_answers.stacks import Line

REASONS: Final = {
    "key": "repeated under a key",
    "refused": "repeated, and refused by the server",
    "idempotent": "repeated, which is harmless by definition",
}
"""Why a repeat is not a double, by its kind."""

LOSSES: Final = {
    "timeout": "the answer never came",
    "reset": "the connection was reset before the answer",
    "late": "the answer came after the client had given up",
}


class Finding(NamedTuple):
    """A repeat, in words.

    Attributes:
        cause: the effect whose answer was lost, if it is another.
        sent: how often the effect was sent.
        usual: how often without a loss.
        by: whose retry it is, and `loop`, its line.
        note: what else is to say.
    """

    test: str
    kind: str
    mode: str
    effect: str
    cause: str
    first: str
    again: str
    sent: int
    usual: int
    by: str
    loop: str
    note: str

    @classmethod
    def of(cls, test: str, repeat: Repeat) -> Finding:
        """Return what `repeat` is in words."""
        effect, cause = repeat.first.effect, repeat.lost.effect
        line = repeat.by
        is_other = repeat.lost not in {repeat.first, repeat.again}
        has_new_key = effect.key and repeat.kind == "double"
        return cls(
            test,
            repeat.kind,
            repeat.mode,
            effect.title,
            cause.title if is_other and cause.title != effect.title else "",
            str(stacks.users_line(repeat.first.stack) or "?"),
            str(stacks.users_line(repeat.again.stack) or "?"),
            *repeat.times,
            _retrier_of(line),
            str(line or ""),
            f"each time with another {effect.key.partition(':')[0]}" if has_new_key else "",
        )


@dataclass
class Summary:
    """What a session saw.

    Attributes:
        tests: how many sent an effect.
        runs: how many more runs there were.
        lost: how many answers were lost.
        left_out: how many answers were not, by mode and test.
        unread: peers whose protocol is not read.
    """

    tests: int = 0
    runs: int = 0
    lost: int = 0
    findings: list[Finding] = field(default_factory=list)
    left_out: dict[str, int] = field(default_factory=dict)
    unread: set[str] = field(default_factory=set)

    @property
    def doubles(self) -> list[Finding]:
        """Return the effects that were sent twice."""
        return [finding for finding in self.findings if finding.kind == "double"]

    @property
    def repeats(self) -> list[Finding]:
        """Return what was repeated without harm."""
        return [finding for finding in self.findings if finding.kind != "double"]

    def add(self, findings: Iterable[Finding]) -> None:
        """Add findings, equal ones once."""
        self.findings += (each for each in findings if each not in self.findings)

    def leave_out(self, test: str, mode: str, targets: Sequence[Target]) -> None:
        """Note answers of a test that were not lost."""
        if targets:
            self.left_out[f"{mode} {test}"] = len(targets)

    def to_json(self) -> str:
        """Return all of it as JSON."""
        return json.dumps(
            {
                "doubles": [finding._asdict() for finding in self.doubles],
                "repeats": [finding._asdict() for finding in self.repeats],
                **{name: value for name, value in asdict(self).items() if name != "findings"},
                "unread": sorted(self.unread),
            },
            indent=2,
        )

    def merge(self, text: str) -> None:
        """Add what `to_json` returned in another process."""
        other = json.loads(text)
        self.tests += other["tests"]
        self.runs += other["runs"]
        self.lost += other["lost"]
        self.add(Finding(**each) for each in [*other["doubles"], *other["repeats"]])
        self.left_out |= other["left_out"]
        self.unread |= set(other["unread"])


def lines_of(summary: Summary) -> Iterator[str]:
    """Yield the summary for a terminal."""
    for number, (finding, modes, effects, tests) in enumerate(_groups_of(summary.doubles), 1):
        times = f"was sent {finding.sent} times, not {finding.usual}"
        yield f"{number}. {finding.effect}{_more(effects)} {times}"
        yield f"   test        {finding.test}{_more(tests)}"
        yield f"   first sent  {finding.first}"
        cause = f" (to {finding.cause})" if finding.cause else ""
        yield f"   lost        {'; or '.join(LOSSES[mode] for mode in modes)}{cause}"
        loop = f", {finding.loop}" if finding.loop else ""
        yield f"   sent again  {finding.again}, by {finding.by}{loop}"
        if finding.note:
            yield f"   note        {finding.note}"
    for finding, modes, effects, tests in _groups_of(summary.repeats):
        effect = f"{finding.effect}{_more(effects)}"
        yield f"{REASONS[finding.kind]}: {effect}, by {finding.by} ({', '.join(modes)})"
        yield f"   {finding.test}{_more(tests)}"
    doubles = len({(finding.test, finding.effect, finding.first) for finding in summary.doubles})
    yield (
        f"{doubles or 'no'} effect{'s' * (doubles != 1)} sent twice; {summary.tests} "
        f"tests sent effects, {summary.lost} answers were lost in {summary.runs} more runs"
    )
    if summary.left_out:
        yield (
            f"not tried: {sum(summary.left_out.values())} answers of "
            f"{len({key.partition(' ')[2] for key in summary.left_out})} tests; "
            "--lose-answers-max and --lose-answers-times allow more"
        )
    if summary.unread:
        yield f"not read, because it is not HTTP/1: {', '.join(sorted(summary.unread)[:8])}"


def page_of(summary: Summary) -> str:
    """Return a page that needs nothing else, with a picture of who retried what."""
    shown = [
        f"<section><h2>{number}. {escape(group.finding.effect)}{_more(group.effects)}</h2>"
        f"{_picture(group.finding, group.modes)}"
        f"<p>{escape(group.finding.test)}{_more(group.tests)}. {escape(group.finding.note)}</p>"
        "</section>"
        for number, group in enumerate(_groups_of(summary.doubles), 1)
    ]
    harmless = [
        f"<li>{escape(group.finding.effect)}{_more(group.effects)}: {REASONS[group.finding.kind]}, "
        f"by {escape(group.finding.by)}. <small>{escape(group.finding.test)}</small></li>"
        for group in _groups_of(summary.repeats)
    ]
    return _PAGE.format(
        title="Effects that were sent twice",
        sections="".join(shown),
        harmless=f"<h2>Repeated without harm</h2><ul>{''.join(harmless)}</ul>" * bool(harmless),
        words="\n".join(escape(line) for line in lines_of(summary)),
    )


class Group(NamedTuple):
    """Findings of one pair of lines; `finding` is the first."""

    finding: Finding
    modes: list[str]
    effects: list[str]
    tests: list[str]


def _groups_of(findings: Sequence[Finding]) -> list[Group]:
    """Return the findings by the lines that sent first and again."""
    groups: dict[tuple[str, ...], Group] = {}
    for each in findings:
        key = each.kind, each.first, each.again, each.by, each.loop
        group = groups.setdefault(key, Group(each, [], [], []))
        group.modes.extend({each.mode} - {*group.modes})
        group.effects.extend({each.effect} - {*group.effects})
        group.tests.extend({each.test} - {*group.tests})
    return list(groups.values())


def _more(values: Sequence[str]) -> str:
    return f" (and {len(values) - 1} more)" if values[1:] else ""


def _retrier_of(line: Line | None) -> str:
    if line is None:
        return "another call of the program"
    return f"the retry of {line.package}" if line.package else "the program itself"


def _picture(finding: Finding, modes: Sequence[str]) -> str:
    """Return a drawing of one double: what was sent, what was lost, what was sent again."""
    arrows = (
        ("sent", 70, f"first sent at {finding.first}"),
        ("lost", 110, f"{LOSSES[modes[0]]}{f' (to {finding.cause})' * bool(finding.cause)}"),
        ("again", 150, f"sent again at {finding.again}"),
    )
    who = f"{finding.by}, {finding.loop}" if finding.loop else finding.by
    parts = [
        '<path class="lane" d="M190 40V180M770 40V180"/>',
        f'<text x="20" y="26">{_short(who)}</text>',
        '<text x="770" y="26" class="middle">server</text>',
    ]
    for kind, y, text in arrows:
        way = (
            f"M762 {y}H480m-5 -5l10 10m0 -10l-10 10"
            if kind == "lost"
            else f"M190 {y}H762m-8 -4l8 4l-8 4"
        )
        parts.append(
            f'<path class="{kind}" d="{way}"/>'
            f'<text x="480" y="{y - 8}" class="middle">{_short(text)}</text>'
        )
    parts.append('<path class="loop" d="M190 74C150 84 150 136 188 148"/>')
    return (
        f'<div><svg viewBox="0 0 960 190" role="img" aria-label="{escape(finding.effect)}">'
        f"{''.join(parts)}</svg></div>"
    )


def _short(text: str, most: int = 72) -> str:
    """Return what fits into a drawing."""
    return escape(text if len(text) <= most else f"{text[: most - 1]}…")


_PAGE: Final = """<!doctype html>
<html lang="en"><meta charset="utf-8"><meta name="viewport" content="width=device-width">
<title>{title}</title>
<style>
:root {{ color-scheme: light dark; --again: light-dark(#b3261e, #ff8a80) }}
body {{ font: 16px/1.5 system-ui, sans-serif; margin: 2rem auto;
  max-width: 60rem; padding: 0 1rem }}
div {{ overflow-x: auto }}
svg {{ width: 100%; min-width: 48rem; font-size: 14px }}
text {{ fill: CanvasText }}
path {{ fill: none; stroke: GrayText; stroke-width: 2 }}
.middle {{ text-anchor: middle }}
.lost {{ stroke-dasharray: 6 4 }}
.again, .loop {{ stroke: var(--again) }}
h2 {{ overflow-wrap: anywhere }}
pre {{ overflow-x: auto }}
</style>
<h1>{title}</h1>
{sections}{harmless}
<h2>In words</h2><pre>{words}</pre>
</html>
"""
