"""``leeward keys``: the records of idempotent functions, and settling one by hand.

What a run has done is the operator's to find out. What the record says then is one conditional
write: if somebody else changes it meanwhile, it stays as it is.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from enum import Enum, StrEnum
from typing import Annotated, Any

import typer

from leeward._operations.upkeep import make
from leeward.app.idempotency.digests import REF_DIGITS, record_ref
from leeward.app.idempotency.record import (
    KeyRecord,
    KeyState,
    is_open,
    seconds_kept,
    settle_by_hand,
    void_by_hand,
)
from leeward.app.idempotency.store import KEY, item_of, record_in
from leeward.calls import Page, Scan, Stored
from leeward.cli import item_json
from leeward.cli.arguments import json_argument
from leeward.cli.global_options import options_of
from leeward.cli.output.console import Printers
from leeward.cli.output.json_view import JsonObject, moment, span
from leeward.client import Client
from leeward.entropy import time_of_id
from leeward.errors import InvalidRequest, NotFound
from leeward.records import NamedTuple
from leeward.values import Record as Loaded

HEADER = ("record", "state", "age", "effects", "voids", "error", "until", "id")

SECONDS = 15.0
"""For a page."""

LONGEST = 2000
"""Characters of a result that a person is shown; ``--json`` has all of it."""

Table = Annotated[str, typer.Argument(help="The table of the records, by its logical name.")]
Ref = Annotated[
    str, typer.Argument(help="Its name in an error, a log or `leeward keys list`; or its id.")
]


class Settlement(StrEnum):
    """What somebody has found out of a run."""

    RAN = "ran"
    DID_NOT_RUN = "did-not-run"


class HandEnd(Enum):
    """What holds after somebody has settled a record by hand, in words."""

    RAN = "Repeats get the result, or the reason not_kept."
    RELEASED = "The next call with its key runs, and so does a delivery that comes late."
    VOID = "A delivery that comes late is refused; a new call with its key runs."


class KeyRow(NamedTuple):
    """A record of a table.

    Attributes:
        id: of the item.
        record: None if it is not a record of leeward.
        revision: opaque.
        expires_at: Unix seconds, or None.
        changed_at: Unix seconds of its last write; None if another program made it.
    """

    id: str
    record: KeyRecord | None
    revision: str
    expires_at: float | None
    changed_at: float | None = None


def list_(
    context: typer.Context,
    table: Table,
    *,
    state: Annotated[KeyState | None, typer.Option(help="Only records in this state.")] = None,
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
        for record in _records(cloud, table):
            if state is not None and (record.record is None or record.record.state is not state):
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
        kept = _find(cloud, table, record)
        now = cloud._operations.clock.now()  # noqa: SLF001 - that of its own calls
    data = _json(kept, now)
    if kept.record is not None:
        data["next"] = _next_step(kept.record, table, data["record"], now)
        if result and kept.record.kept:
            data["result"] = item_json.tag_value(kept.record.result)
    options.output.show({"key": data}, _render_record)


def settle_record(
    context: typer.Context,
    table: Table,
    record: Ref,
    outcome: Annotated[Settlement, typer.Argument(help="What happened: ran, or did-not-run.")],
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
    ran = outcome is Settlement.RAN
    if result is not None and not ran:
        raise InvalidRequest("--result is for a run that ran", field="result")
    value = json_argument(result, "result")
    _change(
        context,
        table,
        record,
        lambda kept, now: settle_by_hand(kept, now, ran=ran, result=value, kept=result is not None),
        HandEnd.RAN if ran else HandEnd.RELEASED,
    )


def release(context: typer.Context, table: Table, record: Ref) -> None:
    """Free the key of a record whose run did not have its effect: the next call with it runs.

    Find out first what happened. A delivery that comes late runs, too: take this if the same
    message is to be delivered again. If only a new call may run, take `leeward keys void`.
    """
    _change(
        context,
        table,
        record,
        lambda kept, now: settle_by_hand(kept, now, ran=False, result=None, kept=False),
        HandEnd.RELEASED,
    )


def void(context: typer.Context, table: Table, record: Ref) -> None:
    """Void the key of a record: what was sent so far has not run, and never will.

    Find out first what happened. A delivery that comes late is refused, for 31 days. A new call
    of a leeward client with the same key runs. A message that is delivered again does not: for
    that take `leeward keys release`.
    """
    _change(context, table, record, void_by_hand, HandEnd.VOID)


def _change(
    context: typer.Context,
    table: str,
    named: str,
    change: Callable[[KeyRecord, float], KeyRecord | None],
    end: HandEnd,
) -> None:
    """Write what `change` makes of a record.

    There is no way to force it. A run within its lease may go on after any change, so that what
    the record says would be wrong; its lease ends by itself. What has run has run.

    Raises:
        InvalidRequest: the record is in a state in which nobody may change it by hand.
        Conflict: somebody else has changed it meanwhile.
    """
    options = options_of(context)
    with options.client_of_data() as cloud:
        kept = _find(cloud, table, named)
        now = cloud._operations.clock.now()  # noqa: SLF001 - that of its own calls
        done = kept.record and change(kept.record, now)
        if done is None:
            raise InvalidRequest(_refusal(kept, named, now), field="record")
        cloud.store_data(
            table,
            item_of(done, kept.id),
            if_revision=kept.revision,
            expires_in=None if kept.expires_at is None else _seconds_kept(done, kept, now),
        )
    data = _json(kept._replace(record=done, changed_at=now), now)
    options.output.show({"key": data, "next": end.value}, _render_settled)


def _seconds_kept(record: KeyRecord, kept: KeyRow, now: float) -> float:
    """Return for how many seconds a table that forgets keeps a changed record."""
    assert kept.expires_at is not None, "the table forgets"
    left = max(1.0, kept.expires_at - now)
    return max(left, seconds_kept(record, 0.0, now)) if record.voids else left


def _refusal(kept: KeyRow, named: str, now: float) -> str:
    """Return why nobody may change a record by hand, and what to do."""
    record = kept.record
    if record is None:
        return f"the record {named} is not one of leeward's, and was not changed"
    match record.state:
        case KeyState.IN_PROGRESS:
            left = f"its run may still act for {record.lease_until - now:.0f} s"
            why = f"{left}: wait until its lease is over"
        case KeyState.COMPLETED:
            why = "it has run: repeats get its result. To have the effect again, take another key"
        case KeyState.FAILED:
            why = "it has failed as its function declares. To try again, take another key"
        case KeyState.RELEASED:
            why = "its key is free: the next call with it runs"
        case _:
            why = "a new call with its key runs already"
    return (
        f"the record {named} is {record.state.value}, and was not changed: {why}. Change only a "
        "record that is unknown, or whose run has not ended within its lease"
    )


def _records(cloud: Client, table: str) -> Iterator[KeyRow]:
    operations, cursor = cloud._operations, None  # noqa: SLF001 - no client has a scan, on purpose
    now = operations.clock.now()
    while True:
        page: Page = make(operations, Scan(table, cursor), SECONDS)
        for item in page.items:
            id = item.item.get(KEY)
            if isinstance(id, str) and (item.expires_at is None or item.expires_at > now):
                yield _row_of(id, item)
        cursor = page.cursor
        if cursor is None:
            return


def _row_of(id: str, stored: Stored) -> KeyRow:
    record = record_in(Loaded(stored.item, stored.revision, "")).record
    changed = time_of_id(stored.write_id or "")
    return KeyRow(id, record, stored.revision, stored.expires_at, changed)


def _find(cloud: Client, table: str, named: str) -> KeyRow:
    """Return the record that is named by its id, or as messages name it.

    Raises:
        NotFound: it is not there.
    """
    operations = cloud._operations  # noqa: SLF001 - a write id says when an item has changed
    call, seconds, _ = operations.load_data(table, named, None)
    loaded: Stored | None = make(operations, call, seconds)
    now = operations.clock.now()
    if loaded is not None and (loaded.expires_at is None or loaded.expires_at > now):
        return _row_of(named, loaded)
    if re.fullmatch(f"[0-9a-f]{{{REF_DIGITS}}}", named):
        for record in _records(cloud, table):
            if record_ref(record.id) == named:
                return record
    raise NotFound(
        f"the table {table!r} has no record {named!r}: leeward keys list {table}. Where a function "
        "has no record of a key, leeward settle FUNCTION KEY asks it, and voids the key"
    )


def _json(kept: KeyRow, now: float) -> JsonObject:
    record = kept.record
    return {
        "record": record_ref(kept.id),
        "id": kept.id,
        "function": kept.id.partition(":")[0],
        "state": None if record is None else record.state.value,
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
    }


def _next_step(record: KeyRecord, table: str, ref: str, now: float) -> str:
    """Return in words what a call with the key of a record does, and what to do about it."""
    if is_open(record, now):
        if not record.effects:
            return "Its run has died before any effect: the next call with its key runs."
        return (
            "Nobody knows whether it had its effect. Find out, then: "
            f"leeward keys settle {table} {ref} ran, leeward keys release {table} {ref}, "
            f"or leeward keys void {table} {ref}."
        )
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
        case KeyState.RELEASED:
            return "It has not run. The next call with its key runs."
        case _:
            return "It has not run. A late delivery is refused; a new call with its key runs."


def _render(data: JsonObject, printers: Printers) -> None:
    if not data["keys"]:
        printers.err.text("No such records.")
        return
    printers.out.table(HEADER, [_row(key) for key in data["keys"]], ("cyan",))
    if data["more"]:
        printers.err.text("There are more; say --limit NUMBER.")


def _row(key: JsonObject) -> tuple[str, ...]:
    effects = key.get("effects")
    return (
        key["record"],
        key["state"] or "not leeward's",
        span(key["age"]),
        "-" if effects is None else "maybe" if effects else "no",
        str(key.get("voids") or "-"),
        key.get("error") or "-",
        moment(key["expires_at"]),
        key["id"],
    )


def _render_record(data: JsonObject, printers: Printers) -> None:
    key = dict(data["key"])
    advice = key.pop("next", None)
    value = key.pop("result", None)
    is_shown = "result" in data["key"]
    pairs = [("record", key["record"]), ("id", key["id"]), ("function", key["function"])]
    pairs += [("state", key["state"] or "not leeward's"), ("age", span(key["age"]))]
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
    printers.out.pairs([*pairs, ("expires", moment(key["expires_at"]))])
    if is_shown:
        text = item_json.write(value, indent=2)
        printers.out.json(text if len(text) <= LONGEST else f"{text[:LONGEST]}...")
    if advice is not None:
        printers.err.text(advice)


def _render_settled(data: JsonObject, printers: Printers) -> None:
    key = data["key"]
    pairs = [("record", key["record"]), ("state", key["state"]), ("id", key["id"])]
    if key["voids"]:
        pairs.append(("voids", str(key["voids"])))
    printers.out.pairs(pairs)
    printers.err.text(data["next"])
