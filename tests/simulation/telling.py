"""A broken promise, told so that it can be understood and run again."""

from __future__ import annotations

from collections.abc import Iterator

from tests.simulation.faults import Window
from tests.simulation.invariants import Violation
from tests.simulation.runner import Story, Try
from tests.simulation.scenarios import Stretch, setting_of


def tell(violation: Violation, stretch: Stretch) -> str:
    """Write down the seed, the call, the fault schedule, all attempts, and what really ran."""
    return "\n".join(_lines(violation, stretch))


def _lines(violation: Violation, stretch: Stretch) -> Iterator[str]:
    story, setting = violation.story, setting_of(stretch)
    yield f"{violation.invariant}: {violation.why}"
    yield (
        f"run again: python -m tests.simulation --seed {stretch.seed} --calls {stretch.calls} "
        f'--stretch "{stretch.scenario.name}/{stretch.number}"'
    )
    yield (
        f"call {story.number} ({story.kind.value}) from {story.at:.3f} to {story.deadline:.3f} s, "
        f"reported as {story.final.outcome.name}"
    )
    yield f"order {', '.join(setting.order)}; homes {setting.homes}"
    yield "fault schedule:"
    yield from map(_window, setting.schedule.windows)
    yield "attempts:"
    yield from (_attempt(story, each) for each in story.tries)
    yield "what really ran:"
    yield from (
        f"  {each.at - story.at:8.3f} s {each.mark} at {each.target}" for each in story.deeds
    )


def _window(window: Window) -> str:
    return (
        f"  {window.start:.1f} to {window.end:.1f} s on {', '.join(window.targets)}: "
        f"{100 * window.share:.0f} % {' | '.join(window.faults)}"
    )


def _attempt(story: Story, attempt: Try) -> str:
    return (
        f"  {attempt.at - story.at:8.3f} s {'read-back' if attempt.read_back else 'attempt'} at "
        f"{attempt.target}, struck by {attempt.struck or 'nothing'}: {attempt.told.outcome.name} "
        f"after {attempt.ended - attempt.at:.3f} of {attempt.timeout:.3f} s"
    )
