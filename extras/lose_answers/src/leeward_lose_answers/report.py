"""What a session saw: in plain words, and as JSON."""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import asdict, dataclass, field
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
        self.findings += (finding for finding in findings if finding not in self.findings)

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
        self.add(Finding(**finding) for finding in [*other["doubles"], *other["repeats"]])
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


class Group(NamedTuple):
    """Findings of one pair of lines; `finding` is the first."""

    finding: Finding
    modes: list[str]
    effects: list[str]
    tests: list[str]


def _groups_of(findings: Sequence[Finding]) -> list[Group]:
    """Return the findings by the lines that sent first and again."""
    groups: dict[tuple[str, ...], Group] = {}
    for finding in findings:
        key = finding.kind, finding.first, finding.again, finding.by, finding.loop
        group = groups.setdefault(key, Group(finding, [], [], []))
        group.modes.extend({finding.mode} - {*group.modes})
        group.effects.extend({finding.effect} - {*group.effects})
        group.tests.extend({finding.test} - {*group.tests})
    return list(groups.values())


def _more(values: Sequence[str]) -> str:
    return f" (and {len(values) - 1} more)" if values[1:] else ""


def _retrier_of(line: Line | None) -> str:
    if line is None:
        return "another call of the program"
    return f"the retry of {line.package}" if line.package else "the program itself"
