"""What a drill shows while it goes on: one line, renewed on a terminal, now and then elsewhere."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Final, TextIO

from rich.console import Console
from rich.live import Live
from rich.text import Text

from leeward.cli.drill.record import Plan, Record
from leeward.cli.drill.timeline import bands
from leeward.cli.drill.traffic import Look

PLAIN_SECONDS: Final = 5
"""Between two lines where lines stay."""


@contextmanager
def progress(plan: Plan, stream: TextIO, *, quiet: bool) -> Iterator[Look | None]:
    """Yield what shows the state of a drill on `stream`; None if nothing is to be shown."""
    if quiet:
        yield None
        return
    console = Console(file=stream, highlight=False, markup=False, emoji=False)
    if console.is_terminal and not console.is_dumb_terminal:
        with Live(console=console, auto_refresh=False) as live:
            yield lambda record, now: live.update(Text(line(plan, record, now)), refresh=True)
        return

    def show(record: Record, now: float) -> None:
        if round(now) % PLAIN_SECONDS == 0:
            stream.write(line(plan, record, now) + "\n")
            stream.flush()

    yield show


def line(plan: Plan, record: Record, now: float) -> str:
    """Return what happens at this moment: the last second's calls, faults, and circuits."""
    ended = [each for each in record.calls if each.ended > now - 1]
    answered = Counter(each.target for each in ended if each.target)
    told = [f"{target} {answered[target]}/s" for target in plan.order]
    errors = sum(bool(each.error) for each in ended)
    if errors:
        told.append(f"errors {errors}/s")
    faults = [str(each) for each in plan.faults if each.holds(now)]
    last = {each.target: each.state for each in bands(plan, record.decisions, now)}
    circuits = [f"{target} {state}" for target, state in last.items() if state != "closed"]
    parts = [f"{now:4.0f} s of {plan.seconds:.0f}", ", ".join(told)]
    parts += [f"fault: {', '.join(faults)}"] if faults else []
    parts += [f"circuits: {', '.join(circuits)}"] if circuits else []
    return " | ".join(parts)
