"""Backups as JSON objects, and these for a person; and how far a run has come.

Progress is shown as bars on a terminal, and as a line now and then elsewhere.
"""

from __future__ import annotations

import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from datetime import UTC, datetime
from typing import Any, Final, TextIO

from rich.console import Console
from rich.progress import BarColumn, Progress, TaskID, TextColumn, TimeElapsedColumn

from leeward.cli.output.exit_codes import BROKEN
from leeward.values import Promise
from leeward.views import Column, Details, Format, Json, Part, Report, Table
from leeward.views.answers import show_labels
from leeward_backup.values import Backup, Checked, Fit, Look, Pruned, Restored
from leeward_backup.values import Progress as Step

_LISTED: Final = (
    Column("Id", "id", is_name=True),
    Column("Time", "time"),
    *(Column(name.title(), name, Format.COUNT) for name in ("items", "bytes", "segments")),
    Column("New", "uploaded", Format.COUNT),
    Column("Consistency", "consistency"),
    Column("Key", "key_id"),
)

PLAIN_SECONDS: Final = 5.0  # between two lines where lines stay


def json_of_backup(backup: Backup) -> Json:
    """Return the JSON object of a backup; times are ISO 8601."""
    data: Json = backup._asdict() | {"lost": dict(backup.lost)}
    return data | {"time": _time(backup.time), "ended": _time(backup.ended)}


def _json_of(value: Checked | Fit | Pruned) -> Json:
    listed = {name: list(each) for name, each in value._asdict().items() if type(each) is tuple}
    return value._asdict() | listed


def _show_counts(data: Json, names: str) -> Details:
    return show_labels({name: _count(data[name]) for name in names.split()})


def show_backup(backup: Backup) -> Report:
    """Return a backup that was created."""
    data, notes = json_of_backup(backup), []
    if not backup.items:
        told = f"The table {backup.table} has no items: nothing is in this backup. Check its name."
        notes.append(told)
    if backup.mended:
        notes.append(f"{backup.mended:,} segments were damaged, and are written anew.")
    notes += [f"Not in the backup: {each} of {n:,} items." for each, n in backup.lost.items()]
    names = "id table target items segments uploaded bytes consistency"
    return Report(data, 0.0, [_show_counts(data, names)], notes)


def show_backups(found: Sequence[Backup]) -> Report:
    """Return all backups; one that is wrong is told."""
    rows = [json_of_backup(each) for each in found]
    wrong = [f"{each.id}: {each.wrong}" for each in found if each.wrong]
    parts: list[Part] = [Table(_LISTED, rows, "", "No backups."), *wrong]
    return Report({"backups": rows}, 0.0, parts, exit_code=BROKEN.code if wrong else 0)


def show_check(checked: Checked) -> Report:
    """Return what was found wrong in a backup."""
    how = "read" if checked.deep else "there"
    told = f"{checked.segments:,} segments with {checked.items:,} items are {how}."
    parts = checked.findings or [f"Backup {checked.id}: {told}"]
    code = BROKEN.code if checked.findings else 0
    return Report(_json_of(checked), 0.0, parts, exit_code=code)


def show_fit(fit: Fit) -> Report:
    """Return whether a backup could be restored."""
    where = f"table {fit.table!r} of {fit.target}"
    told = f"Backup {fit.id} cannot be restored into {where}."
    if not fit.findings:
        expired = f" {fit.expired:,} that have expired are left out." if fit.expired else ""
        told = f"{fit.items:,} items would be stored in {where}.{expired}"
    parts = [*fit.findings, *(f"Left out: {each}" for each in fit.missing), told]
    code = BROKEN.code if fit.findings or fit.missing else 0
    return Report(_json_of(fit), 0.0, parts, exit_code=code)


def show_restore(restored: Restored, *, is_wrong: bool) -> Report:
    """Return a restore, and what is proved of it."""
    is_verified = restored.promise is Promise.VERIFIED
    told = f"RESTORED: {restored.why}."
    if is_verified:
        told = "VERIFIED: the table holds exactly the items."
    data: Json = restored._asdict() | {"missing": list(restored.missing)}
    shown = _show_counts(data, "id table target written kept expired found")
    missing = [f"Left out: {each}" for each in restored.missing]
    code = BROKEN.code if is_wrong or missing else 0
    data["promise"] = restored.promise.value
    return Report(data, 0.0, [shown, "", *missing, told], exit_code=code)


def show_prune(pruned: Pruned, *, dry_run: bool) -> Report:
    """Return what was deleted, or would be."""
    would = "would be" if dry_run else "were"
    told = (
        f"{len(pruned.backups)} backups and {pruned.segments:,} segments ({pruned.bytes:,} bytes) "
        f"{would} deleted; {len(pruned.kept)} backups stay."
    )
    parts = [told, *(f"It stays, and what it needs: {each}" for each in pruned.wrong)]
    code = BROKEN.code if pruned.wrong else 0
    return Report(_json_of(pruned) | {"dry_run": dry_run}, 0.0, parts, exit_code=code)


def _count(value: Any) -> str:
    return f"{value:,}" if type(value) is int else str(value)


def _time(seconds: float) -> str:
    return datetime.fromtimestamp(seconds, UTC).isoformat(timespec="seconds")


@contextmanager
def progress(stream: TextIO, *, quiet: bool) -> Iterator[Look]:
    """Yield what shows the steps of a run on `stream`; nothing is shown if `quiet`."""
    console = Console(file=stream, highlight=False, markup=False, emoji=False)
    if quiet:
        yield lambda _: None
    elif console.is_terminal and not console.is_dumb_terminal:
        columns = (
            TextColumn("{task.description:8}"),
            BarColumn(),
            TextColumn("{task.fields[told]}"),
            TimeElapsedColumn(),
        )
        with Progress(*columns, console=console, transient=True) as bars:
            yield _on(bars)
    else:
        yield _in_lines(stream)


def describe(step: Step) -> str:
    """Return how far a step has come, in words."""
    total = "" if step.total is None else f" of {step.total:,}"
    return f"{step.done:,}{total} {step.unit}"


def _on(bars: Progress) -> Look:
    tasks: dict[str, TaskID] = {}

    def look(step: Step) -> None:
        if step.step not in tasks:
            tasks[step.step] = bars.add_task(step.step, total=step.total, told="")
        bars.update(tasks[step.step], completed=step.done, total=step.total, told=describe(step))

    return look


def _in_lines(stream: TextIO) -> Look:
    shown = time.monotonic()

    def look(step: Step) -> None:
        nonlocal shown
        if time.monotonic() - shown >= PLAIN_SECONDS:
            shown = time.monotonic()
            stream.write(f"{step.step}: {describe(step)}\n")
            stream.flush()

    return look
