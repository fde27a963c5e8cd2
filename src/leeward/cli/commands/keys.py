"""``leeward keys``: the records of idempotent functions, and settling one by hand."""

from __future__ import annotations

import re
from collections.abc import Iterator
from enum import StrEnum
from typing import Annotated, Any

import typer

from leeward._operations.upkeep import make
from leeward.app.idempotency.digests import REF_DIGITS, record_ref
from leeward.app.idempotency.record import KeyRecord, KeyState, settle_by_hand
from leeward.app.idempotency.store import KEY, item_of, record_in
from leeward.calls import Page, Scan
from leeward.cli.arguments import json_argument
from leeward.cli.global_options import options_of
from leeward.cli.output.console import Printers
from leeward.cli.output.json_view import JsonObject, moment
from leeward.client import Client
from leeward.errors import InvalidRequest, NotFound
from leeward.records import NamedTuple
from leeward.values import Record as Loaded

HEADER = ("record", "state", "until", "effects", "error", "id")

SECONDS = 15.0
"""For a page."""

Table = Annotated[str, typer.Argument(help="The table of the records, by its logical name.")]


class Settlement(StrEnum):
    """What somebody has found out of a run."""

    RAN = "ran"
    DID_NOT_RUN = "did-not-run"


class KeyRow(NamedTuple):
    """A record of a table.

    Attributes:
        id: of the item.
        record: None if it is not a record of leeward.
        revision: opaque.
        expires_at: Unix seconds, or None.
    """

    id: str
    record: KeyRecord | None
    revision: str
    expires_at: float | None


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

    It reads the whole table.
    """
    options = options_of(context)
    found: list[JsonObject] = []
    more = False
    with options.client_of_data() as cloud:
        for record in _records(cloud, table):
            if state is not None and (record.record is None or record.record.state is not state):
                continue
            if function is not None and record.id.partition(":")[0] != function:
                continue
            if len(found) == limit:
                more = True
                break
            found.append(_json(record))
    options.output.show({"keys": found, "more": more}, _render)


def settle_record(
    context: typer.Context,
    table: Table,
    record: Annotated[
        str, typer.Argument(help="Its name in an error, a log or `leeward keys list`; or its id.")
    ],
    outcome: Annotated[Settlement, typer.Argument(help="What happened: ran, or did-not-run.")],
    *,
    result: Annotated[
        str | None,
        typer.Option(metavar="JSON", help="What repeats get after ran. Default: nothing."),
    ] = None,
) -> None:
    """Settle a record whose run may have had its effect.

    Find out first what happened. After "did-not-run" the next call runs. After "ran" repeats get
    the result, or the reason not_kept.
    """
    options = options_of(context)
    ran = outcome is Settlement.RAN
    if result is not None and not ran:
        raise InvalidRequest("--result is for a run that ran", field="result")
    value = json_argument(result, "result")
    with options.client_of_data() as cloud:
        kept = _find(cloud, table, record)
        now = cloud._operations.clock.now()  # noqa: SLF001 - that of its own calls
        done = kept.record and settle_by_hand(
            kept.record, now, ran=ran, result=value, kept=result is not None
        )
        if done is None:
            state = "not one of leeward's" if kept.record is None else kept.record.state.value
            raise InvalidRequest(
                f"the record {record} is {state}: settle only a record that is unknown, or whose "
                "run has not ended within its lease",
                field="record",
            )
        cloud.store_data(
            table,
            item_of(done, kept.id),
            if_revision=kept.revision,
            expires_in=None if kept.expires_at is None else max(1.0, kept.expires_at - now),
        )
    options.output.show({"key": _json(kept._replace(record=done))}, _render_settled)


def _records(cloud: Client, table: str) -> Iterator[KeyRow]:
    operations, cursor = cloud._operations, None  # noqa: SLF001 - no client has a scan, on purpose
    now = operations.clock.now()
    while True:
        page: Page = make(operations, Scan(table, cursor), SECONDS)
        for item in page.items:
            id = item.item.get(KEY)
            if isinstance(id, str) and (item.expires_at is None or item.expires_at > now):
                loaded = Loaded(item.item, item.revision, "")
                yield KeyRow(id, record_in(loaded).record, item.revision, item.expires_at)
        cursor = page.cursor
        if cursor is None:
            return


def _find(cloud: Client, table: str, named: str) -> KeyRow:
    """Return the record that is named by its id, or as messages name it.

    Raises:
        NotFound: it is not there.
    """
    loaded = cloud.load_data(table, named)
    if loaded is not None:
        expires = None if loaded.expires_at is None else loaded.expires_at.timestamp()
        return KeyRow(named, record_in(loaded).record, loaded.revision, expires)
    if re.fullmatch(f"[0-9a-f]{{{REF_DIGITS}}}", named):
        for record in _records(cloud, table):
            if record_ref(record.id) == named:
                return record
    raise NotFound(f"the table {table!r} has no record {named!r}; leeward keys list {table}")


def _json(kept: KeyRow) -> JsonObject:
    found: dict[str, Any] = {"record": record_ref(kept.id), "id": kept.id}
    record = kept.record
    if record is None:
        return {**found, "state": None, "expires_at": kept.expires_at}
    return {
        **found,
        "state": record.state.value,
        "effects": record.effects,
        "error": None if record.failure is None else record.failure.type,
        "fence": record.fence,
        "lease_until": record.lease_until,
        "expires_at": kept.expires_at,
    }


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
        moment(key["expires_at"]),
        "-" if effects is None else "maybe" if effects else "no",
        key.get("error") or "-",
        key["id"],
    )


def _render_settled(data: JsonObject, printers: Printers) -> None:
    key = data["key"]
    printers.out.pairs([("record", key["record"]), ("state", key["state"]), ("id", key["id"])])
