"""``leeward keys``: the records of idempotent functions; settling one, or approving its call.

What a run has done is the operator's to find out. What the record says then is one conditional
write: if somebody else changes it meanwhile, it stays as it is.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Annotated, Any, Literal

import typer

from leeward.app.idempotency.digests import record_ref
from leeward.app.idempotency.record import KeyRecord, KeyState
from leeward.cli import item_json
from leeward.cli.arguments import json_argument, name_of_person
from leeward.cli.global_options import options_of
from leeward.cli.key_records import (
    KeyRow,
    approve_by_hand,
    change_key,
    describe_key,
    find_key,
    is_open,
    list_keys,
    refuse_by_hand,
    settle_by_hand,
    squeeze,
    state_of,
    version_of,
    void_by_hand,
)
from leeward.cli.output.console import Printers
from leeward.cli.output.json_view import JsonObject, moment, span
from leeward.errors import InvalidRequest

HEADER = (
    "record",
    "version",
    "state",
    "age",
    "effects",
    "voids",
    "error",
    "until",
    "id",
    "question",
)

StateName = Literal[
    "in_progress", "completed", "failed", "unknown", "released", "void", "waiting", "approved",
    "refused",
]  # fmt: skip

LONGEST = 2000
"""Characters of a result that a person is shown; ``--json`` has all of it."""

Table = Annotated[str, typer.Argument(help="The table of the records, by its logical name.")]
Ref = Annotated[
    str, typer.Argument(help="Its name in an error, a log or `leeward keys list`; or its id.")
]

Version = Annotated[
    str, typer.Argument(help="Of the record as you have read it: `leeward keys show` has it.")
]
By = Annotated[
    str | None, typer.Option(metavar="NAME", help="Who decides. Default: the user of this machine.")
]


def list_(
    context: typer.Context,
    table: Table,
    *,
    state: Annotated[
        StateName | None, typer.Option(metavar="STATE", help="Only records in this state.")
    ] = None,
    function: Annotated[
        str | None, typer.Option(metavar="NAME", help="Only records of this name.")
    ] = None,
    limit: Annotated[int, typer.Option(min=1, help="At most so many.")] = 100,
) -> None:
    """List the records of idempotent functions.

    It reads the whole table. A record's age is the time since its last change.
    """
    options = options_of(context)
    found: list[JsonObject] = []
    more = False
    with options.client_of_data() as cloud:
        now = cloud._operations.clock.now()  # noqa: SLF001 - that of its own calls
        for record in list_keys(cloud, table):
            if state is not None and (record.record is None or state_of(record.record) != state):
                continue
            if function is not None and record.id.partition(":")[0] != function:
                continue
            if len(found) == limit:
                more = True
                break
            found.append(_json(record, now))
    options.output.show({"keys": found, "more": more}, _render)


def show(
    context: typer.Context,
    table: Table,
    record: Ref,
    *,
    result: Annotated[
        bool, typer.Option("--result", help="Show what its run has returned, too.")
    ] = False,
) -> None:
    """Show everything about one record: its state, owner, fence, notes and voids.

    The result of its run may be secret, so it is shown only with --result.
    """
    options = options_of(context)
    with options.client_of_data() as cloud:
        kept = find_key(cloud, table, record)
        now = cloud._operations.clock.now()  # noqa: SLF001 - that of its own calls
    data = _json(kept, now)
    if kept.record is not None:
        data["next"] = _next_step(kept, kept.record, table, now)
        if result and kept.record.kept:
            data["result"] = item_json.tag_value(kept.record.result)
    options.output.show({"key": data}, _render_record)


def settle_record(
    context: typer.Context,
    table: Table,
    record: Ref,
    outcome: Annotated[Literal["ran", "did-not-run"], typer.Argument(help="What happened.")],
    version: Version,
    *,
    result: Annotated[
        str | None,
        typer.Option(metavar="JSON", help="What repeats get after ran. Default: nothing."),
    ] = None,
) -> None:
    """Settle a record whose run may have had its effect.

    Find out first what happened. After "ran" repeats get the result, or the reason not_kept.
    "did-not-run" frees the key, as `leeward keys release` does; `leeward keys void` does more.
    """
    ran = outcome == "ran"
    if result is not None and not ran:
        raise InvalidRequest("--result is for a run that ran", field="result")
    value = json_argument(result, "result")
    _change(
        context,
        table,
        record,
        version,
        lambda kept, now: settle_by_hand(kept, now, ran=ran, result=value, kept=result is not None),
    )


def release(context: typer.Context, table: Table, record: Ref, version: Version) -> None:
    """Free the key of a record whose run did not have its effect: the next call with it runs.

    Find out first what happened. A delivery that comes late runs, too, unless the key was void
    before: take this if the same message is to be delivered again. If only a new call may run,
    take `leeward keys void`.
    """
    _change(
        context,
        table,
        record,
        version,
        lambda kept, now: settle_by_hand(kept, now, ran=False, result=None, kept=False),
    )


def void(context: typer.Context, table: Table, record: Ref, version: Version) -> None:
    """Void the key of a record: what was sent so far has not run, and never will.

    Find out first what happened. A delivery that comes late is refused, for 31 days. A new call
    of a leeward client with the same key runs. A message that is delivered again does not: for
    that take `leeward keys release`.
    """
    _change(context, table, record, version, void_by_hand)


def approve(
    context: typer.Context, table: Table, record: Ref, version: Version, *, by: By = None
) -> None:
    """Approve a call that waits for a person: the next call with its key and payload runs, once.

    What the call is about is in its question: `leeward keys show`. If another call waits there by
    now, its version is another, and nothing is approved. The record keeps who approved.
    """
    name = name_of_person(by)
    _change(context, table, record, version, lambda kept, _: approve_by_hand(kept, name))


def refuse(
    context: typer.Context, table: Table, record: Ref, version: Version, *, by: By = None
) -> None:
    """Refuse a call that waits for a person: it has not run, and no call with its key will.

    A call that was approved can be refused as long as it has not begun.
    """
    name = name_of_person(by)
    _change(context, table, record, version, lambda kept, _: refuse_by_hand(kept, name))


def _change(
    context: typer.Context,
    table: str,
    named: str,
    version: str,
    change: Callable[[KeyRecord, float], KeyRecord | None],
) -> None:
    """Write what `change` makes of a record that still has a version, and show it."""
    options = options_of(context)
    with options.client_of_data() as cloud:
        clock = cloud._operations.clock  # noqa: SLF001 - that of its own calls

        def wait(seconds: float) -> None:
            typer.echo(f"Its run may still act: waiting {seconds:.0f} s.", err=True)
            clock.sleep(seconds)

        row = change_key(cloud, table, named, version, change, wait=wait)
    assert row.changed_at is not None, "it was changed a moment ago"
    assert row.record is not None, "it is a record"
    means = describe_key(row.record, row.changed_at)
    options.output.show({"key": _json(row, row.changed_at), "next": means}, _render_settled)


def _json(kept: KeyRow, now: float) -> JsonObject:
    record = kept.record
    return {
        "record": record_ref(kept.id),
        "version": version_of(kept),
        "id": kept.id,
        "function": kept.id.partition(":")[0],
        "state": None if record is None else state_of(record),
        "age": None if kept.changed_at is None else round(max(0.0, now - kept.changed_at), 3),
        "expires_at": kept.expires_at,
        **({} if record is None else _facts(record)),
    }


def _facts(record: KeyRecord) -> dict[str, Any]:
    """Return what a record says, but for its result and the payload's digest."""
    return {
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


def _next_step(row: KeyRow, record: KeyRecord, table: str, now: float) -> str:
    """Return in words what a call with the key of a record does, and what to do about it."""
    ref, version = record_ref(row.id), version_of(row)
    read = f"{table} {ref} {version}"
    if is_open(record, now) and record.effects:
        return (
            "Nobody knows whether it had its effect. Find out, then: "
            f"leeward keys settle {table} {ref} ran {version}, leeward keys release {read}, "
            f"or leeward keys void {read}."
        )
    if record.state is KeyState.WAITING:
        return (
            "It has not run, and waits for a person: "
            f"leeward keys approve {read}, or leeward keys refuse {read}."
        )
    return describe_key(record, now)


def _render(data: JsonObject, printers: Printers) -> None:
    if not data["keys"]:
        printers.err.text("No such records.")
        return
    has_questions = any(key.get("question") for key in data["keys"])
    width = len(HEADER) if has_questions else len(HEADER) - 1
    rows = [_row(key)[:width] for key in data["keys"]]
    printers.out.table(HEADER[:width], rows, ("cyan",))
    if data["more"]:
        printers.err.text("There are more; say --limit NUMBER.")


def _row(key: JsonObject) -> tuple[str, ...]:
    effects = key.get("effects")
    return (
        key["record"],
        key["version"],
        key["state"] or "not leeward's",
        span(key["age"]),
        "-" if effects is None else "maybe" if effects else "no",
        str(key.get("voids") or "-"),
        key.get("error") or "-",
        moment(key["expires_at"]),
        key["id"],
        squeeze(key.get("question") or "-"),
    )


def _render_record(data: JsonObject, printers: Printers) -> None:
    key = dict(data["key"])
    advice = key.pop("next", None)
    value = key.pop("result", None)
    is_shown = "result" in data["key"]
    pairs = [("record", key["record"]), ("id", key["id"]), ("function", key["function"])]
    pairs += [("version", key["version"]), ("state", key["state"] or "not leeward's")]
    pairs += [("age", span(key["age"]))]
    if "fence" in key:
        effects = "it may have had its effect" if key["effects"] else "none has begun"
        pairs += [
            ("effects", effects),
            ("error", key["error"] or "-"),
            ("owner", key["owner"] or "-"),
            ("fence", str(key["fence"])),
            ("lease until", moment(key["lease_until"])),
            ("voids", str(key["voids"])),
            ("result", "kept" if key["kept"] else "-"),
        ]
        pairs += [("note", note) for note in key["notes"]]
        if key["question"] is not None:
            pairs += [
                ("question", squeeze(key["question"] or "-")),
                ("decided by", key["decided_by"] or "-"),
            ]
    printers.out.pairs([*pairs, ("expires", moment(key["expires_at"]))])
    if is_shown:
        text = item_json.write(value, indent=2)
        printers.out.json(text if len(text) <= LONGEST else f"{text[:LONGEST]}...")
    if advice is not None:
        printers.err.text(advice)


def _render_settled(data: JsonObject, printers: Printers) -> None:
    key = data["key"]
    pairs = [("record", key["record"]), ("state", key["state"]), ("id", key["id"])]
    pairs += [(name, squeeze(str(key[name]))) for name in ("voids", "question") if key[name]]
    printers.out.pairs(pairs)
    printers.err.text(data["next"])
