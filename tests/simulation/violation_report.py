"""A broken promise, described so that it can be understood and run again."""

from __future__ import annotations

from collections.abc import Iterator

from tests.simulation.faults import Window
from tests.simulation.invariants import Violation
from tests.simulation.runner import AttemptRecord, CallRecord
from tests.simulation.scenarios import Episode, Setting, setting_of


def describe(violation: Violation, episode: Episode, setting: Setting | None = None) -> str:
    """Write down the seed, the call, the fault schedule, all attempts, and what really ran."""
    return "\n".join(_lines(violation, episode, setting or setting_of(episode)))


def _lines(violation: Violation, episode: Episode, setting: Setting) -> Iterator[str]:
    record = violation.record
    yield f"{violation.invariant}: {violation.why}"
    yield (
        f"run again: python -m tests.simulation --seed {episode.seed} --calls {episode.calls} "
        f'--episode "{episode.scenario.name}/{episode.number}"'
    )
    if record is None:
        yield "fault schedule:"
        yield from map(_window, setting.schedule.windows)
        return
    yield (
        f"call {record.number} ({record.kind.value}) from {record.at:.3f} to "
        f"{record.deadline:.3f} s, reported as {record.final.outcome.name}"
    )
    yield f"order {', '.join(setting.order)}; homes {setting.homes}"
    yield "fault schedule:"
    yield from map(_window, setting.schedule.windows)
    yield "attempts:"
    yield from (_attempt(record, each) for each in record.attempts)
    yield "what really ran:"
    yield from (
        f"  {each.at - record.at:8.3f} s {each.mark} at {each.target}"
        for each in record.side_effects
    )


def _window(window: Window) -> str:
    return (
        f"  {window.start:.1f} to {window.end:.1f} s on {', '.join(window.targets)}: "
        f"{100 * window.share:.0f} % {' | '.join(window.faults)}"
    )


def _attempt(record: CallRecord, attempt: AttemptRecord) -> str:
    return (
        f"  {attempt.at - record.at:8.3f} s {'read-back' if attempt.read_back else 'attempt'} at "
        f"{attempt.target}, fault: {attempt.fault or 'none'}, {attempt.reported.outcome.name} "
        f"after {attempt.ended - attempt.at:.3f} of {attempt.timeout:.3f} s"
    )
