"""Calls that left a record: the keys of idempotent functions, and calls with an unknown outcome."""

from __future__ import annotations

from collections.abc import Collection, Iterator
from typing import Final

from leeward._operations.unknowns import UnknownCall
from leeward.app.idempotency.digests import record_ref
from leeward.app.idempotency.record import KeyRecord, KeyState
from leeward.records import NamedTuple
from leeward.views import (
    MORE,
    Action,
    Block,
    Column,
    Details,
    Format,
    Json,
    Link,
    Part,
    Report,
    Table,
    item_json,
)

APPROVED: Final = "approved"


class KeyRow(NamedTuple):
    """A record of a table.

    Attributes:
        record: None if it is not a record of leeward. Its times are Unix seconds.
        changed_at: Unix seconds of its last write; None if another program made it.
    """

    id: str
    record: KeyRecord | None
    revision: str
    expires_at: float | None
    changed_at: float | None = None


def state_of(record: KeyRecord) -> str:
    """Return the name of a record's state, as a person reads it: ``approved`` is one, too."""
    is_free = record.state in (KeyState.RELEASED, KeyState.VOID)
    is_approved = record.approval is not None and record.approval.by is not None
    return APPROVED if is_free and is_approved else record.state.value


def version_of(row: KeyRow) -> str:
    """Return by what a person names a record as it was read: another write makes another one."""
    return record_ref(row.revision)


def is_open(record: KeyRecord, now: float) -> bool:
    """Return whether nobody knows what the run of a key has done: it is unknown, or has died."""
    lapsed = record.state is KeyState.IN_PROGRESS and now >= record.lease_until
    return lapsed or record.state is KeyState.UNKNOWN


def describe_key(record: KeyRecord, now: float) -> str:
    """Return in words what a call with the key of a record does."""
    if is_open(record, now):
        if not record.effects:
            return "Its run has died before any effect: the next call with its key runs."
        return "Nobody knows whether it had its effect. Find out what happened, and settle it."
    match record.state:
        case KeyState.IN_PROGRESS:
            return f"It runs. Its lease ends in {record.lease_until - now:.0f} s."
        case KeyState.COMPLETED if record.kept:
            return "It has run. Repeats get its result."
        case KeyState.COMPLETED:
            return "It has run. Its result was not kept."
        case KeyState.FAILED if record.failure is not None and record.failure.rerun:
            return "It has failed. The next call with its key runs again."
        case KeyState.FAILED:
            return "It has failed. Repeats get the same failure."
        case _:
            return _describe_idle(record)


def _describe_idle(record: KeyRecord) -> str:
    """Return the same for a record of which nothing has run."""
    match record.state:
        case KeyState.WAITING:
            return "It has not run, and waits for a person, who approves or refuses it."
        case KeyState.REFUSED:
            return "A person has refused it. It has not run, and no call with its key will."
        case _ if record.approval is not None:
            return (
                "It is approved, and has not run. A new call with its key and payload runs, once."
            )
        case KeyState.RELEASED:
            return "It has not run. The next call runs, and so does a delivery that comes late."
        case _:
            return "It has not run. A late delivery is refused; a new call with its key runs."


def row_of_key(kept: KeyRow, now: float) -> Json:
    """Return a record as a row: all but its result and its payload's digest."""
    record = kept.record
    row = {
        "record": record_ref(kept.id),
        "version": version_of(kept),
        "id": kept.id,
        "function": kept.id.partition(":")[0],
        "state": None if record is None else state_of(record),
        "age": None if kept.changed_at is None else round(max(0.0, now - kept.changed_at), 3),
        "expires_at": kept.expires_at,
    }
    if record is None:
        return row
    return row | {
        "effects": record.effects,
        "error": None if record.failure is None else record.failure.type,
        "kept": record.state is KeyState.COMPLETED and record.kept,
        "owner": record.owner or None,
        "fence": record.fence,
        "lease_until": record.lease_until,
        "voids": record.voids,
        "notes": [*record.notes],
        "question": None if record.approval is None else record.approval.question,
        "decided_by": None if record.approval is None else record.approval.by,
    }


def _effects(row: Json) -> str | None:
    return None if "effects" not in row else "maybe" if row["effects"] else "none has begun"


def _columns(now: float, *, is_whole: bool = False) -> Iterator[Column]:
    """Yield what is shown of records; with `is_whole`, also what is of little use in a list."""

    def state(row: Json) -> str:
        if row["state"] == KeyState.IN_PROGRESS.value and now >= row["lease_until"]:
            return "in progress, lease over"
        return str(row["state"] or "not leeward's")

    yield Column("Record", "record", is_name=True)
    yield Column("Version", "version")
    yield Column("State", state, Format.STATE)
    yield Column("Age", "age", Format.SPAN)
    yield Column("Effects", _effects)
    yield Column("Voids", lambda row: row.get("voids") or None, Format.COUNT)
    yield Column("Error", "error")
    yield Column("Until", "expires_at", Format.MOMENT)
    yield Column("Id", "id")
    if is_whole:
        yield Column("Owner", "owner")
        yield Column("Fence", "fence", Format.COUNT)
        yield Column("Lease until", "lease_until", Format.MOMENT)
        yield Column("Result", lambda row: "kept" if row.get("kept") else None)
        yield Column("Notes", "notes", is_rare=True)
    yield Column("Question", "question", Format.WHOLE, is_rare=True)
    if is_whole:
        yield Column("Decided by", "decided_by", is_rare=True)


def list_keys(rows: list[Json], now: float, table: str, *, is_more: bool = False) -> Report:
    """Return records of a table, one below the other."""

    def page(row: Json) -> Link:
        # What finds a record again from an address.
        named = row["id"] if row["id"].isprintable() else row["record"]
        return "keys", {"table": table, "record": named}

    listed = Table([*_columns(now)], rows, f"Records of {table}", "No such records.", page)
    return Report({"keys": rows, "more": is_more}, now, [listed], [MORE] * is_more)


def show_key(
    kept: KeyRow, now: float, table: str, changes: Collection[str], *, with_result: bool
) -> Report:
    """Return everything about a record, and what a person can say of it."""
    row, notes = row_of_key(kept, now), list[str]()
    actions = [*_actions_of(row, table, changes)]
    if kept.record is not None:
        notes.append(describe_key(kept.record, now))
        row["next"] = " ".join([*notes, ", or ".join(each.command for each in actions)]).rstrip()
    parts: list[Part] = [Details([*_columns(now, is_whole=True)], row)]
    if with_result and kept.record is not None and kept.record.kept:
        row["result"] = item_json.tag_value(kept.record.result)
        parts.append(Block("Result", item_json.write(row["result"], indent=2), is_json=True))
    return Report({"key": row}, now, parts, notes, actions)


def show_change(kept: KeyRow, now: float) -> Report:
    """Return a record that was changed by hand."""
    assert kept.record is not None, "it is a record"
    row, means = row_of_key(kept, now), describe_key(kept.record, now)
    return Report(
        {"key": row, "next": means}, now, [Details([*_columns(now, is_whole=True)], row)], [means]
    )


DECISIONS: Final = {
    "ran": ("It has run", "settle {} {} ran {}"),
    "release": ("Release the key", "release {} {} {}"),
    "void": ("Void the key", "void {} {} {}"),
    "approve": ("Approve the call", "approve {} {} {}"),
    "refuse": ("Refuse the call", "refuse {} {} {}"),
}
"""What a person can say of a record: as a button, and as a command."""


def _actions_of(row: Json, table: str, changes: Collection[str]) -> Iterator[Action]:
    for name in changes:
        title, command = DECISIONS[name]
        words = command.format(table, row["record"], row["version"])
        yield Action(title, f"leeward keys {words}", "do", name)


_REASONS: Final = {
    "not_asked": (
        "leeward.toml does not say that the function answers for its keys: set effect = 'keyed', "
        "or probe, in [functions.{function}]"
    ),
    "not_supported": "the function cannot settle its keys",
    "no_answer": "the function has not answered the question",
    "unreachable": "the function was not reached in time: ask again",
    "unknown": "its run may have had its effect, and it has no probe",
    "cannot_tell": "its probe cannot tell",
    "not_fenced": "its run may still act, because it announces no effects",
    "no_record": "it has no record, and nobody says when it was called: say --sent",
    "expired": "it has no record, and is older than records are kept",
    "unrecorded": "the function may have run it without a record, while its table was away",
    "other_target": "it has not run where leeward asked, and may have run elsewhere: name all "
    "targets where it may have been made with --target",
    "too_new": "it has no record, and when it was called, nobody may have made records yet",
    "changed": "it has no record here, and a version that may have run it keeps them otherwise",
    "unreadable": "what is in the table is not a record of leeward's",
}
"""What the reasons of a verdict mean; a function of another framework has its own words."""


def verdict_in_words(data: Json, function: str) -> str:
    """Return what became of a call of a function, as a sentence."""
    match data["verdict"]:
        case "ran" if data["failure"]:
            return f"It ran, and failed: {data['failure']['error_type']}."
        case "ran":
            return "It ran." if data["kept"] else "It ran; its result was not kept."
        case "not_run":
            return "It did not run, and never will. A new call with its key runs."
        case "running":
            return "It still runs. Ask again."
        case _:
            why = _REASONS.get(data["reason"] or "", data["reason"] or "the function does not say")
            why = why.replace("{function}", function)
            why += f" ({data['detail']})" if data["detail"] else ""
            look = f" leeward keys show {data['record']}" if data["record"] else ""
            return f"Nobody can tell: {why}.{look}"


def facts_of(unknown: UnknownCall) -> Json:
    """Return what a call was, without what it was called with."""
    return {
        "id": unknown.id,
        "verb": unknown.verb,
        "subject": unknown.subject,
        "key": list(unknown.key),
        "targets": list(unknown.targets),
    }


def row_of_unknown(unknown: UnknownCall, now: float) -> Json:
    """Return a call with an unknown outcome as a row."""
    return {
        **facts_of(unknown),
        "age": round(max(0.0, now - unknown.time), 3),
        "sent": unknown.sent,
        "time": unknown.time,
        "voids": unknown.voids,
        "reason": unknown.reason,
        "error": unknown.error,
        "has_payload": unknown.has_payload,
    }


_CALL: Final = (
    Column("Id", "id", is_name=True),
    Column("Call", lambda row: f"{row['verb']} {row['subject']}"),
    Column("Key", lambda row: " ".join(row["key"])),
)

_UNKNOWN: Final = (
    *_CALL,
    Column("Age", "age", Format.SPAN),
    Column("Targets", "targets"),
    Column("Why", lambda row: row["reason"] or row["error"], Format.STATE),
    Column("Payload", "has_payload"),
)


def list_unknown(rows: list[Json], now: float, *, is_more: bool = False) -> Report:
    """Return calls with an unknown outcome, one below the other."""
    listed = Table(
        *(_UNKNOWN, rows, "The oldest first", "No unknown calls."), actions=_actions_of_unknown
    )
    return Report({"unknown": rows, "more": is_more}, now, [listed], [MORE] * is_more)


def _actions_of_unknown(row: Json) -> tuple[Action, ...]:
    id, about = row["id"], f"{row['verb']} {row['subject']} {' '.join(row['key'])}"
    return (
        Action("Settle", f"leeward unknown settle {id}", "settle", id, about),
        Action("Forget", f"leeward unknown forget {id}", "forget", id, about, is_danger=True),
    )


def became(row: Json) -> str:
    """Return what became of a call that was to be settled."""
    return row["error"] if "error" in row else verdict_in_words(row, row["subject"])


def show_settlement(settled: list[Json], left: list[Json]) -> Report:
    """Return what became of calls that were to be settled."""
    rows = [*settled, *left]
    listed = Table((*_CALL, Column("What became of it", became)), rows)
    text = f"{len(settled)} settled, {len(left)} still unknown."
    return Report({"settled": settled, "left": left}, 0.0, [listed] if rows else [], [text])
