"""Backups as JSON objects, and these for a person."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

from leeward.backup.values import Backup, Checked, Fit, Pruned, Restored
from leeward.calls import NativeJob
from leeward.cli.output.console import Printers
from leeward.cli.output.json_view import JsonObject

_HEADER = ("id", "time", "items", "bytes", "segments", "new", "consistency", "key")


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


def json_of_native(native: NativeJob) -> JsonObject:
    """Return the JSON object of a backup or an export of a service's own."""
    return {"id": native.id, "items": native.done, "told": native.told}


def render_native(data: JsonObject, printers: Printers) -> None:
    """Render a backup or an export of a service's own."""
    printers.out.pairs([("id", data["id"]), ("items", _count(data["items"] or "-"))])
    if data["told"]:
        printers.err.text(f"Next: {data['told']}")


def render_backup(data: JsonObject, printers: Printers) -> None:
    """Render a backup that was created."""
    names = ("id", "table", "target", "items", "segments", "uploaded", "bytes", "consistency")
    printers.out.pairs([(name, _count(data[name])) for name in names])
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
            each["id"],
            each["time"],
            *(_count(each[name]) for name in ("items", "bytes", "segments", "uploaded")),
            each["consistency"],
            each["key_id"] or "-",
        )
        for each in data["backups"]
    ]
    printers.out.table(_HEADER, rows, ("cyan",))
    for each in data["backups"]:
        if each["wrong"]:
            printers.out.text(f"{each['id']}: {each['wrong']}", "red")


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
    for each in data["findings"]:
        printers.out.text(each, "red")


def _count(value: Any) -> str:
    return f"{value:,}" if type(value) is int else str(value)


def _time(seconds: float) -> str:
    return datetime.fromtimestamp(seconds, UTC).isoformat(timespec="seconds")
