"""Backups as JSON objects, and these for a person; and how far a run has come.

Progress is shown as bars on a terminal, and as a line now and then elsewhere.
"""

from __future__ import annotations

import time
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from typing import Any, Final, TextIO

from rich.console import Console
from rich.progress import BarColumn, Progress, TaskID, TextColumn, TimeElapsedColumn

from leeward.cli.output.console import Printers
from leeward.cli.output.json_view import JsonObject
from leeward_backup.values import Backup, Checked, Fit, Look, Pruned, Restored
from leeward_backup.values import Progress as Step

_HEADER = ("id", "time", "items", "bytes", "segments", "new", "consistency", "key")

PLAIN_SECONDS: Final = 5.0
"""Between two lines where lines stay."""


def json_of_backup(backup: Backup) -> JsonObject:
    """Return the JSON object of a backup; times are ISO 8601."""
    told: JsonObject = backup._asdict()
    told |= {"lost": dict(backup.lost)}
    return told | {"time": _time(backup.time), "ended": _time(backup.ended)}


def json_of(value: Checked | Fit | Pruned) -> JsonObject:
    """Return the JSON object of a check, a dry run or a prune."""
    listed = {name: list(each) for name, each in value._asdict().items() if type(each) is tuple}
    return value._asdict() | listed


def json_of_restored(restored: Restored) -> JsonObject:
    """Return the JSON object of a restore."""
    told: JsonObject = restored._asdict() | {"missing": list(restored.missing)}
    return told | {"promise": restored.promise.value}


def render_backup(data: JsonObject, printers: Printers) -> None:
    """Render a backup that was created."""
    names = ("id", "table", "target", "items", "segments", "uploaded", "bytes", "consistency")
    printers.out.pairs([(name, _count(data[name])) for name in names])
    if data["items"] == 0:
        told = f"The table {data['table']} has no items: nothing is in this backup. Check its name."
        printers.err.text(told, "yellow")
    if data["mended"]:
        printers.err.text(f"{data['mended']:,} segments were damaged, and are written anew.")
    for what, count in data["lost"].items():
        printers.err.text(f"Not in the backup: {what} of {count:,} items.", "yellow")


def render_list(data: JsonObject, printers: Printers) -> None:
    """Render all backups."""
    if not data["backups"]:
        printers.err.text("No backups.")
        return
    rows = [
        (
            backup["id"],
            backup["time"],
            *(_count(backup[name]) for name in ("items", "bytes", "segments", "uploaded")),
            backup["consistency"],
            backup["key_id"] or "-",
        )
        for backup in data["backups"]
    ]
    printers.out.table(_HEADER, rows, ("cyan",))
    for backup in data["backups"]:
        if backup["wrong"]:
            printers.out.text(f"{backup['id']}: {backup['wrong']}", "red")


def render_checked(data: JsonObject, printers: Printers) -> None:
    """Render a check."""
    _render_findings(data, printers)
    how = "read" if data["deep"] else "there"
    if not data["findings"]:
        printers.out.text(
            f"Backup {data['id']}: {data['segments']:,} segments with {data['items']:,} items are "
            f"{how}.",
            "green",
        )


def render_fit(data: JsonObject, printers: Printers) -> None:
    """Render a dry run."""
    _render_findings(data, printers)
    for each in data["missing"]:
        printers.out.text(f"Left out: {each}", "yellow")
    where = f"table {data['table']!r} of {data['target']}"
    if data["findings"]:
        printers.out.text(f"Backup {data['id']} cannot be restored into {where}.", "red")
        return
    expired = f" {data['expired']:,} that have expired are left out." if data["expired"] else ""
    printers.out.text(f"{data['items']:,} items would be stored in {where}.{expired}", "green")


def render_restored(data: JsonObject, printers: Printers) -> None:
    """Render a restore, and what is proved of it."""
    names = ("id", "table", "target", "written", "kept", "expired", "found")
    printers.out.pairs([(name, _count(data[name])) for name in names])
    printers.out.text("")
    for each in data["missing"]:
        printers.out.text(f"Left out: {each}", "yellow")
    verified = data["promise"] == "verified"
    told = (
        "VERIFIED: the table holds exactly the items." if verified else f"RESTORED: {data['why']}."
    )
    printers.out.text(told, "green" if verified else "yellow")


def render_pruned(data: JsonObject, printers: Printers) -> None:
    """Render a prune."""
    would = "would be" if data["dry_run"] else "were"
    told = f"{len(data['backups'])} backups and {data['segments']:,} segments"
    printers.out.text(
        f"{told} ({data['bytes']:,} bytes) {would} deleted; {len(data['kept'])} backups stay."
    )
    for each in data["wrong"]:
        printers.out.text(f"It stays, and what it needs: {each}", "red")


def _render_findings(data: JsonObject, printers: Printers) -> None:
    for finding in data["findings"]:
        printers.out.text(finding, "red")


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
