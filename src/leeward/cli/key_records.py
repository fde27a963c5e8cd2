"""The records of idempotent functions in a table: read, and changed by hand.

What a run has done is the operator's to find out. What the record says then is one conditional
write: if somebody else changes it meanwhile, it stays as it is.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Mapping
from typing import Any, Final, TypeAlias

from leeward._operations.upkeep import make
from leeward.app.idempotency.digests import REF_DIGITS, record_ref
from leeward.app.idempotency.record import (
    KeyRecord,
    KeyState,
    complete_record,
    release_record,
    seconds_to_keep,
    void_record,
    without_result,
)
from leeward.app.idempotency.store import KEY, REGISTER, item_of, record_in
from leeward.calls import Page, Scan, Stored
from leeward.client import Client
from leeward.clock import Clock
from leeward.entropy import time_of_id
from leeward.errors import InvalidRequest, NotFound
from leeward.values import Record as Loaded
from leeward.views.calls import KeyRow, describe_key, is_open, state_of, version_of

SECONDS = 15.0  # for a page


def scan_keys(
    client: Client, table: str, cursor: str | None = None
) -> tuple[list[KeyRow], str | None]:
    """Return the records of one page of a table, and the cursor of the next page."""
    operations = client._operations  # noqa: SLF001 - no client has a scan, on purpose
    now = operations.clock.now()
    page: Page = make(operations, Scan(table, cursor), SECONDS)
    rows = []
    for item in page.items:
        id = item.item.get(KEY)
        if not isinstance(id, str) or id.startswith(REGISTER):
            continue
        if item.expires_at is None or item.expires_at > now:
            rows.append(_row_of(id, item, operations.clock))
    return rows, page.cursor


def list_keys(client: Client, table: str) -> Iterator[KeyRow]:
    """Yield all records of a table."""
    cursor = None
    while True:
        rows, cursor = scan_keys(client, table, cursor)
        yield from rows
        if cursor is None:
            return


def find_key(client: Client, table: str, named: str) -> KeyRow:
    """Return the record that is named by its id, or as messages name it."""
    operations = client._operations  # noqa: SLF001 - a write id says when an item has changed
    call, seconds, _ = operations.load_data(table, named, None)
    loaded: Stored | None = make(operations, call, seconds)
    now = operations.clock.now()
    if loaded is not None and (loaded.expires_at is None or loaded.expires_at > now):
        return _row_of(named, loaded, operations.clock)
    if re.fullmatch(f"[0-9a-f]{{{REF_DIGITS}}}", named):
        for record in list_keys(client, table):
            if record_ref(record.id) == named:
                return record
    raise NotFound(
        f"the table {table!r} has no record {named!r}: leeward keys list {table}. Where a function "
        "has no record of a key, leeward settle FUNCTION KEY asks it, and voids the key"
    )


def change_key(
    client: Client,
    table: str,
    named: str,
    seen: str,
    change: Callable[[KeyRecord, float], KeyRecord | None],
    *,
    wait: Callable[[float], object] | None = None,
) -> KeyRow:
    """Write what `change` makes of a record, if it still has the version `seen`; return that.

    A run that has begun an effect and not ended may still act, whatever the clock of the day says
    of its lease: `wait` is called with the seconds that it has left, else that is an error.

    There is no way to force it. A run within its lease may go on after any change, so that what
    the record says would be wrong; its lease ends by itself. What has run has run.

    Raises:
        NotFound: the record is not there.
        InvalidRequest: the record is in a state in which nobody may change it by hand.
        Conflict: somebody else has changed it meanwhile.
    """
    kept, done = plan_change(client, table, named, seen, change)
    clock = client._operations.clock  # noqa: SLF001 - that of its own calls
    left = _remaining(kept.record, clock.now())
    if left > 0:
        if wait is None:
            why = f"the run of {named} may still act for {left:.0f} s: its clock may differ"
            raise InvalidRequest(f"{why} from this one. Try again then", field="record")
        wait(left)
    now = clock.now()
    keep = None if kept.expires_at is None else _seconds_to_keep(done, kept, now)
    item = item_of(_shift(done, clock.monotonic() - now), kept.id, clock)
    receipt = client.store_data(table, item, if_revision=kept.revision, expires_in=keep)
    return kept._replace(record=done, revision=receipt.revision or "", changed_at=now)


def _remaining(record: KeyRecord | None, now: float) -> float:
    """Return for how many seconds a run may act that no write keeps from it."""
    may_act = record is not None and record.state is KeyState.IN_PROGRESS and record.effects
    return record.over_at - now if record is not None and may_act else 0.0


def plan_change(
    client: Client,
    table: str,
    named: str,
    seen: str,
    change: Callable[[KeyRecord, float], KeyRecord | None],
) -> tuple[KeyRow, KeyRecord]:
    """Return a record, and what `change` would make of it; arguments and errors as above."""
    kept = find_key(client, table, named)
    if seen != version_of(kept):
        why = f"the record {named} has changed since you have looked at it: look again"
        raise InvalidRequest(why, field="version")
    now = client._operations.clock.now()  # noqa: SLF001 - that of its own calls
    done = kept.record and change(kept.record, now)
    if done is None:
        raise InvalidRequest(_refusal(kept, named, now), field="record")
    return kept, done


def _seconds_to_keep(record: KeyRecord, kept: KeyRow, now: float) -> float:
    """Return for how many seconds a table that forgets keeps a changed record."""
    assert kept.expires_at is not None, "the table forgets"
    left = max(1.0, kept.expires_at - now)
    is_kept = record.voids or record.approval
    return max(left, seconds_to_keep(record, 0.0, now)) if is_kept else left


def _refusal(kept: KeyRow, named: str, now: float) -> str:
    """Return why nobody may change a record by hand, and what to do."""
    record = kept.record
    if record is None:
        return f"the record {named} is not one of leeward's, and was not changed"
    return (
        f"the record {named} is {state_of(record)}, and was not changed. "
        f"{describe_key(record, now)} Settle only a record that is unknown, or whose run has not "
        "ended within its lease; approve only one that waits. To have an effect again, take "
        "another key"
    )


def void_by_hand(record: KeyRecord, now: float) -> KeyRecord | None:
    """Return the record after somebody has found out that none of its calls so far has run.

    None of them will. Return None if nobody may say so: one still runs, or it is settled.
    """
    if record.state is KeyState.RELEASED or is_open(record, now):
        return void_record(record, record.voids)
    return None


def approve_by_hand(record: KeyRecord, by: str) -> KeyRecord | None:
    """Return the record after a person, `by`, has approved it: its key is free for its payload.

    Return None if it does not wait.
    """
    if record.state is not KeyState.WAITING or record.approval is None:
        return None
    return release_record(record)._replace(approval=record.approval._replace(by=by))


def refuse_by_hand(record: KeyRecord, by: str) -> KeyRecord | None:
    """Return the record after a person, `by`, has refused it: no call with its key runs.

    Return None if it neither waits, nor is approved and free.
    """
    states = (KeyState.WAITING, KeyState.RELEASED, KeyState.VOID)
    if record.state not in states or record.approval is None:
        return None
    return record._replace(state=KeyState.REFUSED, approval=record.approval._replace(by=by))


def settle_by_hand(
    record: KeyRecord, now: float, *, ran: bool, result: Any = None, kept: bool = False
) -> KeyRecord | None:
    """Return the record after somebody has found out what its run has done.

    Return None if nobody may settle it by hand: it still runs, or is settled.
    """
    if not is_open(record, now):
        return None
    if not ran:
        return release_record(record)._replace(failure=None, effects=False)
    done = complete_record(record, result)
    return done if kept else without_result(done)


Change: TypeAlias = Callable[[KeyRecord, float, str], KeyRecord | None]
"""Makes of a record, at a time, by the word of a person, what it says then."""

CHANGES: Final[Mapping[str, Change]] = {
    "ran": lambda record, now, _: settle_by_hand(record, now, ran=True),
    "release": lambda record, now, _: settle_by_hand(record, now, ran=False),
    "void": lambda record, now, _: void_by_hand(record, now),
    "approve": lambda record, _, by: approve_by_hand(record, by),
    "refuse": lambda record, _, by: refuse_by_hand(record, by),
}
"""What a person can say of a record whose run has not ended, or that waits."""


def possible_changes(row: KeyRow, now: float) -> list[str]:
    """Return what a person can say of a record now: names of `CHANGES`."""
    record = row.record
    return [name for name, change in CHANGES.items() if record and change(record, now, "")]


def _shift(record: KeyRecord, seconds: float) -> KeyRecord:
    lease_until, over_at = record.lease_until + seconds, record.over_at + seconds
    return record._replace(lease_until=lease_until, over_at=over_at)


def _row_of(id: str, stored: Stored, clock: Clock) -> KeyRow:
    record = record_in(Loaded(stored.item, stored.revision, ""), clock).record
    if record is not None:  # people read the clock of the day
        record = _shift(record, clock.now() - clock.monotonic())
    changed = time_of_id(stored.write_id or "")
    return KeyRow(id, record, stored.revision, stored.expires_at, changed)
