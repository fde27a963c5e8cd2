"""Records in a table of leeward's, on any provider: each step of a run as one call of a client."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from datetime import timedelta
from functools import lru_cache
from math import ceil
from typing import TYPE_CHECKING, Any, Final, Protocol, TypeVar

from leeward.app.idempotency.record import (
    Approval,
    KeyRecord,
    KeyState,
    LoadedRecord,
    RecordedFailure,
    Text,
    seconds_to_keep,
)
from leeward.app.idempotency.steps import (
    Away,
    Changed,
    LoadedRegister,
    LoadRecord,
    LoadRegister,
    RegisterEntry,
    Reply,
    Saved,
    SaveRecord,
    Step,
    Steps,
    Unfit,
)
from leeward.envelope import CLOCKS
from leeward.errors import Conflict, InvalidRequest, LeewardError, OutcomeUnknown
from leeward.json_text import decode
from leeward.records import NamedTuple
from leeward.watching import RUNNING, UNWATCHED, watched_by

if TYPE_CHECKING:
    from leeward.clock import Clock
    from leeward.values import Record as Loaded

T = TypeVar("T")

KEY: Final = "id"  # the key field of a table that keeps records
REGISTER: Final = ":register:"  # how the ids of the rows of a register begin; no record's does.


class TableClient(Protocol):
    """What records need of a client, `leeward.Client` or `leeward.AsyncClient`."""

    def store_data(
        self,
        table: str,
        item: dict[str, Any],
        *,
        if_absent: bool = False,
        if_revision: str | None = None,
        expires_in: float | timedelta | None = None,
    ) -> Any:
        """Store an item."""

    def load_data(self, table: str, key: str | Mapping[str, str]) -> Any:
        """Load an item."""


class RecordLocation(NamedTuple):
    """The place of a key's record, and how long it is kept, in seconds."""

    table: str
    id: str
    keep: float
    clock: Clock


def perform(client: TableClient, location: RecordLocation, steps: Steps[T]) -> T:
    """Run `steps` on this thread, and return what they return."""
    token = watched_by(UNWATCHED)  # its own calls, not those of the handler
    try:
        step = next(steps)
        while True:
            try:
                reply = _reply(step, _call(client, location, step), location.clock)
            except LeewardError as error:
                reply = _error_reply(error)
            step = steps.send((reply, location.clock.monotonic()))
    except StopIteration as end:
        result: T = end.value
        return result
    finally:
        RUNNING.reset(token)


async def perform_async(client: TableClient, location: RecordLocation, steps: Steps[T]) -> T:
    """Do the same without blocking the event loop."""
    token = watched_by(UNWATCHED)
    try:
        step = next(steps)
        while True:
            try:
                reply = _reply(step, await _call(client, location, step), location.clock)
            except LeewardError as error:
                reply = _error_reply(error)
            step = steps.send((reply, location.clock.monotonic()))
    except StopIteration as end:
        result: T = end.value
        return result
    finally:
        RUNNING.reset(token)


def _call(client: TableClient, location: RecordLocation, step: Step) -> Any:
    if isinstance(step, SaveRecord):
        record, revision = step
        clock: Any = location.clock
        item = item_of(record, location.id, clock)
        if record.state is KeyState.UNKNOWN:  # so that this process need not count anew
            first_sight(clock, record.owner, item["over_in"] / 1000)
        return client.store_data(
            location.table,
            item,
            if_absent=revision is None,
            if_revision=revision,
            expires_in=seconds_to_keep(record, location.keep, clock.monotonic()),
        )
    if isinstance(step, LoadRecord):
        return client.load_data(location.table, location.id)
    if isinstance(step, LoadRegister):
        return client.load_data(location.table, step.id)
    return client.store_data(
        location.table,
        {KEY: step.id, "entries": [entry._asdict() for entry in step.entries]},
        if_absent=step.revision is None,
        if_revision=step.revision,
    )


def _reply(step: Step, answer: Any, clock: Clock) -> Reply:
    if isinstance(step, LoadRecord):
        return None if answer is None else record_in(answer, clock)
    if isinstance(step, LoadRegister):
        return None if answer is None else _register_in(answer)
    return Saved(answer.revision)


def _register_in(loaded: Loaded) -> LoadedRegister:
    """Read the row of a function; empty if another program wrote it."""
    try:
        entries = tuple(
            RegisterEntry(float(entry["since"]), entry["facts"]) for entry in loaded.item["entries"]
        )
    except (KeyError, TypeError, ValueError):
        entries = ()
    return LoadedRegister(entries, loaded.revision)


def _error_reply(error: LeewardError) -> Reply:
    if isinstance(error, Conflict):
        return Changed()
    if isinstance(error, InvalidRequest):
        return Unfit(error)
    return Away(error, isinstance(error, OutcomeUnknown))


def item_of(record: KeyRecord, id: str, clock: Clock) -> dict[str, Any]:
    """Return the item that keeps `record`. Times in it are whole milliseconds.

    Its ``lease_until`` is by the clock of the day of whoever writes it; ``over_in`` is how long the
    run may still act, from now on.
    """
    now = clock.monotonic()
    item: dict[str, Any] = {
        KEY: id,
        "state": record.state.value,
        "owner": record.owner,
        "fence": record.fence,
        "lease_until": int((clock.now() + record.lease_until - now) * 1000),
        "payload": record.payload,
        "effects": record.effects,
    }
    if record.state in _UNENDED:
        item["over_in"] = ceil(max(0.0, record.over_at - now) * 1000)
    if record.state is KeyState.COMPLETED:
        item["kept"] = record.kept
        if record.kept and isinstance(record.result, Text):
            item["result_json"] = record.result.json
        elif record.kept:
            item["result"] = record.result
    if record.voids:
        item["voids"] = record.voids
    if record.fence > 1:
        item["earlier_effects"] = record.earlier_effects
    if record.approval is not None:
        item["approval"] = {"question": record.approval.question, "by": record.approval.by}
    if record.notes:
        item["notes"] = [*record.notes]
    if record.failure is not None:
        kind, arguments, rerun = record.failure
        item["failure"] = {"type": kind, "arguments": [*arguments], "rerun": rerun}
    return item


_UNENDED: Final = (KeyState.IN_PROGRESS, KeyState.UNKNOWN)


@lru_cache(4096)
def first_sight(clock: Any, _owner: str, _left: float) -> float:
    """Return when this process first saw a run with so many seconds left, by its monotonic clock.

    Old entries are forgotten and counted again, which is safe.
    """
    seconds: float = clock.monotonic()
    return seconds


def record_in(
    loaded: Loaded, clock: Clock, sight: Callable[..., float] = first_sight
) -> LoadedRecord:
    """Read an item; the record is None if this module did not write the item."""
    item = loaded.item
    try:
        failure, approval = item.get("failure"), item.get("approval")
        over_at = now = clock.monotonic()
        by_clocks = now + int(item["lease_until"]) / 1000 - clock.now()
        if (owner := item["owner"]) and item["state"] in ("in_progress", "unknown"):
            # An earlier leeward has not written it. Few platforms let a function run for longer.
            left = int(item.get("over_in", 3_600_000)) / 1000
            over_at = min(sight(clock, owner, left) + left, by_clocks + CLOCKS)
        record = KeyRecord(
            KeyState(item["state"]),
            str(item["owner"]),
            int(item["fence"]),
            min(over_at, by_clocks),
            str(item["payload"]),
            item["effects"] is not False,
            decode(item["result_json"]) if "result_json" in item else item.get("result"),
            item.get("kept", True) is not False,
            failure
            and RecordedFailure(
                str(failure["type"]), tuple(failure["arguments"]), bool(failure["rerun"])
            ),
            int(item.get("voids", 0)),
            tuple(map(str, item.get("notes", ()))),
            # An earlier leeward has not written it: then nobody knows.
            item.get("earlier_effects", int(item["fence"]) > 1) is not False,
            approval
            and Approval(str(approval["question"]), approval["by"] and str(approval["by"])),
            over_at,
        )
    except (KeyError, TypeError, ValueError, AttributeError, ArithmeticError):
        record = None
    return LoadedRecord(record, loaded.revision)
