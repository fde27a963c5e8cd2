"""A crontab's line as EventBridge Scheduler reads it.

Source: "Schedule types in EventBridge Scheduler".
"""

from __future__ import annotations

from collections.abc import Iterable

from leeward.app.schedules import parse_schedule


def scheduler_expression(text: str) -> str:
    """Return a crontab's line as an expression of Scheduler."""
    schedule = parse_schedule(text)
    days = _crontab_field(schedule.days, 1, 31)
    weekdays = _crontab_field({weekday + 1 for weekday in schedule.weekdays}, 1, 7, steps=False)
    if weekdays == "*":
        weekdays = "?"
    else:
        days = "?"
    parts = (
        _crontab_field(schedule.minutes, 0, 59),
        _crontab_field(schedule.hours, 0, 23),
        days,
        _crontab_field(schedule.months, 1, 12),
        weekdays,
        "*",
    )
    return f"cron({' '.join(parts)})"


def _crontab_field(values: Iterable[int], first: int, last: int, *, steps: bool = True) -> str:
    """Return values as a field: all, steps to the end, or a list of single ones and ranges."""
    ordered = sorted(values)
    if ordered == [*range(first, last + 1)]:
        return "*"
    if steps and len(ordered) > 2:
        begin, step = ordered[0], ordered[1] - ordered[0]
        if step > 1 and ordered == [*range(begin, last + 1, step)]:
            return f"{begin}/{step}"
    runs: list[list[int]] = []
    for number in ordered:
        if runs and number == runs[-1][-1] + 1:
            runs[-1].append(number)
        else:
            runs.append([number])
    return ",".join(f"{run[0]}-{run[-1]}" if len(run) > 1 else str(run[0]) for run in runs)
